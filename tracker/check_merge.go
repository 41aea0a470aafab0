package tracker

import (
	"github.com/livechat-people/caddy-people-tracking/store"
)

// mergedProfile: the record of a visitor, or of an absorbed lead, points to the
// person it is part of, who knows of it.
func (c *checker) mergedProfile(p *profile) error {
	person, err := c.profile(p.account, p.mergedInto)
	if err != nil {
		return err
	}
	c.recent, c.recentProfile = idKey(tableProfile, p.account, p.id), p
	if person == nil || person.kind == kindVisitor {
		c.wrong("a visitor merged into %s, who is no person", p.mergedInto)
		return nil
	}
	if p.expiry != 0 {
		c.wrong("a merged visitor with a deadline")
	}
	return c.must(memberKey(p.account, p.mergedInto, p.mergePoint, p.id), "a merged visitor of whom %s does not know", p.mergedInto)
}

// memberEntry: a timeline of a person, and the merge it came by.
func (c *checker) memberEntry(e store.Entry) error {
	if !c.sized(e.Key, idKeySize+8+16) {
		return nil
	}
	m, err := decodeMerge(e.Value)
	if !c.decoded(err) {
		return nil
	}
	a, person, member := keyAccount(e.Key), keyID(e.Key, 3), lastID(e.Key)
	p, err := c.profile(a, member)
	if err != nil {
		return err
	}
	switch {
	case p == nil || p.mergedInto != person:
		c.wrong("visitor %s belongs to the person and does not say so", member)
		return nil
	case string(memberKey(a, person, p.mergePoint, member)) != string(e.Key):
		c.wrong("visitor %s belongs to the person twice", member)
	case m.visitor != member || m.person != person:
		c.wrong("visitor %s belongs to the person by a merge of others", member)
	}
	return c.must(idKey(tableMerge, a, m.id), "visitor %s belongs to the person by a merge without a record", member)
}

// mergeEntry: a merge of a visitor into a person, found from both and told of
// in the person's timeline.
func (c *checker) mergeEntry(e store.Entry) error {
	if !c.sized(e.Key, idKeySize) {
		return nil
	}
	m, err := decodeMerge(e.Value)
	if !c.decoded(err) {
		return nil
	}
	a := keyAccount(e.Key)
	if m.id != keyID(e.Key, 3) {
		c.wrong("the record of merge %s", m.id)
		return nil
	}
	if err := c.must(pairKey(tableMergeOf, a, m.person, m.id), "a merge of which person %s does not know", m.person); err != nil {
		return err
	}
	visitor, err := c.profile(a, m.visitor)
	if err != nil {
		return err
	}
	if m.undone() {
		return c.undoneMerge(a, m, visitor)
	}
	if visitor == nil || visitor.mergedInto != m.person {
		c.wrong("a merge of visitor %s, who was not merged into %s", m.visitor, m.person)
		return nil
	}
	member, err := look(c, memberKey(a, m.person, visitor.mergePoint, m.visitor), decodeMerge)
	if err != nil {
		return err
	}
	if member != nil && member.id != m.id {
		c.wrong("visitor %s was merged twice", m.visitor)
	}
	return c.toldOnce(a, m)
}

// undoneMerge: the member is a person of its own, and linked with the other.
func (c *checker) undoneMerge(a Account, m *merge, member *profile) error {
	if member == nil || !member.person() {
		c.wrong("an undone merge that left no person")
		return nil
	}
	if err := c.must(pairKey(tableLink, a, m.visitor, m.person), "an undone merge without a link"); err != nil {
		return err
	}
	return c.toldOnce(a, m)
}

// toldOnce: the person's timeline tells of the merge, at a time up to a day
// before it was carried out (B13).
func (c *checker) toldOnce(a Account, m *merge) error {
	if m.at-lateLimit.Milliseconds() < c.forgotten {
		return nil // a merge stays when its event goes
	}
	times := 0
	base := idKey(tableEvent, a, m.person)
	r := store.Range{
		From: appendTime(append([]byte(nil), base...), max(0, m.at-lateLimit.Milliseconds())),
		To:   appendTime(append([]byte(nil), base...), m.at+1),
	}
	err := c.each(r, func(e store.Entry) error {
		if ev, err := decodeEvent(e.Value); err == nil && ev.merge != nil && ev.merge.id == m.id {
			times++
		}
		return nil
	})
	if err == nil && times != 1 {
		c.wrong("a merge that is told of %d times", times)
	}
	return err
}

// toldMerge: what a timeline tells of happened.
func (c *checker) toldMerge(key []byte, told *merge) error {
	a := keyAccount(key)
	m, err := look(c, idKey(tableMerge, a, told.id), decodeMerge)
	if err != nil {
		return err
	}
	if m == nil || m.visitor != told.visitor || m.person != told.person || m.person != keyID(key, 3) {
		c.wrong("merge %s is told of and did not happen", told.id)
	}
	return nil
}

// mergeOfEntry: a merge found by its person.
func (c *checker) mergeOfEntry(e store.Entry) error {
	if !c.sized(e.Key, idKeySize+16) {
		return nil
	}
	a, person, i := keyAccount(e.Key), keyID(e.Key, 3), lastID(e.Key)
	m, err := look(c, idKey(tableMerge, a, i), decodeMerge)
	if err != nil {
		return err
	}
	if m == nil || m.person != person {
		c.wrong("merge %s, which is not the person's", i)
	}
	return nil
}
