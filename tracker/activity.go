package tracker

import (
	"encoding/binary"

	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// record writes an activity into the timeline of p at time t, inside the
// activity session it belongs to (B10–B14). p may be merged: then the session
// is its person's, and the event stays p's.
func (w *work) record(p *profile, t int64, ev *event) error {
	owner, err := w.owner(p)
	if err != nil {
		return err
	}
	if err := w.endOverdue(owner); err != nil {
		return err
	}
	if ev.session, err = w.sessionFor(owner, p, t, ev); err != nil {
		return err
	}
	p.activity = max(p.activity, t)
	owner.activity = max(owner.activity, t)
	p.dirty, owner.dirty, w.active = true, true, true
	return w.tx.Put(eventKey(p.account, p.id, t, seqActivity, w.eventID()), ev.encode())
}

// eventID is an id whose order is the order of receipt: the server's clock,
// the place within the request, and random bits of the request.
func (w *work) eventID() (i id) {
	if w.sequence == 0 {
		w.random = w.ids.id()
	}
	b := binary.BigEndian.AppendUint64(i[:0], uint64(w.now.UnixNano())) //nolint:gosec // after 1970
	b = binary.BigEndian.AppendUint16(b, w.sequence)
	copy(i[len(b):], w.random[:])
	w.sequence++
	return i
}

// sessionFor finds or starts the session of an activity at t. The order of
// the questions is the order of B13.
func (w *work) sessionFor(owner, p *profile, t int64, ev *event) (id, error) {
	if open := &owner.open; !open.id.zero() {
		switch {
		case t >= open.last+w.timeout: // only within one request, see endOverdue
			if err := w.endOpen(owner); err != nil {
				return id{}, err
			}
		case t >= open.start:
			open.last = max(open.last, t)
			open.count++
			w.fresh[owner.id] = true
			return open.id, nil
		}
	}
	known, err := w.knownSession(owner, p, t)
	if err != nil {
		return id{}, err
	}
	if known != nil {
		return known.id, w.joinKnown(known, t)
	}
	if t > owner.activity {
		return w.start(owner, p, t, ev)
	}
	return w.startLate(p, t, ev)
}

// endOverdue ends the open session of a profile whose time is over, before
// anything else happens to it, so that a late sweeper changes nothing. A
// session that this very request started or carried on is spared: the calls of
// a browser that was offline arrive together and belong together.
func (w *work) endOverdue(p *profile) error {
	if p.open.id.zero() || w.fresh[p.id] || p.open.last+w.timeout > millis(w.now) {
		return nil
	}
	return w.endOpen(p)
}

// start opens a session, announced before the activity at the same time (B11).
func (w *work) start(owner, home *profile, t int64, ev *event) (id, error) {
	s := &session{account: owner.account, home: home.id, start: t, last: t, count: 1, id: w.ids.id(), utm: ev.campaign()}
	w.sessions[s.ref()] = s
	owner.open = openSession{id: s.id, home: home.id, start: t, last: t, count: 1, queued: t + w.timeout, bare: s.utm == utm{}}
	w.fresh[owner.id] = true
	if err := w.queueSession(owner); err != nil {
		return id{}, err
	}
	return s.id, w.announce(s)
}

// queueSession puts the end of the open session into the queue. One that is
// over already is due at once: the sweeper does not look back.
func (w *work) queueSession(owner *profile) error {
	owner.open.queued = max(owner.open.queued, millis(w.now))
	return w.tx.Put(queueKey(owner.open.queued, dueSession, idRef(owner.account, owner.id)), owner.whereabouts())
}

func (w *work) announce(s *session) error {
	started := &event{definition: schema.EventSessionStarted, session: s.id, received: millis(w.now), utm: &s.utm}
	return w.tx.Put(eventKey(s.account, s.home, s.start, seqStarted, w.eventID()), started.encode())
}

// endOpen records the end of a profile's open session, at the last activity
// plus the timeout.
func (w *work) endOpen(p *profile) error {
	open := p.open
	s, err := w.openRecord(p)
	if err != nil {
		return err
	}
	s.last, s.count, s.end = open.last, open.count, open.last+w.timeout
	p.open, p.dirty = openSession{}, true
	w.fresh[p.id] = false
	if err := w.tx.Delete(queueKey(open.queued, dueSession, idRef(p.account, p.id))); err != nil {
		return err
	}
	return w.conclude(p.id, s)
}

// conclude records Session ended in the timeline the session now belongs to.
func (w *work) conclude(home id, s *session) error {
	ended := &event{
		definition: schema.EventSessionEnded, session: s.id, received: millis(w.now),
		utm: &s.utm, span: &span{start: s.start, end: s.end, last: s.last},
	}
	return w.tx.Put(eventKey(s.account, home, s.end, seqEnded, w.eventID()), ended.encode())
}

// openRecord is the record of a profile's open session.
func (w *work) openRecord(p *profile) (*session, error) {
	ref := sessionRef{p.open.home, p.open.id}
	if w.sessions[ref] == nil && p.open.bare {
		w.sessions[ref] = &session{account: p.account, home: p.open.home, start: p.open.start, id: p.open.id}
	}
	return w.session(p.account, p.open.home, p.open.start, p.open.id)
}

// session is the record of a session that another record names.
func (w *work) session(a Account, home id, start int64, i id) (*session, error) {
	if s, ok := w.sessions[sessionRef{home, i}]; ok {
		return s, nil
	}
	key := sessionKey(a, home, start, i)
	value, err := w.tx.Get(key)
	if err != nil {
		return nil, err
	}
	if len(value) == 0 {
		return nil, errGone
	}
	s, err := decodeSession(a, key, value)
	if err != nil {
		return nil, err
	}
	w.sessions[s.ref()] = s
	return s, nil
}

// campaign is what a session takes from the page of the activity that opens it.
func (ev *event) campaign() utm { return utmOf(ev.address) }
