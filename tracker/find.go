package tracker

import (
	"slices"
	"strings"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// effort bounds the work of one search. Whoever meets a bound is told so, and
// types another word.
type effort struct {
	found      int // persons who match: as many are sorted by their last activity
	candidates int // persons who are looked at: most searches of common words need no more than the index
	entries    int // entries of the index that are read, for all words together
	page       int // of them at a time
}

var usualEffort = effort{found: 1000, candidates: 5000, entries: 50_000, page: 250}

// entriesPerCandidate is how many entries of the index are read in the time
// that one candidate's properties take.
const entriesPerCandidate = 20

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

// search finds the persons all of whose words match, newest activity first.
type search struct {
	*reading
	effort
	query   PersonQuery
	words   []*word
	looked  int
	partial bool // a bound was met: there may be more
	seen    map[id]bool
	matches []*profile
}

// word is one word of a search, and what of the index was read for it.
type word struct {
	starts []entry // one of which an entry of the person must begin with
	rest   []store.Range
	read   int
	order  []id // who has it, as they came
	has    map[id]bool
}

// all says that everybody who has the word is known.
func (w *word) all() bool { return len(w.rest) == 0 }

func (r *reading) search(text []string, q PersonQuery, most effort) (found []*profile, next string, partial bool, err error) {
	after, err := q.after()
	if err != nil {
		return nil, "", false, err
	}
	s := &search{reading: r, effort: most, query: q, seen: map[id]bool{}}
	for _, t := range text {
		s.words = append(s.words, r.word(t, most.page))
	}
	if err := s.readIndex(); err != nil {
		return nil, "", false, err
	}
	if err := s.lookAt(s.candidatesOf(s.rarest())); err != nil {
		return nil, "", false, err
	}
	found = slices.DeleteFunc(s.matches, func(p *profile) bool { return after != nil && p.position().compare(*after) <= 0 })
	found, next, err = page(found, q.Limit)
	return found, next, s.partial, err
}

// word is what a word can be: the beginning of a token, or of a phone number, or
// the end of one.
func (r *reading) word(text string, page int) *word {
	w := &word{has: map[id]bool{}}
	for _, field := range []byte{searchFirst, searchMiddle, searchLast, searchEmail, searchTag, searchSubject} {
		w.starts = append(w.starts, entry{field, text})
	}
	if digits := schema.PhoneKey(text); len(digits) >= minDigits {
		w.starts = append(w.starts, entry{searchPhone, digits}, entry{searchPhoneEnd, reversed(digits)}, entry{searchSubjectEnd, reversed(digits)})
	}
	for _, e := range w.starts {
		w.rest = append(w.rest, prefixKeys(searchPrefix(r.account, e.field, e.token), page))
	}
	return w
}

// minDigits keeps a stray number from being taken for the end of a phone number.
const minDigits = 3

// of says whether one of a person's entries is what the word stands for.
func (w *word) of(entries []entry) bool {
	return slices.ContainsFunc(entries, func(e entry) bool {
		return slices.ContainsFunc(w.starts, func(s entry) bool { return s.field == e.field && strings.HasPrefix(e.token, s.token) })
	})
}

// readIndex reads as much for each word, until it is known who has the rarest;
// and then on for the others while that is less work than to look at each of
// those few.
func (s *search) readIndex() error {
	for s.rarest() == nil && s.mayRead() {
		least := slices.MinFunc(s.words, func(a, b *word) int { return a.read - b.read })
		if err := s.readOn(least); err != nil {
			return err
		}
	}
	rarest := s.rarest()
	if rarest == nil {
		return nil
	}
	for _, w := range s.words {
		for !w.all() && s.mayRead() && w.read < entriesPerCandidate*len(rarest.order) {
			if err := s.readOn(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayRead says whether more of the index may be read. For a single word that is
// as much as can be looked at.
func (s *search) mayRead() bool {
	read := 0
	for _, w := range s.words {
		read += w.read
	}
	if read > s.entries {
		return false
	}
	switch {
	case len(s.words) > 1:
		return true
	case s.query.Type == "":
		return len(s.words[0].order) <= s.found
	}
	return len(s.words[0].order) <= s.candidates
}

func (s *search) readOn(w *word) error {
	entries, err := s.Scan(w.rest[0])
	if err != nil {
		return err
	}
	w.read += len(entries)
	for _, e := range entries {
		if i := lastID(e.Key); !w.has[i] {
			w.has[i] = true
			w.order = append(w.order, i)
		}
	}
	if len(entries) < w.rest[0].Limit {
		w.rest = w.rest[1:]
	} else {
		w.rest[0].From = append(entries[len(entries)-1].Key, 0)
	}
	return nil
}

// rarest is the word with the fewest persons of those words of which all are
// known, nil when there is none yet.
func (s *search) rarest() (rarest *word) {
	for _, w := range s.words {
		if w.all() && (rarest == nil || len(w.order) < len(rarest.order)) {
			rarest = w
		}
	}
	return rarest
}

// candidatesOf are those who have the rarest word, or some of those who have a
// word where all are too common: first those who by the index have all others.
func (s *search) candidatesOf(rarest *word) []id {
	if rarest == nil {
		s.partial = true
		rarest = s.words[0]
	}
	var certain, possible []id
	for _, i := range rarest.order {
		if len(s.missing(i)) == 0 {
			certain = append(certain, i)
		} else {
			possible = append(possible, i)
		}
	}
	return append(certain, possible...)
}

// missing are the words that a profile does not have by what was read.
func (s *search) missing(i id) (missing []*word) {
	for _, w := range s.words {
		if !w.has[i] {
			missing = append(missing, w)
		}
	}
	return missing
}

// lookAt finds out who of the candidates matches.
func (s *search) lookAt(candidates []id) error {
	for n, i := range candidates {
		if rest := candidates[n:]; n%s.page == 0 {
			if err := s.expectRecords(min(len(rest), s.page), func(n int) id { return rest[n] }); err != nil {
				return err
			}
		}
		if s.looked == s.candidates || len(s.matches) == s.found {
			s.partial = true
			return nil
		}
		s.looked++
		p, err := s.ownerOf(i)
		if err != nil {
			return err
		}
		if p == nil || s.seen[p.id] || s.query.Type != "" && p.platformType() != s.query.Type {
			continue
		}
		s.seen[p.id] = true
		matches, err := s.hasAll(p, i)
		if err != nil {
			return err
		}
		if matches {
			s.matches = append(s.matches, p)
		}
	}
	return nil
}

// ownerOf is the person that a profile is, or is part of: an absorbed lead
// keeps its place in the index.
func (s *search) ownerOf(i id) (*profile, error) {
	p, err := s.hot(i)
	for err == nil && p != nil && !p.mergedInto.zero() {
		p, err = s.hot(p.mergedInto)
	}
	if err != nil || p == nil || !p.person() {
		return nil, err
	}
	return p, nil
}

// hasAll says whether a person, found by a profile, has all words. What the
// index does not tell stands in the properties: of the person itself where not
// everybody who has a word is known, and of the leads that are part of it.
func (s *search) hasAll(p *profile, by id) (bool, error) {
	missing := s.missing(by)
	if len(missing) == 0 {
		return true, nil
	}
	alone := p.id == by && p.absorbed == 0
	if alone && slices.ContainsFunc(missing, (*word).all) {
		return false, nil
	}
	has := func(entries []entry) bool {
		missing = slices.DeleteFunc(missing, func(w *word) bool { return w.of(entries) })
		return len(missing) == 0
	}
	if has(subjectEntries(p)) {
		return true, nil
	}
	parts, err := s.partsOf(p)
	if err != nil {
		return false, err
	}
	for _, part := range parts {
		prefix := idKey(tableAttribute, p.account, part)
		properties, err := s.scanAll(prefix)
		if err != nil {
			return false, err
		}
		for _, e := range properties {
			if has(attributeEntries(string(e.Key[len(prefix):]), e.Value)) {
				return true, nil
			}
		}
	}
	return false, nil
}
