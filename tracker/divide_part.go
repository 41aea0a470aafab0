package tracker

import "slices"

// party is a side with its share of a session.
type party struct {
	side
	share
}

// division is one session that is being divided: its record stands on the side
// here.
type division struct {
	*work
	*session
	holder      *profile // of the session while it is open
	told        ending
	here, there party
}

// whole says that the session and all that is told of it is on one side.
func (c *division) whole() bool {
	return c.here.count > 0 && c.there.count == 0 &&
		(c.holder == nil || c.here.has(c.holder.id)) && (c.told.key == nil || c.here.has(c.told.home))
}

// carryOut gives each side its part.
func (c *division) carryOut() error {
	s, before := c.session, *c.session
	if c.holder != nil {
		if err := c.closeQueue(c.holder); err != nil {
			return err
		}
	}
	if c.told.key != nil {
		if err := c.tx.Delete(c.told.key); err != nil {
			return err
		}
	}
	part := func(otherwise uint64) uint64 {
		if c.here.count > 0 && c.there.count > 0 {
			return max(s.part, otherwise)
		}
		return s.part
	}
	if c.there.count > 0 {
		if err := c.remake(c.there, c.there.home, part(partTwin), before); err != nil {
			return err
		}
	}
	switch {
	case c.here.count == 0:
		return c.forget(s)
	case !slices.Contains(c.here.times, s.start): // the other side's activity opened it
		if err := c.forget(s); err != nil {
			return err
		}
		return c.remake(c.here, s.home, part(partFirst), before)
	}
	s.part = part(partFirst)
	return c.settle(s, c.here, before)
}

// remake gives a side's part a record of its own.
func (c *division) remake(p party, home id, part uint64, before session) error {
	made := &session{
		account: before.account, home: home, start: p.first, id: before.id, utm: before.utm,
		late: before.late, due: before.due, part: part,
	}
	if err := c.announce(made); err != nil {
		return err
	}
	return c.settle(made, p, before)
}

// settle lets a part go on as the whole did: ended, open, or late and being
// collected.
func (c *division) settle(part *session, p party, before session) error {
	part.last, part.count = p.last, p.count
	c.sessions[part.ref()] = part
	switch {
	case before.end != 0:
		part.end = part.last + c.timeout
		if part.late {
			part.end = max(part.last, min(part.end, before.end))
		}
		if part.end > c.over {
			return c.collect(part, part.last+c.timeout)
		}
		if c.told.key == nil {
			return nil
		}
		home := p.holder.id
		if p.has(c.told.home) {
			home = c.told.home
		}
		return c.tell(home, part, p.told)
	case c.holder == nil:
		return c.collect(part, before.due)
	}
	holder := p.holder
	if p.has(c.holder.id) {
		holder = c.holder
	}
	if !holder.open.id.zero() {
		return c.collect(part, part.last+c.timeout)
	}
	part.late = false
	holder.open = openSession{id: part.id, home: part.home, start: part.start, last: part.last, queued: part.last + c.timeout, count: part.count}
	holder.dirty = true
	if err := c.queueSession(holder); err != nil {
		return err
	}
	return c.endOverdue(holder)
}
