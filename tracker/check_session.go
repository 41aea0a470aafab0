package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// sessionEntry: a session of a profile, which does not overlap with the one
// before; a late one that goes on has its deadline.
func (c *checker) sessionEntry(e store.Entry) error {
	if !c.sized(e.Key, sessionKeyLen) {
		return nil
	}
	s, err := decodeSession(keyAccount(e.Key), e.Key, e.Value)
	if !c.decoded(err) {
		return nil
	}
	known, err := c.known(s.account, s.home)
	if err != nil {
		return err
	}
	if !known {
		c.wrong("a session of no profile")
		return nil
	}
	if s.end != 0 && s.end < s.last || s.last < s.start {
		c.wrong("session %s of %d to %d was last active at %d", s.id, s.start, s.end, s.last)
	}
	c.overlap(s)
	if !s.late || s.end != 0 {
		return nil
	}
	c.onTime(s.queued, s.due, "late session")
	return c.must(queueKey(s.queued, dueLate, lateRef(s)), "late session %s is not in the queue", s.id)
}

// overlap compares a session with the one of the same timeline before it.
func (c *checker) overlap(s *session) {
	if s.late || s.part != 0 {
		return
	}
	before := c.before
	c.before = s
	if before == nil || before.account != s.account || before.home != s.home || before.start >= s.start {
		return
	}
	if before.end == 0 || before.end > s.start {
		c.wrong("session %s goes on when %s begins", before.id, s.id)
	}
	if before.end > s.end && s.end != 0 {
		c.before = before
	}
}

// onTime holds a deadline against the end it stands for.
func (c *checker) onTime(queued, end int64, what string) {
	switch {
	case queued > end && queued > c.now:
		c.wrong("%s: in the queue for %d, after its end %d", what, queued, end)
	case c.opts.Settled && queued <= c.now:
		c.wrong("%s: due at %d, and not settled at %d", what, queued, c.now)
	}
}

// eventEntry: an event of a profile that can be read.
func (c *checker) eventEntry(e store.Entry) error {
	if !c.sized(e.Key, eventKeyLen) {
		return nil
	}
	ev, err := decodeEvent(e.Value)
	if !c.decoded(err) {
		return nil
	}
	known, err := c.known(keyAccount(e.Key), keyID(e.Key, 3))
	if err != nil {
		return err
	}
	switch {
	case !known:
		c.wrong("an event of no profile")
	case seqOf(e.Key) != seqFor(ev.definition):
		c.wrong("event %s stands in the place %d of its time", ev.definition, seqOf(e.Key))
	case ev.definition == schema.EventSessionEnded && ev.span == nil, ev.definition == schema.EventPersonMerged && ev.merge == nil:
		c.wrong("event %s does not say what it is about", ev.definition)
	case ev.definition == schema.EventPersonMerged:
		return c.toldMerge(e.Key, ev.merge)
	}
	return nil
}

func seqOf(key []byte) seq { return seq(key[27])<<8 | seq(key[28]) }

func seqFor(definition string) seq {
	switch definition {
	case schema.EventSessionStarted:
		return seqStarted
	case schema.EventSessionEnded:
		return seqEnded
	}
	return seqActivity
}

// mostSessions is how many sessions of one person are held against the events
// at a time. Whoever has more has his timeline read several times.
const mostSessions = 1 << 16

// family is a living profile with the visitors that were merged into it.
type family struct {
	homes    []*profile
	sessions map[id]*told // those that are looked at this time
	events   int          // events that belong into a session
	placed   int          // of them those whose session was found
	whole    bool         // all sessions are looked at at once
}

// told is a session and what its events say about it.
type told struct {
	*session
	holder         *profile // whose open session it is
	started, ended int
	began, ends    int64 // when start and end were recorded
	opened         bool  // an activity stands at its start
	count          uint64
	times, got     []int64 // of its activities: late sessions only, unless lifetimes are checked
}

// family holds the sessions of a person, or visitor, against the events of all
// timelines: each started once, before what opened it, ended once at its end,
// and counts what it has (B10–B13).
func (c *checker) family(root *profile) error {
	if root.kind == kindVisitor && root.expiry <= c.now && !c.opts.Settled {
		return nil // its deletion may have been interrupted half-way
	}
	f := &family{homes: []*profile{root}}
	for n := 0; n < len(f.homes); n++ { // an absorbed lead brings members of its own
		of := f.homes[n]
		err := c.each(prefixKeys(idKey(tableMember, of.account, of.id), checkPage), func(e store.Entry) error {
			p, err := c.profile(of.account, lastID(e.Key))
			if err == nil && p != nil && p.mergedInto == of.id {
				f.homes = append(f.homes, p)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, p := range f.homes {
		if err := c.openSession(f, p); err != nil {
			return err
		}
	}
	return c.familySessions(f)
}

// openSession: the session that a record says is open has a record as well, and
// a deadline.
func (c *checker) openSession(f *family, p *profile) error {
	open := p.open
	if open.id.zero() {
		return nil
	}
	if !slices.ContainsFunc(f.homes, func(home *profile) bool { return home.id == open.home }) {
		c.wrong("the open session of %s stands under %s, who has nothing to do with it", p.id, open.home)
	}
	key := sessionKey(p.account, open.home, open.start, open.id)
	s, err := look(c, key, func(value []byte) (*session, error) { return decodeSession(p.account, key, value) })
	if err != nil {
		return err
	}
	switch {
	case s == nil:
		c.wrong("the open session of %s has no record", p.id)
	case s.end != 0 || s.late:
		c.wrong("the open session of %s has ended", p.id)
	case open.bare && (s.utm != utm{} || s.part != 0):
		c.wrong("the record of the open session of %s holds more than its profile knows of", p.id)
	}
	if c.opts.SessionTimeout != 0 {
		c.onTime(open.queued, open.last+c.opts.SessionTimeout.Milliseconds(), "the open session of "+p.id.String())
	}
	return c.must(queueKey(open.queued, dueSession, idRef(p.account, p.id)), "the open session of %s is not in the queue", p.id)
}

// familySessions reads sessions, as many as are held at a time, and then what
// the events say about them.
func (c *checker) familySessions(f *family) error {
	f.sessions, f.whole = map[id]*told{}, true
	for _, home := range f.homes {
		err := c.each(prefixRange(idKey(tableSession, home.account, home.id), checkPage), func(e store.Entry) error {
			if len(f.sessions) == mostSessions {
				f.whole = false
				if err := c.familyEvents(f); err != nil {
					return err
				}
				clear(f.sessions)
			}
			s, err := decodeSession(home.account, e.Key, e.Value)
			if err != nil {
				return nil //nolint:nilerr // reported where it stands
			}
			if f.sessions[s.id] != nil {
				c.wrong("session %s has two records", s.id)
			}
			f.sessions[s.id] = &told{session: s}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := c.familyEvents(f); err != nil {
		return err
	}
	if !f.whole && f.placed != f.events {
		c.wrong("%d of %d events are in no session of theirs", f.events-f.placed, f.events)
	}
	return nil
}

// familyEvents lets all events tell about the sessions held at the moment.
func (c *checker) familyEvents(f *family) error {
	for _, p := range f.homes {
		if t := f.sessions[p.open.id]; t != nil && !p.open.id.zero() {
			if t.holder != nil {
				c.wrong("session %s is open in two profiles", t.id)
			}
			t.holder = p
		}
	}
	f.events = 0
	for _, home := range f.homes {
		err := c.each(prefixRange(idKey(tableEvent, home.account, home.id), checkPage), func(e store.Entry) error {
			ev, err := decodeEvent(e.Value)
			if err != nil || len(e.Key) != eventKeyLen || ev.definition == schema.EventPersonMerged {
				return nil //nolint:nilerr // reported where it stands
			}
			if _, at, _, err := parseEventKey(e.Key); err == nil && at < c.forgotten {
				return nil // its session may be gone already
			}
			f.events++
			if t := f.sessions[ev.session]; t != nil {
				f.placed++
				c.tell(t, e.Key, ev)
			} else if f.whole {
				c.wrong("an event %s of %s is in no session of theirs", ev.definition, home.id)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, t := range f.sessions {
		if err := c.judge(t); err != nil {
			return err
		}
	}
	return nil
}

// tell takes one event of a session into account.
func (c *checker) tell(t *told, key []byte, ev *event) {
	home, at, _, _ := parseEventKey(key) // its size was looked at
	switch ev.definition {
	case schema.EventSessionStarted:
		t.started++
		t.began = ev.received
		if at != t.start || home != t.home {
			c.wrong("session %s starts at %d and is said to start at %d", t.id, t.start, at)
		}
	case schema.EventSessionEnded:
		t.ended++
		t.ends = ev.received
		if at != t.end || ev.received < at || ev.span != nil && ev.span.last != t.last && !t.late {
			c.wrong("session %s ends at %d, is said to end at %d, and that was recorded at %d", t.id, t.end, at, ev.received)
		}
	default:
		t.opened = t.opened || at == t.start
		t.count++
		if t.end != 0 && at > t.end {
			c.wrong("an activity at %d is in session %s, which ended at %d", at, t.id, t.end)
		}
		if t.late || c.opts.SessionTimeout != 0 {
			t.times, t.got = append(t.times, at), append(t.got, ev.received)
		}
	}
}
