package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

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
