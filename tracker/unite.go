package tracker

import "slices"

// parts are the two parts of a divided session, the one that stays first,
// with who has them open and what was told of their ends.
type parts struct {
	session [2]*session
	holder  [2]*profile
	told    [2]ending
	sides   [2]side
}

// unite makes one session of every two parts that an undone merge left, now
// that it is redone: what was told of them in between is told once again, of
// the whole.
func (w *work) unite(m *merge, s sides) error {
	member, other, err := w.bothSides(s)
	if err != nil {
		return err
	}
	found, err := w.sessionsSince(member.homes, m.horizon(w.timeout))
	if err != nil {
		return err
	}
	for _, mine := range found {
		if mine.part == 0 {
			continue
		}
		theirs, err := w.sessionOf(other.homes, mine.id, mine.start)
		if err != nil {
			return err
		}
		if theirs == nil {
			continue
		}
		p := &parts{session: [2]*session{mine, theirs}, sides: [2]side{member, other}}
		if theirs.part < mine.part || theirs.part == mine.part && theirs.start < mine.start {
			p.session = [2]*session{theirs, mine}
		}
		if err := w.uniteOne(p); err != nil {
			return err
		}
	}
	return nil
}

// uniteOne puts the second part into the first.
func (w *work) uniteOne(p *parts) error {
	if err := w.recallParts(p); err != nil {
		return err
	}
	keep, drop := p.session[0], p.session[1]
	ends := max(keep.end, drop.end)
	if err := w.uncollect(keep); err != nil {
		return err
	}
	if err := w.forget(drop); err != nil {
		return err
	}
	w.sessions[keep.ref()] = keep
	latest := p.told[0]
	if drop.end > keep.end {
		latest = p.told[1]
	}
	collecting := keep.collecting() || drop.collecting()
	keep.last, keep.count = max(keep.last, drop.last), keep.count+drop.count
	if holder := p.open(); holder != nil {
		keep.end, keep.late = 0, false
		return w.hold(holder, keep, p)
	}
	keep.late = keep.late || drop.late
	if collecting {
		return w.collect(keep, max(keep.due, drop.due, keep.last+w.timeout))
	}
	if latest.key == nil {
		keep.end = ends
		return nil
	}
	did, err := w.activities(p.homes(), max(0, min(keep.start, drop.start)-w.timeout), ends+1)
	if err != nil {
		return err
	}
	all := w.shareOf(did[keep.id], latest.received)
	keep.last = all.last
	keep.end = keep.last + w.timeout
	if keep.late {
		keep.end = max(keep.last, min(keep.end, ends))
	}
	if keep.end > w.over {
		return w.collect(keep, keep.last+w.timeout)
	}
	return w.tell(latest.home, keep, all.told)
}

// recallParts finds out who has the parts open and what was told of their ends.
func (w *work) recallParts(p *parts) (err error) {
	for i, part := range p.session {
		if p.holder[i], err = w.heldBy(part); err != nil {
			return err
		}
		if h := p.holder[i]; h != nil {
			part.last, part.count = h.open.last, h.open.count
		}
		if p.told[i], err = w.recallEnd(part, p.homes()); err != nil {
			return err
		}
		if p.told[i].key == nil {
			continue
		}
		// Both may have ended at one moment: this one is not found again.
		if err := w.tx.Delete(p.told[i].key); err != nil {
			return err
		}
	}
	return nil
}

// homes are all timelines of both sides.
func (p *parts) homes() []id { return slices.Concat(p.sides[0].homes, p.sides[1].homes) }

// open is who has a part open, rather the owner than the member.
func (p *parts) open() *profile {
	if p.holder[0] == nil || p.holder[1] == p.sides[1].holder {
		return p.holder[1]
	}
	return p.holder[0]
}

// hold makes the united session the open one of a profile, and of no other.
func (w *work) hold(holder *profile, s *session, p *parts) error {
	for _, h := range p.holder {
		if h == nil || h == holder {
			continue
		}
		if err := w.closeQueue(h); err != nil {
			return err
		}
	}
	holder.open.home, holder.open.start, holder.open.last, holder.open.count = s.home, s.start, s.last, s.count
	holder.dirty = true
	return nil
}
