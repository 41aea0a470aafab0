package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// A session may run through a merge: its record stands in one timeline, and
// activities of it in several. When the merge is undone, every such session is
// divided in two parts under its one id, one for each side, and each part
// begins, ends and counts by its own activities (B18). Activities are never
// moved or rewritten; what is told of sessions follows from them and is told
// anew.

// side is one of the two that a merge connects: its timelines, the one of them
// that takes its part of a session, and the profile that holds its open one.
type side struct {
	holder *profile
	homes  []id
	home   id
}

func (s side) has(home id) bool { return slices.Contains(s.homes, home) }

// bothSides are the member's timelines and all others of the person.
func (w *work) bothSides(s sides) (member, other side, err error) {
	if member, err = w.sideOf(s.member, side{}); err != nil {
		return member, other, err
	}
	other, err = w.sideOf(s.owner, member)
	// Not the owner: what the person shared is older than what absorbed it.
	member.home, other.home = s.member.id, s.person.id
	return member, other, err
}

// sideOf are the timelines of a profile but those of another side.
func (w *work) sideOf(p *profile, but side) (side, error) {
	s := side{holder: p, homes: []id{p.id}}
	members, err := membersOf(w.tx, p.account, p.id, 0)
	for _, m := range members {
		if !but.has(m.visitor) {
			s.homes = append(s.homes, m.visitor)
		}
	}
	return s, err
}

// horizon is before every session that both sides of a merge may share: what
// arrived after it, the first time that it was carried out, was at most a day old.
func (m *merge) horizon(timeout int64) int64 {
	return max(0, m.at-lateLimit.Milliseconds()-2*timeout)
}

// divide gives each side of a merge its part of the sessions they share.
func (w *work) divide(m *merge, s sides) error {
	member, other, err := w.bothSides(s)
	if err != nil {
		return err
	}
	horizon := m.horizon(w.timeout)
	shared, err := w.sessionsSince(member.homes, horizon)
	if err != nil {
		return err
	}
	from := horizon
	for _, found := range shared {
		from = min(from, max(0, found.start-w.timeout))
	}
	did, err := w.activities(member.homes, from, 1<<62)
	if err != nil {
		return err
	}
	for _, foreign := range sortedSessions(did) {
		if slices.ContainsFunc(shared, func(s *session) bool { return s.id == foreign }) {
			continue
		}
		found, err := w.sessionOf(other.homes, foreign, did[foreign][0].at)
		if err != nil {
			return err
		}
		if found != nil {
			shared = append(shared, found)
		}
	}
	for _, found := range shared {
		if err := w.divideOne(found, member, other, did[found.id]); err != nil {
			return err
		}
	}
	return nil
}

func sortedSessions(did map[id][]activity) []id {
	ids := make([]id, 0, len(did))
	for i := range did {
		ids = append(ids, i)
	}
	slices.SortFunc(ids, func(a, b id) int { return slices.Compare(a[:], b[:]) })
	return ids
}

// sessionsSince are the records of some timelines that last beyond a moment.
func (w *work) sessionsSince(homes []id, since int64) (found []*session, err error) {
	const page = 100
	for _, home := range homes {
		prefix := idKey(tableSession, w.req.Account, home)
		next := store.Range{From: prefix, To: prefixEnd(prefix), Reverse: true, Limit: page}
		for more := true; more; {
			entries, err := w.tx.Scan(next)
			if err != nil {
				return nil, err
			}
			more = false
			for _, entry := range entries {
				s, err := w.takeSession(entry)
				if err != nil {
					return nil, err
				}
				if s.end == 0 || s.end >= since {
					found, more = append(found, s), len(entries) == page
				}
				next.To = entry.Key
			}
		}
	}
	return found, nil
}

// takeSession reads a record into the transaction's own.
func (w *work) takeSession(entry store.Entry) (*session, error) {
	s, err := decodeSession(w.req.Account, entry.Key, entry.Value)
	if err != nil {
		return nil, err
	}
	if mine := w.sessions[s.ref()]; mine != nil {
		return mine, nil
	}
	return s, nil
}

// sessionOf finds the record of a session about a moment, wherever among some
// timelines it stands.
func (w *work) sessionOf(homes []id, session id, t int64) (*session, error) {
	about := 2 * lateLimit.Milliseconds()
	for _, home := range homes {
		base := idKey(tableSession, w.req.Account, home)
		next := store.Range{
			From: appendTime(slices.Clone(base), max(0, t-about)), To: appendTime(slices.Clone(base), t+about), Limit: store.MaxScan,
		}
		for {
			entries, err := w.tx.Scan(next)
			if err != nil {
				return nil, err
			}
			for _, entry := range entries {
				if lastID(entry.Key) == session {
					return w.takeSession(entry)
				}
			}
			if len(entries) < next.Limit {
				break
			}
			next.From = append(entries[len(entries)-1].Key, 0)
		}
	}
	return nil, nil
}

// activities are those of some timelines between two moments, by session.
func (w *work) activities(homes []id, from, to int64) (map[id][]activity, error) {
	did := map[id][]activity{}
	for _, home := range homes {
		base := idKey(tableEvent, w.req.Account, home)
		next := store.Range{From: appendTime(slices.Clone(base), from), To: appendTime(slices.Clone(base), to), Limit: store.MaxScan}
		for {
			entries, err := w.tx.Scan(next)
			if err != nil {
				return nil, err
			}
			for _, entry := range entries {
				a, err := decodeActivity(entry)
				if err != nil {
					return nil, err
				}
				if a != nil {
					did[a.session] = append(did[a.session], *a)
				}
			}
			if len(entries) < next.Limit {
				break
			}
			next.From = append(entries[len(entries)-1].Key, 0)
		}
	}
	return did, nil
}

// share is what one side has of a session.
type share struct {
	first, last int64
	count       uint64
	told        int64 // when its end was told, never if that is still to come
	times       []int64
}

// shareOf counts activities. Those that came when the end was told already move
// it no more, unless it was told before the share by itself would have ended,
// or the other side's activities were all that led up to them: whatever is in a
// session is within it.
func (w *work) shareOf(did []activity, told int64) share {
	out := share{told: told, count: uint64(len(did))}
	latest := int64(0)
	for n, a := range did {
		if n == 0 || a.at < out.first {
			out.first = a.at
		}
		latest = max(latest, a.at)
		out.times = append(out.times, a.at)
		if a.received <= told {
			out.last = max(out.last, a.at)
		}
	}
	if out.last = max(out.last, out.first); out.last+w.timeout > told || latest >= out.last+w.timeout {
		out.last, out.told = latest, never
	}
	return out
}

// divideOne divides one session, of which the member's side did some.
func (w *work) divideOne(s *session, member, other side, did []activity) error {
	c := division{work: w, session: s}
	var err error
	if c.holder, err = w.heldBy(s); err != nil {
		return err
	}
	if c.told, err = w.recallEnd(s, slices.Concat(member.homes, other.homes)); err != nil {
		return err
	}
	until := max(s.last, s.end) + 1
	if c.holder != nil {
		until = c.holder.open.last + w.timeout
	}
	rest, err := w.activities(other.homes, max(0, s.start-w.timeout), until)
	if err != nil {
		return err
	}
	c.here, c.there = party{member, w.shareOf(did, c.told.received)}, party{other, w.shareOf(rest[s.id], c.told.received)}
	if !member.has(s.home) {
		c.here, c.there = c.there, c.here
	}
	if c.whole() {
		return nil
	}
	return c.carryOut()
}

// ending is where and when the end of a session was told.
type ending struct {
	home     id
	key      []byte // of the event, nil while there is none
	received int64
}

// never is later than everything that was received.
const never = int64(1) << 62

// recallEnd finds what was told of the end of a session.
func (w *work) recallEnd(s *session, homes []id) (ending, error) {
	if s.end == 0 {
		return ending{received: never}, nil
	}
	for _, home := range homes {
		key, ev, err := w.recall(home, s.end, seqEnded, s.id)
		if err != nil {
			return ending{}, err
		}
		if key != nil {
			return ending{home, key, ev.received}, nil
		}
	}
	return ending{received: never}, nil
}

// recall finds what was told of a session in a timeline at a moment.
func (w *work) recall(home id, at int64, s seq, session id) ([]byte, *event, error) {
	base := appendTime(idKey(tableEvent, w.req.Account, home), at)
	entries, err := w.tx.Scan(store.Range{From: append(slices.Clone(base), 0, byte(s)), To: append(slices.Clone(base), 0, byte(s)+1), Limit: 50})
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		ev, err := decodeEvent(entry.Value)
		if err != nil {
			return nil, nil, err
		}
		if ev.session == session && (ev.definition == schema.EventSessionEnded || ev.definition == schema.EventSessionStarted) {
			return entry.Key, ev, nil
		}
	}
	return nil, nil, nil
}

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
