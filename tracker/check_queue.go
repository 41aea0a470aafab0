package tracker

import (
	"encoding/binary"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// queueEntry: a deadline is the one its record names, so that each thing that
// has one has exactly one.
func (c *checker) queueEntry(e store.Entry) error {
	deadline, kind, ref, err := parseQueueKey(e.Key)
	if !c.decoded(err) {
		return nil
	}
	if _, err := placeOf(e.Value); !c.decoded(err) {
		return nil
	}
	if e.Key[1] != shardOf(ref) {
		c.wrong("a deadline in a shard that is not its own")
	}
	a := Account(binary.BigEndian.Uint16(ref))
	want, known := queueRefs[kind]
	switch {
	case kind == dueInvalid:
		return c.invalidationDeadline(deadline, ref)
	case !known:
		c.wrong("a deadline of an unknown kind %q", kind)
		return nil
	case kind == dueGrave && len(ref) == 2+16+len(digest{}):
		return c.cookieGrave(a, deadline, ref)
	case len(ref) != want:
		c.wrong("the reference of a deadline of kind %q has %d bytes instead of %d", kind, len(ref), want)
		return nil
	}
	is, err := c.due(a, kind, ref)
	if err != nil {
		return err
	}
	if is == 0 || is != deadline {
		c.wrong("a deadline of kind %q at %d of which its record does not know", kind, deadline)
	}
	return nil
}

// queueRefs are the sizes of references by kind.
var queueRefs = map[byte]int{
	dueSession: 2 + 16, dueVisitor: 2 + 16, dueChat: 2 + 16,
	dueLate: sessionKeyLen - 1, dueGrave: 2 + 16 + 16,
	dueTomb: 2 + 1 + len(digest{}),
}

// due is the deadline by the record a queue entry names, 0 when there is none.
func (c *checker) due(a Account, kind byte, ref []byte) (int64, error) {
	i := keyID(ref, 2)
	switch kind {
	case dueSession, dueVisitor:
		p, err := c.profile(a, i)
		switch {
		case p == nil || err != nil:
			return 0, err
		case kind == dueVisitor && p.kind == kindVisitor && p.mergedInto.zero():
			return p.expiry, nil
		case kind == dueSession && !p.open.id.zero():
			return p.open.queued, nil
		}
	case dueLate:
		key := append([]byte{tableSession}, ref...)
		s, err := look(c, key, func(value []byte) (*session, error) { return decodeSession(a, key, value) })
		if s != nil && s.late && s.end == 0 {
			return s.queued, err
		}
		return 0, err
	case dueChat, dueGrave:
		return c.dueChat(a, kind, ref)
	case dueTomb:
		return c.dueTomb(a, ref)
	}
	return 0, nil
}

func (c *checker) dueChat(a Account, kind byte, ref []byte) (int64, error) {
	of, err := c.chat(a, keyID(ref, 2))
	switch {
	case of == nil || err != nil:
		return 0, err
	case kind == dueChat && of.ended == 0:
		return of.queued, nil
	case kind == dueGrave && of.ended != 0 && keyID(ref, 2+16) == of.id:
		c.graves++
		deadline, _, _, _ := parseQueueKey(c.key) // it was read before
		if deadline >= of.ended+tombstoneLife.Milliseconds() {
			return deadline, nil // not earlier than 400 days after; buried looks for the other bound
		}
	}
	return 0, nil
}

// invalidationDeadline: an invalidation is forgotten once.
func (c *checker) invalidationDeadline(deadline int64, ref []byte) error {
	v, err := look(c, append([]byte{tableInvalid}, ref...), func(value []byte) (*invalidation, error) {
		v, err := decodeInvalidation(value)
		return &v, err
	})
	if err == nil && (v == nil || v.due != deadline) {
		c.wrong("the deadline of an invalidation that does not know of it")
	}
	return err
}

// cookieGrave: an ended cookie value is forgotten once.
func (c *checker) cookieGrave(a Account, deadline int64, ref []byte) error {
	record, err := look(c, hashKey(tableCookie, a, digest(ref[2+16:])), decodeCookieRecord)
	if err != nil {
		return err
	}
	if record == nil || record.chat != keyID(ref, 2) || record.ended == 0 || deadline != record.ended+tombstoneLife.Milliseconds() {
		c.wrong("the grave of a cookie that does not lie in it")
	}
	return nil
}
