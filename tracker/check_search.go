package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// subjectEntry: a subject is one person's (B4).
func (c *checker) subjectEntry(e store.Entry) error {
	if !c.sized(e.Key, 3+len(digest{})) {
		return nil
	}
	at, err := decodeSubject(e.Value)
	if !c.decoded(err) {
		return nil
	}
	p, err := c.profile(keyAccount(e.Key), at)
	if err != nil {
		return err
	}
	if p == nil || p.kind != kindAuthenticated || string(subjectKey(p.account, p.subjectType, p.subject)) != string(e.Key) {
		c.wrong("a subject that leads to %s, who did not authenticate as it", at)
	}
	return nil
}

// listingEntry: only persons are listed, each once and where his record says.
func (c *checker) listingEntry(e store.Entry) error {
	if !c.sized(e.Key, 3+2+8+16) {
		return nil
	}
	p, err := c.profile(keyAccount(e.Key), lastID(e.Key))
	if err != nil {
		return err
	}
	switch {
	case p == nil || !p.person():
		c.wrong("no person's entry in the list")
	case string(listingKey(p.account, p.platformType(), p.listed, p.listing, p.id)) != string(e.Key):
		c.wrong("a person listed in another place than the record says")
	}
	return nil
}

// searchFields are the properties a field of the index is made of; nil stands
// for what somebody authenticated with.
var searchFields = map[byte][]string{
	searchFirst: {"firstName"}, searchMiddle: {"middleName"}, searchLast: {"lastName"},
	searchEmail: {fieldEmail}, searchPhone: {fieldPhone}, searchPhoneEnd: {fieldPhone}, searchTag: {fieldTags},
	searchSubject: nil, searchSubjectEnd: nil,
}

// searchEntry: a word of the index is one of what is stored.
func (c *checker) searchEntry(e store.Entry) error {
	if c.counted(e) {
		return nil
	}
	return c.searchedWord(e)
}

func (c *checker) searchedWord(e store.Entry) error {
	const tail = 1 + 16
	if len(e.Key) < 3+1+tail || e.Key[len(e.Key)-tail] != 0 {
		c.wrong("the key of an index entry is malformed")
		return nil
	}
	a, i := keyAccount(e.Key), lastID(e.Key)
	is := entry{e.Key[3], string(e.Key[4 : len(e.Key)-tail])}
	names, known := searchFields[is.field]
	if !known {
		c.wrong("an index entry of an unknown field %q", is.field)
		return nil
	}
	p, err := c.profile(a, i)
	if err != nil {
		return err
	}
	if p == nil || p.kind == kindVisitor { // an absorbed lead keeps its own
		c.wrong("no person's index entry")
		return nil
	}
	found := subjectEntries(p)
	for _, name := range names {
		value, err := c.Get(attributeKey(a, i, name))
		if err != nil {
			return err
		}
		found = attributeEntries(name, value)
	}
	if !slices.Contains(found, is) {
		c.wrong("an index entry in field %q of what the person does not have", is.field)
	}
	return nil
}

// indexed: everything that is searched is in the index.
func (c *checker) indexed(a Account, p id, want []entry) error {
	for n, e := range want {
		if slices.Contains(want[:n], e) {
			continue
		}
		if err := c.must(e.key(a, p), "a person who is not found by field %q", e.field); err != nil {
			return err
		}
		c.found(tableSearch)
	}
	return nil
}
