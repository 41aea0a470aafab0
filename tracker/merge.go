package tracker

import "github.com/livechat-people/caddy-people-tracking/tracker/schema"

// merge is one recorded merge (B17).
type merge struct {
	id      id
	visitor id
	person  id
	at      int64
	reason  string
	request string
}

func (m *merge) fields(e *encoder) {
	e.id(1, m.id)
	e.id(2, m.visitor)
	e.id(3, m.person)
	e.int(4, m.at)
	e.string(5, m.reason)
	e.string(6, m.request)
}

func (m *merge) take(f field) {
	switch f.number {
	case 1:
		m.id = f.id()
	case 2:
		m.visitor = f.id()
	case 3:
		m.person = f.id()
	case 4:
		m.at = f.int()
	case 5:
		m.reason = f.string()
	case 6:
		m.request = f.string()
	}
}

func (m *merge) encode() []byte {
	e := newEncoder(96)
	m.fields(e)
	return e.b
}

func decodeMerge(value []byte) (*merge, error) {
	m := &merge{}
	return m, decodeValue(value, m.take)
}

// merge makes the visitor's timeline part of the person's, by a pointer: the
// same few writes for one event and for a hundred thousand (B17).
func (w *work) merge(visitor, person *profile, reason string) error {
	a := person.account
	m := &merge{id: w.ids.id(), visitor: visitor.id, person: person.id, at: millis(w.now), reason: reason, request: w.req.ID}
	visitor.mergedInto, visitor.mergePoint, visitor.dirty = person.id, w.lastPossible(), true
	if err := w.tx.Delete(queueKey(visitor.expiry, dueVisitor, idRef(a, visitor.id))); err != nil {
		return err
	}
	visitor.expiry = 0
	if err := w.moveSession(visitor, person); err != nil {
		return err
	}
	person.activity = max(person.activity, visitor.activity)
	person.dirty = true
	puts := []struct{ key, value []byte }{
		{memberKey(a, person.id, visitor.mergePoint, visitor.id), m.encode()},
		{idKey(tableMerge, a, m.id), m.encode()},
		{pairKey(tableMergeOf, a, person.id, m.id), present},
	}
	for _, put := range puts {
		if err := w.tx.Put(put.key, put.value); err != nil {
			return err
		}
	}
	entry := &event{definition: schema.EventPersonMerged, session: person.open.id, received: m.at, merge: m}
	return w.tx.Put(eventKey(a, person.id, w.moment, seqActivity, w.eventID()), entry.encode())
}

// lastPossible is a bound of the times a timeline merged now can ever hold:
// calls made before the merge, whatever the browser's clock says, and the ends
// of their sessions. Readers need no more than that to leave a member closed.
func (w *work) lastPossible() int64 { return millis(w.now.Add(lateLimit)) + w.timeout }

// moveSession hands the visitor's open session to the person. If the person
// has one already, the visitor's goes on by itself until its clock ends it (B12).
func (w *work) moveSession(visitor, person *profile) error {
	if visitor.open.id.zero() {
		return nil
	}
	for _, p := range []*profile{visitor, person} {
		if err := w.endOverdue(p); err != nil {
			return err
		}
	}
	if visitor.open.id.zero() || !person.open.id.zero() {
		return nil
	}
	open := visitor.open
	visitor.open = openSession{}
	if err := w.tx.Delete(queueKey(open.queued, dueSession, idRef(visitor.account, visitor.id))); err != nil {
		return err
	}
	person.open = open
	w.fresh[person.id] = w.fresh[visitor.id]
	return w.tx.Put(queueKey(open.queued, dueSession, idRef(person.account, person.id)), present)
}
