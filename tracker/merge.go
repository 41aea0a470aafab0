package tracker

import "github.com/livechat-people/caddy-people-tracking/tracker/schema"

// merge is one recorded merge (B17), and what was decided about it since (B18).
type merge struct {
	id      id
	visitor id
	person  id
	at      int64
	reason  string
	request string
	lead    bool // the visitor was a lead already, and may have members itself
	turns   []turn
}

// turn is one time a merge was undone or redone.
type turn struct {
	undone bool
	at     int64
	by     string
	reason string
}

func (m *merge) undone() bool { return len(m.turns) > 0 && m.turns[len(m.turns)-1].undone }

func (m *merge) fields(e *encoder) {
	e.id(1, m.id)
	e.id(2, m.visitor)
	e.id(3, m.person)
	e.int(4, m.at)
	e.string(5, m.reason)
	e.string(6, m.request)
	e.bool(7, m.lead)
}

func (m *merge) take(f field) error {
	var err error
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
	case 7:
		m.lead = f.bool()
	case 8:
		var t turn
		t, err = decodeTurn(f.data)
		m.turns = append(m.turns, t)
	}
	return err
}

func (m *merge) encode() []byte {
	e := newEncoder(96)
	m.fields(e)
	for _, t := range m.turns {
		e.nested(8, t.encode)
	}
	return e.b
}

func (t turn) encode(e *encoder) {
	e.bool(1, t.undone)
	e.int(2, t.at)
	e.string(3, t.by)
	e.string(4, t.reason)
}

func decodeTurn(b []byte) (t turn, err error) {
	err = decodeFields(b, func(f field) {
		switch f.number {
		case 1:
			t.undone = f.bool()
		case 2:
			t.at = f.int()
		case 3:
			t.by = f.string()
		case 4:
			t.reason = f.string()
		}
	})
	return t, err
}

func decodeMerge(value []byte) (*merge, error) {
	m := &merge{}
	var inner error
	err := decodeValue(value, func(f field) { inner = firstError(inner, m.take(f)) })
	return m, firstError(err, inner)
}

// merge makes the timeline of a visitor, or of a lead that is absorbed, part of
// the person's, by a pointer: the same few writes for one event and for a
// hundred thousand (B17).
func (w *work) merge(visitor, person *profile, reason string) error {
	a := person.account
	m := &merge{
		id: w.ids.id(), visitor: visitor.id, person: person.id, at: millis(w.now), reason: reason, request: w.req.ID,
		lead: visitor.kind == kindLead,
	}
	if err := w.include(m, visitor, person, person); err != nil {
		return err
	}
	puts := []put{{idKey(tableMerge, a, m.id), m.encode()}, {pairKey(tableMergeOf, a, person.id, m.id), present}}
	for _, put := range puts {
		if err := w.tx.Put(put.key, put.value); err != nil {
			return err
		}
	}
	entry := &event{definition: schema.EventPersonMerged, session: person.open.id, received: m.at, merge: m}
	return w.tx.Put(eventKey(a, person.id, w.moment, seqActivity, w.eventID()), entry.encode())
}

// include sets the pointer of a merge: from now on the visitor is part of the
// person, whose session and activity are those of owner.
func (w *work) include(m *merge, visitor, person, owner *profile) error {
	a := visitor.account
	if visitor.expiry != 0 {
		if err := w.tx.Delete(queueKey(visitor.expiry, dueVisitor, idRef(a, visitor.id))); err != nil {
			return err
		}
		visitor.expiry = 0
	}
	if visitor.kind != kindVisitor {
		if err := w.unlist(visitor, visitor.platformType()); err != nil {
			return err
		}
	}
	if m.lead {
		person.absorbed++
	}
	visitor.mergedInto, visitor.mergePoint, visitor.dirty = person.id, w.lastPossible(), true
	if err := w.moveSession(visitor, owner); err != nil {
		return err
	}
	for _, p := range []*profile{person, owner} {
		p.activity, p.dirty = max(p.activity, visitor.activity), true
	}
	return w.tx.Put(memberKey(a, person.id, visitor.mergePoint, visitor.id), m.encode())
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
