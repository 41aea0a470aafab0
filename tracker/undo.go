package tracker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// Decision is who wants a merge undone or redone, and why. It is kept with the
// merge for as long as that.
type Decision struct {
	By     string // the operator's name; at most 200 bytes are kept
	Reason string // in his words, may be empty; at most 500 bytes are kept
}

// ErrMergeChanged is returned for a merge that cannot be undone or redone any
// more: the profile was merged otherwise since.
var ErrMergeChanged = errors.New("tracker: the profile was merged otherwise since")

// reasonUndone links a lead that an undone merge made with the person it was
// part of.
const reasonUndone = "merge undone"

// UndoMerge makes the member of a merge a lead of its own, with its activity
// and the properties that came with it; what happened after the merge stays
// with the person (B18). A merge that is undone already is answered as it is.
// An id that names no merge, or one whose profiles are gone, answers
// ErrNotFound.
func (s *Service) UndoMerge(ctx context.Context, a Account, mergeID string, d Decision) (Merge, error) {
	return s.turnMerge(ctx, a, mergeID, turn{undone: true, by: d.By, reason: d.Reason})
}

// RedoMerge undoes UndoMerge: the member is part of the person again, as it
// was before. A merge that is not undone is answered as it is. Errors are
// those of UndoMerge, and ErrMergeChanged.
func (s *Service) RedoMerge(ctx context.Context, a Account, mergeID string, d Decision) (Merge, error) {
	return s.turnMerge(ctx, a, mergeID, turn{by: d.By, reason: d.Reason})
}

// The bounds of what is kept of decisions.
const (
	maxTurns  = 16
	maxBy     = 200
	maxReason = 500
)

func (s *Service) turnMerge(ctx context.Context, a Account, mergeID string, t turn) (merged Merge, err error) {
	i, ok := parseID(mergeID)
	if !ok {
		return Merge{}, ErrNotFound
	}
	account, ok := s.configOf(a)
	if !ok {
		return Merge{}, ErrUnknownAccount
	}
	ids, err := newIDSource(s.random)
	if err != nil {
		return Merge{}, err
	}
	now, err := s.moment(ctx)
	if err != nil {
		return Merge{}, err
	}
	t.at, t.by, t.reason = millis(now), cut(t.by, maxBy), cut(t.reason, maxReason)
	err = s.store.Update(ctx, func(tx store.Tx) error {
		ids.restart()
		w := newWork(s, tx, &Request{Account: a, ReceivedAt: now}, account, ids)
		m, err := w.decide(i, t)
		if err != nil {
			return err
		}
		merged = m.shown()
		return w.flush()
	})
	if errors.Is(err, errGone) {
		return Merge{}, ErrNotFound
	}
	return merged, err
}

// decide carries out one decision about a merge, unless it stands already.
func (w *work) decide(i id, t turn) (*merge, error) {
	key := idKey(tableMerge, w.req.Account, i)
	value, err := w.tx.Get(key)
	if err != nil {
		return nil, err
	}
	if len(value) == 0 {
		return nil, ErrNotFound
	}
	m, err := decodeMerge(value)
	if err != nil || m.undone() == t.undone {
		return m, err
	}
	sides, err := w.sidesOf(m)
	if err != nil {
		return nil, err
	}
	if t.undone {
		err = w.undo(m, sides)
	} else {
		err = w.redo(m, sides, t)
	}
	if err != nil {
		return nil, err
	}
	m.turns = append(m.turns, t)
	if len(m.turns) > maxTurns {
		m.turns = slices.Delete(m.turns, 0, len(m.turns)-maxTurns)
	}
	return m, w.tx.Put(key, m.encode())
}

// sides are the profiles of a merge: the member, the person it is merged into,
// and the owner of its session and activity, who is another one where the
// person was absorbed.
type sides struct{ member, person, owner *profile }

// sidesOf loads the guards of everything that a merge touches.
func (w *work) sidesOf(m *merge) (s sides, err error) {
	if s.member, err = w.load(m.visitor); err != nil {
		return s, err
	}
	if s.person, err = w.load(m.person); err != nil {
		return s, err
	}
	if s.member == nil || s.person == nil {
		return s, errGone
	}
	if s.owner, err = w.owner(s.person); err != nil {
		return s, err
	}
	for _, p := range []*profile{s.member, s.person, s.owner} {
		if p.erasing != 0 {
			return s, errGone
		}
		p.dirty = true
		if err := w.endOverdue(p); err != nil {
			return s, err
		}
	}
	return s, nil
}

// undo takes the member out of the person.
func (w *work) undo(m *merge, s sides) error {
	if s.member.mergedInto != m.person {
		return ErrMergeChanged
	}
	if err := w.divide(m, s); err != nil {
		return err
	}
	a := w.req.Account
	if err := w.tx.Delete(memberKey(a, m.person, s.member.mergePoint, m.visitor)); err != nil {
		return err
	}
	s.member.mergedInto, s.member.mergePoint, s.member.modified = id{}, 0, millis(w.now)
	if s.member.kind == kindVisitor {
		s.member.kind = kindLead
	}
	if m.lead && s.person.absorbed > 0 {
		s.person.absorbed--
	}
	for _, p := range []*profile{s.member, s.person, s.owner} {
		if err := w.recallActivity(p); err != nil {
			return err
		}
	}
	return w.putLink(m.person, m.visitor, personLink{reason: reasonUndone, at: millis(w.now), merge: m.id})
}

// redo makes the member part of the person again.
func (w *work) redo(m *merge, s sides, t turn) error {
	if !s.member.mergedInto.zero() {
		return ErrMergeChanged
	}
	if err := w.unite(m, s); err != nil {
		return err
	}
	if err := w.include(m, s.member, s.person, s.owner); err != nil {
		return err
	}
	a := w.req.Account
	return w.remove(pairKey(tableLink, a, m.person, m.visitor), pairKey(tableLink, a, m.visitor, m.person))
}

// recallActivity says when a profile was active last, by its own timeline and
// those that are still part of it. Where all of that is forgotten by now, it is
// what it was.
func (w *work) recallActivity(p *profile) error {
	last, err := w.lastActivity(p.id)
	if err != nil {
		return err
	}
	members, err := membersOf(w.tx, p.account, p.id, 0)
	if err != nil {
		return err
	}
	for _, m := range members {
		member, err := w.load(m.visitor)
		if err != nil {
			return err
		}
		if member != nil {
			last = max(last, member.activity)
		}
	}
	if last == 0 {
		v, err := readRetention(w.tx)
		if err != nil || p.activity < v.cutoff {
			return err
		}
	}
	p.activity = last
	return nil
}

// lastActivity is when something was last recorded in one timeline, 0 if
// nothing was.
func (w *work) lastActivity(timeline id) (int64, error) {
	prefix := idKey(tableEvent, w.req.Account, timeline)
	for entry, err := range store.Entries(w.tx, store.Range{From: prefix, To: prefixEnd(prefix), Reverse: true, Limit: 50}) {
		if err != nil {
			return 0, err
		}
		done, err := decodeActivity(entry)
		if err != nil {
			return 0, err
		}
		if done != nil {
			return done.at, nil
		}
	}
	return 0, nil
}

// activity is an entry of a timeline that somebody did, unlike the sessions
// and merges that follow from it.
type activity struct {
	session      id
	at, received int64
}

// decodeActivity is nil for an entry that is no activity.
func decodeActivity(entry store.Entry) (*activity, error) {
	_, at, _, err := parseEventKey(entry.Key)
	if err != nil {
		return nil, err
	}
	if entry.Key[28] != byte(seqActivity) {
		return nil, nil
	}
	ev, err := decodeEvent(entry.Value)
	if err != nil {
		return nil, fmt.Errorf("event at %d: %w", at, err)
	}
	if ev.definition == schema.EventPersonMerged {
		return nil, nil
	}
	return &activity{ev.session, at, ev.received}, nil
}
