package tracker

import (
	"bytes"
	"maps"
	"slices"
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
	did, err := w.activities(member.homes, from, never)
	if err != nil {
		return err
	}
	for _, foreign := range slices.SortedFunc(maps.Keys(did), func(a, b id) int { return bytes.Compare(a[:], b[:]) }) {
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
