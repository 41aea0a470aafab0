package tracker

import (
	"bytes"
	"slices"
	"strings"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// maxCandidates bounds how many persons one search looks at: whoever needs
// more types another word.
const maxCandidates = store.MaxScan

// searchWords are the words of a query, each of which must match.
func searchWords(text string) []string {
	var out []string
	for _, word := range strings.Fields(text) {
		if word = fold(word); word != "" && !slices.Contains(out, word) && len(out) < maxWords {
			out = append(out, word)
		}
	}
	return out
}

// search finds the persons all of whose words match, newest activity first
// among the candidates of the rarest word.
func (r *reading) search(text []string, q PersonQuery) ([]*profile, string, error) {
	var after *position
	if q.Cursor != "" {
		p, err := parsePosition(q.Cursor)
		if err != nil {
			return nil, "", err
		}
		after = &p
	}
	sets := make([]map[id]*profile, len(text))
	known := map[id]*profile{}
	for i, word := range text {
		matching, err := r.matching(word)
		if err == nil {
			sets[i], err = r.ownersOf(matching, known)
		}
		if err != nil {
			return nil, "", err
		}
	}
	slices.SortFunc(sets, func(a, b map[id]*profile) int { return len(a) - len(b) })
	var found []*profile
	for i, p := range sets[0] {
		if slices.ContainsFunc(sets[1:], func(set map[id]*profile) bool { return set[i] == nil }) {
			continue
		}
		if q.Type != "" && p.platformType() != q.Type {
			continue
		}
		if after == nil || p.position().compare(*after) > 0 {
			found = append(found, p)
		}
	}
	return page(found, q.Limit)
}

// ownersOf are the persons that profiles are, or are part of: an absorbed lead
// keeps its place in the index. known are those that were looked up before.
func (r *reading) ownersOf(set map[id]bool, known map[id]*profile) (map[id]*profile, error) {
	owners := make(map[id]*profile, len(set))
	for i := range set {
		p, seen := known[i]
		for next := i; !seen; next = p.mergedInto {
			var err error
			if p, err = r.hot(next); err != nil {
				return nil, err
			}
			if p == nil || p.mergedInto.zero() {
				break
			}
		}
		known[i] = p
		if p != nil && p.person() {
			owners[p.id] = p
		}
	}
	return owners, nil
}

// matching is who has a token that begins with the word, or a phone number
// that begins or ends with its digits.
func (r *reading) matching(word string) (map[id]bool, error) {
	set := map[id]bool{}
	for _, field := range []byte{searchFirst, searchMiddle, searchLast, searchEmail, searchTag, searchSubject} {
		if err := r.match(set, field, word); err != nil {
			return nil, err
		}
	}
	if digits := schema.PhoneKey(word); len(digits) >= minDigits {
		for field, start := range map[byte]string{
			searchPhone: digits, searchPhoneEnd: reversed(digits), searchSubjectEnd: reversed(digits),
		} {
			if err := r.match(set, field, start); err != nil {
				return nil, err
			}
		}
	}
	return set, nil
}

// minDigits keeps a stray number from being taken for the end of a phone number.
const minDigits = 3

func (r *reading) match(set map[id]bool, field byte, start string) error {
	prefix := searchPrefix(r.account, field, start)
	entries, err := r.Scan(prefixKeys(prefix, maxCandidates))
	for _, entry := range entries {
		if len(set) >= maxCandidates {
			break
		}
		if bytes.HasPrefix(entry.Key, prefix) {
			set[lastID(entry.Key)] = true
		}
	}
	return err
}
