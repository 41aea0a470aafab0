package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// judge holds a session against what all its events said.
func (c *checker) judge(t *told) error {
	if t.start < c.forgotten {
		return nil // what it tells of may be gone
	}
	if ended := map[bool]int{true: 1}[t.end != 0]; t.started != 1 || t.ended != ended || !t.opened {
		c.wrong("session %s was started %d times and ended %d times, opened by an activity: %v", t.id, t.started, t.ended, t.opened)
	}
	count := t.session.count
	switch open := t.end == 0 && !t.late; {
	case t.holder == nil && open:
		c.wrong("session %s goes on and is open in no profile", t.id)
	case t.holder != nil:
		count = t.holder.open.count
	}
	if count != t.count {
		c.wrong("session %s counts %d activities and has %d", t.id, count, t.count)
	}
	c.judgeEnd(t)
	c.judgeTimes(t)
	if t.late && t.end != 0 && t.part == 0 {
		return c.judgeCut(t)
	}
	return nil
}

// judgeEnd: a session ends the timeout after its last activity.
func (c *checker) judgeEnd(t *told) {
	timeout := c.opts.SessionTimeout.Milliseconds()
	switch {
	case timeout == 0 || t.end == 0:
	case !t.late && t.end != t.last+timeout:
		c.wrong("session %s ends at %d, its last activity was at %d", t.id, t.end, t.last)
	case t.late && t.end > t.last+timeout:
		c.wrong("late session %s ends at %d, its last activity was at %d", t.id, t.end, t.last)
	}
}

// judgeTimes looks at the activities of a session, in their order.
func (c *checker) judgeTimes(t *told) {
	last, timeout := t.start, c.opts.SessionTimeout.Milliseconds()
	for n, at := range t.times {
		if t.end != 0 && t.got[n] > t.ends {
			continue // joined what had ended
		}
		last = max(last, at)
		if timeout != 0 && t.late && t.part == 0 && t.end != 0 && t.got[n] > t.ends-timeout {
			c.wrong("late session %s ended at %d, %d ms after another of its events came", t.id, t.ends, t.ends-t.got[n])
		}
	}
	// Which of them came before its end is not known if the clock was set back.
	if t.late && t.last != last && (timeout != 0 || !slices.Contains(t.times, t.last)) {
		c.wrong("late session %s was last active at %d, recorded is %d", t.id, last, t.last)
	}
	if timeout == 0 {
		return
	}
	slices.Sort(t.times)
	until := t.end
	if t.holder != nil {
		until = t.holder.open.last + timeout
	} else if until == 0 {
		until = t.last + timeout
	}
	for n, at := range t.times {
		if at <= t.start-timeout || at > until {
			c.wrong("an activity at %d does not belong into session %s of %d to %d", at, t.id, t.start, until)
		}
		if n > 0 && at-t.times[n-1] >= timeout && t.part == 0 {
			c.wrong("session %s goes on over a pause of %d ms", t.id, at-t.times[n-1])
		}
	}
}

// judgeCut: a late session ends where the next of its timeline begins, as far
// as that had begun when it ended (B13).
func (c *checker) judgeCut(t *told) error {
	base := idKey(tableSession, t.account, t.home)
	r := store.Range{From: appendTime(slices.Clone(base), max(t.start, t.last)+1), To: appendTime(slices.Clone(base), t.end)}
	return c.each(r, func(e store.Entry) error {
		_, start, next, err := parseSessionKey(e.Key)
		if err != nil {
			return nil //nolint:nilerr // reported where it stands
		}
		began, err := c.began(t.account, t.home, start, next)
		if err == nil && began != 0 && began < t.ends {
			c.wrong("late session %s goes on at %d, when %s begins", t.id, t.end, next)
		}
		return err
	})
}

// began is when the start of a session was recorded, 0 when it was not.
func (c *checker) began(a Account, home id, start int64, session id) (at int64, err error) {
	low := eventKey(a, home, start, seqStarted, id{})
	high := eventKey(a, home, start, seqActivity, id{})
	err = c.each(store.Range{From: low, To: high}, func(e store.Entry) error {
		if ev, err := decodeEvent(e.Value); err == nil && ev.session == session {
			at = ev.received
		}
		return nil
	})
	return at, err
}
