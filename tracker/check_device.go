package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// tokenEntry: a cookie leads to a device that was given it.
func (c *checker) tokenEntry(e store.Entry) error {
	return c.leadsToDevice(e, tokensOf)
}

func tokensOf(d *device) []digest { return d.tokens }

// bootEntry: a boot leads to a device that was made by it, or that it came with.
func (c *checker) bootEntry(e store.Entry) error {
	return c.leadsToDevice(e, func(d *device) []digest { return d.boots })
}

func (c *checker) leadsToDevice(e store.Entry, known func(*device) []digest) error {
	if !c.sized(e.Key, 3+len(digest{})) {
		return nil
	}
	i, _, err := decodeDeviceReference(e.Value)
	if !c.decoded(err) {
		return nil
	}
	if t, err := decodeTombstone(e.Value); err == nil && t.at != 0 && i.zero() {
		return c.tomb(e, t)
	}
	if e.Key[0] == tableToken && c.counted(e) {
		return nil
	}
	return c.knows(e, i, known)
}

// knows: a device knows the cookie or boot that leads to it.
func (c *checker) knows(e store.Entry, i id, known func(*device) []digest) error {
	d, err := c.device(keyAccount(e.Key), i)
	if err != nil {
		return err
	}
	switch {
	case d == nil:
		c.wrong("it leads to device %s, which is not there", i)
	case !slices.Contains(known(d), digest(e.Key[3:])):
		c.wrong("it leads to device %s, which does not know it", i)
	}
	return nil
}

// deviceEntry: a browser, its cookies, and who it is and was.
func (c *checker) deviceEntry(e store.Entry) error {
	if !c.sized(e.Key, idKeySize) {
		return nil
	}
	a, i := keyAccount(e.Key), keyID(e.Key, 3)
	d, err := decodeDevice(a, i, e.Value)
	if !c.decoded(err) {
		return nil
	}
	if err := c.cookies(d); err != nil {
		return err
	}
	if err := c.holds(d); err != nil {
		return err
	}
	c.epochs(d)
	if err := c.referenced(d); err != nil {
		return err
	}
	current := d.current()
	if current == nil {
		c.wrong("a device that never was anybody's")
		return nil
	}
	p, err := c.profile(a, current.profile)
	if err != nil {
		return err
	}
	if p == nil {
		c.wrong("a device whose profile %s is not there", current.profile)
		return nil
	}
	if !d.successor.zero() {
		return c.successor(d, p)
	}
	return c.bound(d, p)
}

// cookies lead back to the device that was given them.
func (c *checker) cookies(d *device) error {
	for n, token := range d.tokens {
		if slices.Contains(d.tokens[:n], token) {
			continue
		}
		value, err := c.Get(hashKey(tableToken, d.account, token))
		if err != nil {
			return err
		}
		if len(value) == 0 {
			c.wrong("a device one of whose cookies leads nowhere")
		} else if i, _, err := decodeDeviceReference(value); err == nil && i == d.id {
			c.found(tableToken)
		}
	}
	return nil
}

// referenced: whoever a device was refers to it.
func (c *checker) referenced(d *device) error {
	for n, ep := range d.epochs {
		if slices.ContainsFunc(d.epochs[:n], func(before epoch) bool { return before.profile == ep.profile }) {
			continue
		}
		p, err := c.profile(d.account, ep.profile)
		if err != nil {
			return err
		}
		if p == nil {
			continue // expired or erased since
		}
		if err := c.must(referenceKey(d.account, ep.profile, tableDevice, d.id[:]), "a device that is not referenced by profile %s", ep.profile); err != nil {
			return err
		}
		c.found(tableReference)
	}
	return nil
}

// holds: the record of a visitor within a device's is of who the device is, and
// found from the visitor's key.
func (c *checker) holds(d *device) error {
	if d.visitor == nil {
		return nil
	}
	if !d.visitor.standsWith(d) {
		c.wrong("a device with the record of a visitor it is not")
	}
	value, err := c.Get(idKey(tableProfile, d.account, d.visitor.id))
	if err != nil {
		return err
	}
	if place, err := placeOf(value); err != nil || place != d.id {
		c.wrong("a device with the record of a visitor who stands elsewhere")
	}
	return nil
}

// epochs follow each other without a gap, and only the last goes on.
func (c *checker) epochs(d *device) {
	for n, ep := range d.epochs {
		if last := n == len(d.epochs)-1; last != (ep.to == 0) || (!last && d.epochs[n+1].from != ep.to) {
			c.wrong("a device whose epochs leave a gap")
		}
	}
}

// successor: a device that was replaced leads to one that is there, until both
// are deleted.
func (c *checker) successor(d *device, p *profile) error {
	next, err := c.device(d.account, d.successor)
	if err == nil && next == nil && !p.mergedInto.zero() {
		c.wrong("a device that leads to %s, which is not there", d.successor)
	}
	return err
}

// bound: a person's device is in a Live Chat session, of that person unless
// another device authenticated it, and a visitor's in none.
func (c *checker) bound(d *device, p *profile) error {
	if p.kind == kindVisitor {
		switch {
		case !d.chat.zero():
			c.wrong("a visitor's device in a Live Chat session")
		case p.mergedInto.zero() && p.device != d.id:
			c.wrong("a device whose visitor has another")
		case !p.mergedInto.zero():
			c.wrong("a device whose visitor was merged")
		}
		return nil
	}
	bound, err := c.chat(d.account, d.chat)
	if err != nil {
		return err
	}
	missing := d.chat.zero()
	if bound == nil && !missing && d.seen > c.now-tombstoneLife.Milliseconds() {
		if missing, err = c.lostSession(d); err != nil {
			return err
		}
	}
	switch {
	case missing:
		c.wrong("a person's device without a Live Chat session")
	case bound != nil && bound.ended == 0 && bound.profile != p.id && !bound.auth:
		c.wrong("a device in the Live Chat session of somebody else")
	}
	return nil
}

// lostSession says that the session of a device is not there, and did not go
// with somebody else who shared it and was erased: that ends its cookies.
func (c *checker) lostSession(d *device) (bool, error) {
	if d.chatHash == (digest{}) {
		return false, nil // the browser was given none yet
	}
	record, err := look(c, hashKey(tableCookie, d.account, d.chatHash), func(value []byte) (*cookieRecord, error) {
		record, err := decodeCookie(value)
		return &record, err
	})
	return record == nil || record.ended == 0, err
}
