package tracker

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// The fields of the search index. Every entry is a token under which a person
// is found by prefix. Each property has a field of its own, so that clearing
// one takes nothing away from another that holds the same word.
const (
	searchFirst      = 'f' // words of the names
	searchMiddle     = 'm'
	searchLast       = 'l'
	searchEmail      = 'e' // whole address, local part, domain
	searchPhone      = 'p' // digits
	searchPhoneEnd   = 'q' // digits from the end: people remember the last ones
	searchTag        = 't' // words
	searchSubject    = 'x' // what somebody authenticated with
	searchSubjectEnd = 'y' // likewise a phone number's digits from the end
)

// nameFields are the scalar properties whose words can be searched.
var nameFields = map[string]byte{"firstName": searchFirst, "middleName": searchMiddle, "lastName": searchLast}

// entry is one token of one field.
type entry struct {
	field byte
	token string
}

func (e entry) key(a Account, p id) []byte { return searchKey(a, e.field, e.token, p) }

// Bounds of an index entry: a key is short, and a name has few words.
const (
	maxToken = 128
	maxWords = 8
)

// fold makes text comparable: lower case, without the NUL that ends a token in
// its key.
func fold(s string) string {
	s = strings.ToLower(strings.ReplaceAll(s, "\x00", ""))
	if len(s) > maxToken {
		s = strings.ToValidUTF8(s[:maxToken], "")
	}
	return s
}

// words are the searchable words of a text.
func words(text string) []string {
	var out []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '-' || r == '.' || r == ',' }) {
		if word = fold(word); word != "" && !slices.Contains(out, word) && len(out) < maxWords {
			out = append(out, word)
		}
	}
	return out
}

func entries(field byte, tokens []string) []entry {
	out := make([]entry, 0, len(tokens))
	for _, token := range tokens {
		if token != "" {
			out = append(out, entry{field, token})
		}
	}
	return out
}

func tagEntries(tag string) []entry {
	const most = 3
	tokens := words(tag)
	return entries(searchTag, tokens[:min(most, len(tokens))])
}

// attributeEntries is what the index holds for a property.
func attributeEntries(name string, value []byte) (out []entry) {
	if field, searched := nameFields[name]; searched {
		return nameEntries(field, value)
	}
	var of func(string) []entry
	switch name {
	case fieldTags:
		of = tagEntries
	case fieldEmail:
		of = emailEntries
	case fieldPhone:
		of = phoneEntries
	}
	var list []string
	if of == nil || json.Unmarshal(value, &list) != nil {
		return nil
	}
	for _, v := range list {
		out = append(out, of(v)...)
	}
	return out
}

func emailEntries(address string) []entry { return entries(searchEmail, emailTokens(address)) }

func phoneEntries(number string) []entry {
	return phoneTokens(schema.PhoneKey(number), searchPhone, searchPhoneEnd)
}

func phoneTokens(digits string, field, end byte) []entry {
	if digits == "" {
		return nil
	}
	return []entry{{field, digits}, {end, reversed(digits)}}
}

func emailTokens(address string) []string {
	whole := fold(schema.EmailKey(address))
	local, domain, found := strings.Cut(whole, "@")
	if !found || local == "" || domain == "" {
		return []string{whole}
	}
	return []string{whole, local, domain}
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// subjectEntries are the tokens of what somebody authenticated with.
func subjectEntries(p *profile) []entry {
	switch p.subjectType {
	case "":
		return nil
	case "email":
		return entries(searchSubject, emailTokens(p.subject))
	case "msisdn":
		return phoneTokens(p.subject, searchSubject, searchSubjectEnd)
	}
	return entries(searchSubject, []string{fold(p.subject)})
}

// indexSubject makes an authenticated person findable by what he
// authenticated with.
func (w *work) indexSubject(p *profile) error {
	for _, e := range subjectEntries(p) {
		if err := w.tx.Put(e.key(p.account, p.id), present); err != nil {
			return err
		}
	}
	return nil
}
