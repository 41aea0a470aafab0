package tracker

import (
	"encoding/json"
	"strings"

	"github.com/livechat-people/caddy-people-tracking/store"
)

const idKeySize = 1 + 2 + 16

// profileEntry: what a profile is, and that it is found from everywhere it has
// to be. A living one is looked at together with the timelines that were merged
// into it.
func (c *checker) profileEntry(e store.Entry) error {
	if !c.sized(e.Key, idKeySize) {
		return nil
	}
	a, i := keyAccount(e.Key), keyID(e.Key, 3)
	p, err := c.recordOf(a, i, e.Value)
	if p == nil || err != nil {
		return err
	}
	c.recent, c.recentProfile = e.Key, p
	switch {
	case p.kind < kindVisitor || p.kind > kindAuthenticated:
		c.wrong("a profile of no known kind (%d)", p.kind)
		return nil
	case p.kind == kindVisitor && p.listed != 0:
		c.wrong("a visitor that stands in the list of persons")
	case p.kind == kindAuthenticated && !p.mergedInto.zero():
		c.wrong("a person who authenticated and was merged into another")
		return nil
	}
	switch {
	case p.erasing != 0:
		c.wrong("an erased profile that nobody removes")
		return nil
	case !p.mergedInto.zero():
		err = c.mergedProfile(p)
	case p.kind == kindVisitor:
		err = c.liveVisitor(p)
	default:
		err = c.person(p)
	}
	if err != nil || !p.mergedInto.zero() {
		return err
	}
	return c.family(p)
}

// recordOf is the record that stands under the key of a profile, or which the
// key leads to; nil when it can't be read, which is reported.
func (c *checker) recordOf(a Account, i id, value []byte) (*profile, error) {
	p, err := decodeProfile(a, i, value)
	if !c.decoded(err) {
		return nil, nil //nolint:nilnil // reported
	}
	if p.place.zero() {
		return p, nil
	}
	d, err := c.device(a, p.place)
	if err != nil {
		return nil, err
	}
	if d == nil || d.visitor == nil || d.visitor.id != i {
		c.wrong("a visitor whose record is not with device %s", p.place)
		return nil, nil //nolint:nilnil // reported
	}
	return d.visitor, nil
}

func (c *checker) liveVisitor(p *profile) error {
	d, err := c.device(p.account, p.device)
	if err != nil {
		return err
	}
	switch {
	case d == nil:
		c.wrong("a visitor without a device")
	case d.successor.zero() && (d.current() == nil || d.current().profile != p.id):
		c.wrong("the device of this visitor is somebody else's")
	}
	end := max(p.activity, p.created) + c.opts.VisitorTTL.Milliseconds()
	switch {
	case p.expiry == 0:
		c.wrong("a visitor that never expires")
		return nil
	case c.opts.VisitorTTL != 0 && p.expiry > end:
		c.wrong("a visitor that expires at %d, after its end %d", p.expiry, end)
	case c.opts.VisitorTTL != 0 && c.opts.Settled && end <= c.now:
		c.wrong("a visitor whose time is over was not deleted")
	}
	return c.must(queueKey(p.expiry, dueVisitor, idRef(p.account, p.id)), "a visitor whose deadline is not in the queue")
}

// person: listed where he belongs, and found by what he authenticated with.
func (c *checker) person(p *profile) error {
	state, at := byte(listedIdle), max(p.activity, p.created)
	if !p.open.id.zero() {
		state, at = listedLive, p.open.queued
	}
	if p.listed != state || p.listing != at {
		c.wrong("a person listed in state %d at %d who belongs into state %d at %d", p.listed, p.listing, state, at)
	}
	if err := c.must(listingKey(p.account, p.platformType(), p.listed, p.listing, p.id), "a person who is missing in the list"); err != nil {
		return err
	}
	if p.kind != kindAuthenticated {
		return nil
	}
	key := subjectKey(p.account, p.subjectType, p.subject)
	value, err := c.Get(key)
	if err != nil {
		return err
	}
	if at, err := decodeSubject(value); err != nil || at != p.id {
		c.wrong("an authenticated person whose subject leads elsewhere")
	}
	if err := c.must(referenceKey(p.account, p.id, tableSubject, key[3:]), "an authenticated person without the reference to the subject"); err != nil {
		return err
	}
	return c.indexed(p.account, p.id, subjectEntries(p))
}

// ofPerson says whether a profile is a person's, and reports it if not.
func (c *checker) ofPerson(a Account, i id) (*profile, error) {
	p, err := c.profile(a, i)
	if err != nil {
		return nil, err
	}
	if p == nil || p.kind == kindVisitor {
		c.wrong("it stands under no person")
		return nil, nil //nolint:nilnil // reported
	}
	return p, nil
}

// attributeEntry: a property of a person, in the index if it is searched.
func (c *checker) attributeEntry(e store.Entry) error {
	if len(e.Key) <= idKeySize {
		c.wrong("the key ends before the name of the property")
		return nil
	}
	a, i, name := keyAccount(e.Key), keyID(e.Key, 3), string(e.Key[idKeySize:])
	if !json.Valid(e.Value) {
		c.wrong("property %s is no JSON", name)
		return nil
	}
	if err := new(Person).take(name, e.Value); err != nil {
		c.wrong("property %s is not of its type", name)
		return nil //nolint:nilerr // reported
	}
	if p, err := c.ofPerson(a, i); p == nil || err != nil {
		return err
	}
	return c.indexed(a, i, attributeEntries(name, e.Value))
}

// itemEntry: an item of a list of a person.
func (c *checker) itemEntry(e store.Entry) error {
	const tail = 1 + 8 + 16
	if len(e.Key) <= idKeySize+tail || e.Key[len(e.Key)-tail] != 0 {
		c.wrong("the key of a list item is malformed")
		return nil
	}
	if !json.Valid(e.Value) || e.Value[0] != '{' {
		c.wrong("a list item that is no JSON object")
	}
	p, err := c.ofPerson(keyAccount(e.Key), keyID(e.Key, 3))
	if p != nil && !p.extras.may(extraItems) {
		c.wrong("a list item of which the person does not know")
	}
	return err
}

// linkEntry: persons are linked with each other.
func (c *checker) linkEntry(e store.Entry) error {
	if !c.sized(e.Key, idKeySize+16) || !c.decoded(decodeValue(e.Value, func(field) {})) {
		return nil
	}
	a, one, other := keyAccount(e.Key), keyID(e.Key, 3), lastID(e.Key)
	for _, i := range []id{other, one} {
		p, err := c.ofPerson(a, i)
		if p == nil || err != nil {
			return err
		}
		if !p.extras.may(extraLinks) {
			c.wrong("a link of which %s does not know", i)
		}
	}
	return c.must(pairKey(tableLink, a, other, one), "a link of which %s does not know", other)
}

// referenceEntry: what names a profile is there and names it.
func (c *checker) referenceEntry(e store.Entry) error {
	if len(e.Key) <= idKeySize+1 {
		c.wrong("the key of a reference is malformed")
		return nil
	}
	a, table := keyAccount(e.Key), e.Key[idKeySize]
	known, err := c.known(a, keyID(e.Key, 3))
	if err != nil {
		return err
	}
	if !known {
		c.wrong("a reference of no profile")
	}
	switch {
	case !refersToDevice(e.Key):
		return c.referredTo(a, table, e.Key[idKeySize+1:])
	case c.counted(e):
		return nil
	}
	return c.namingDevice(e)
}

func refersToDevice(key []byte) bool {
	return len(key) == idKeySize+1+16 && key[idKeySize] == tableDevice
}

func (c *checker) referredTo(a Account, table byte, rest []byte) error {
	target := append(accountKey(table, a, len(rest)), rest...)
	return c.must(target, "a reference to a %q that is not there", table)
}

// invalidationEntry: a session of a widget that was invalidated.
func (c *checker) invalidationEntry(e store.Entry) error {
	widget, sid, found := strings.Cut(string(e.Key[min(3, len(e.Key)):]), "\x00")
	if !found || widget == "" || sid == "" {
		c.wrong("the key of an invalidation is malformed")
	}
	v, err := decodeInvalidation(e.Value)
	if !c.decoded(err) || v.due == 0 {
		return nil
	}
	return c.must(invalidationDeadline(e.Key, v.due), "an invalidation that is never forgotten")
}

// dedupeEntry: a client id, or the window of a tab that was spilled.
func (c *checker) dedupeEntry(e store.Entry) error {
	if len(e.Key) <= 1+2+2+16 {
		c.wrong("the key ends before the client id")
		return nil
	}
	_, err := decodeSpill(e.Value)
	c.decoded(err)
	return nil
}
