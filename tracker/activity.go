package tracker

import (
	"encoding/binary"
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
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

// knownSession finds the session an activity of p at t falls into: one that lasts
// at t, else one that starts less than the timeout later (B13).
func (w *work) knownSession(owner, p *profile, t int64) (*session, error) {
	timelines, err := w.timelines(owner, p)
	if err != nil {
		return nil, err
	}
	var within, next *session
	for _, home := range timelines {
		near, err := w.sessionsNear(owner, home, t)
		if err != nil {
			return nil, err
		}
		for _, s := range near {
			switch {
			case s.leftBehind(owner) && s.home != p.id && t > owner.activity: // only its clock ends it (B12)
			case s.start <= t && t < w.until(owner, s):
				if within == nil || s.start > within.start {
					within = s
				}
			case s.start > t && s.start-t < w.timeout:
				if next == nil || s.start < next.start {
					next = s
				}
			}
		}
	}
	if within != nil {
		return within, nil
	}
	return next, nil
}

// leftBehind says that a merge left the session with its visitor and it has
// not ended yet.
func (s *session) leftBehind(owner *profile) bool {
	return s.end == 0 && !s.late && !owner.holds(s)
}

// until is the end of a session, by the hot record where it is the open one.
func (w *work) until(owner *profile, s *session) int64 {
	if owner.holds(s) {
		return owner.open.last + w.timeout
	}
	return s.until(w.timeout)
}

// timelines are the owner's, those merged into it, the latest first, and that of
// p, which is one of them. The bound keeps a late call of a person with many
// devices from reading them all: an event is late by a day at most.
func (w *work) timelines(owner, p *profile) ([]id, error) {
	const most = 16
	if owner.kind == kindVisitor { // nobody is merged into a visitor
		return []id{owner.id}, nil
	}
	members, err := membersOf(w.tx, owner.account, owner.id, most)
	homes := append(make([]id, 0, 2+len(members)), owner.id)
	for _, m := range members {
		homes = append(homes, m.visitor)
	}
	if !slices.Contains(homes, p.id) {
		homes = append(homes, p.id)
	}
	return homes, err
}

// sessionsNear reads the sessions of one timeline around t: the last ones that
// start before it and the first after it, with those of this transaction.
func (w *work) sessionsNear(owner *profile, home id, t int64) ([]*session, error) {
	stored, err := w.storedNear(owner, home, t)
	if err != nil {
		return nil, err
	}
	near := make([]*session, 0, len(stored))
	for _, entry := range stored {
		_, _, i, err := parseSessionKey(entry.Key)
		if err != nil {
			return nil, err
		}
		if w.sessions[sessionRef{home, i}] != nil {
			continue
		}
		s, err := decodeSession(owner.account, entry.Key, entry.Value)
		if err != nil {
			return nil, err
		}
		if err := w.refresh(s); err != nil {
			return nil, err
		}
		near = append(near, s)
	}
	for _, s := range w.sessions {
		if s.home == home {
			near = append(near, s)
		}
	}
	return near, nil
}

// storedNear are the records of those sessions. An owner's own ones are all
// over once it was inactive for the timeout, and nothing needs to be read.
func (w *work) storedNear(owner *profile, home id, t int64) ([]store.Entry, error) {
	if home == owner.id && t >= owner.activity+w.timeout {
		return nil, nil
	}
	base := idKey(tableSession, owner.account, home)
	at := appendTime(slices.Clone(base), t+1)
	before, err := w.tx.Scan(store.Range{From: base, To: at, Reverse: true, Limit: 4})
	if err != nil {
		return nil, err
	}
	after, err := w.tx.Scan(store.Range{From: at, To: appendTime(slices.Clone(base), t+w.timeout), Limit: 1})
	return append(before, after...), err
}

// refresh gives an open session the last activity that the hot record of its
// timeline knows: one a merge left behind is still that visitor's (B12).
func (w *work) refresh(s *session) error {
	if s.end != 0 || s.late {
		return nil
	}
	holder, err := w.heldBy(s)
	if err == nil && holder != nil {
		s.last = holder.open.last
	}
	return err
}

// heldBy is the profile whose open session s is, nil when it is nobody's: that
// of its timeline, or one of those it became part of.
func (w *work) heldBy(s *session) (*profile, error) {
	for next := s.home; !next.zero(); {
		p, err := w.load(next)
		if err != nil || p == nil {
			return nil, err
		}
		if p.holds(s) {
			return p, nil
		}
		next = p.mergedInto
	}
	return nil, nil
}

// joinKnown adds an activity to a session that is known already. Recorded
// starts and ends do not move; a late session that is still being collected
// goes on (B13).
func (w *work) joinKnown(s *session, t int64) error {
	if s.end == 0 && !s.late { // the owner's, or one that a merge left with its visitor
		holder, err := w.heldBy(s)
		if err != nil || holder == nil {
			return err
		}
		holder.open.count++
		holder.dirty = true
		return nil
	}
	s.count++
	w.sessions[s.ref()] = s
	if s.late && s.end == 0 {
		s.last = max(s.last, t)
		s.due = max(s.due, millis(w.now)+w.timeout)
	}
	return nil
}

// startLate opens a back-dated session for events older than the last
// activity. It ends when no more of them came for the timeout.
func (w *work) startLate(p *profile, t int64, ev *event) (id, error) {
	due := millis(w.now) + w.timeout
	s := &session{
		account: p.account, home: p.id, start: t, last: t, count: 1, id: w.ids.id(), utm: ev.campaign(),
		late: true, due: due, queued: due,
	}
	w.sessions[s.ref()] = s
	if err := w.tx.Put(queueKey(due, dueLate, lateRef(s)), present); err != nil {
		return id{}, err
	}
	return s.id, w.announce(s)
}

// lateRef names a late session in the queue: its account and key without the table.
func lateRef(s *session) []byte { return s.key()[1:] }

// campaign is what a session takes from the page of the activity that opens it.
func (ev *event) campaign() utm { return utmOf(ev.address) }
