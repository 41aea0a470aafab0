package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// told is what the events of a session say about it.
type told struct {
	started, ended int
	began, ends    int64 // when start and end were recorded
	opened         bool  // an activity stands at its start
	times, got     []int64
}

// walkSessions: started once, before what opened it; ended once at its end
// and never before (B10–B13).
func (k *walk) walkSessions() {
	about := map[id]*told{}
	for i := range k.sessions {
		about[i] = &told{}
	}
	for _, e := range k.events {
		if k.profiles[e.home] == nil {
			k.failf("event %s stands under no profile", e.label)
			continue
		}
		if e.definition == schema.EventPersonMerged {
			continue
		}
		s := k.sessions[e.session]
		if s == nil || k.root(s.home) != k.root(e.home) {
			k.failf("event %s %s is in a session of somebody else", e.definition, e.label)
			continue
		}
		k.tell(s, about[e.session], e)
	}
	k.walkCuts(about)
	for i, t := range about {
		k.walkSession(k.sessions[i], t)
		k.walkTimes(k.sessions[i], t)
	}
}

// tell takes one event of a session into account.
func (k *walk) tell(s *session, t *told, e walkEvent) {
	switch e.definition {
	case schema.EventSessionStarted:
		t.started++
		t.began = e.received
		if e.at != s.start || e.seq != 1 || e.home != s.home {
			k.failf("session %s starts at %d and is said to start at %d", s.id, s.start, e.at)
		}
	case schema.EventSessionEnded:
		t.ended++
		t.ends = e.received
		if e.at != s.end || e.received < e.at || e.seq != 0 || e.span.last != s.last && !s.late {
			k.failf("session %s ends at %d, is said to end at %d, and that was recorded at %d", s.id, s.end, e.at, e.received)
		}
	default:
		t.opened = t.opened || e.at == s.start
		t.times, t.got = append(t.times, e.at), append(t.got, e.received)
		end := s.end
		if end == 0 {
			end = k.open(s) + k.timeout
		}
		if e.seq != 2 || e.at <= s.start-k.timeout || e.at > end {
			k.failf("activity %s at %d does not belong into session %s of %d to %d", e.label, e.at, s.id, s.start, end)
		}
	}
}

// walkCuts: a late session ends where the next of its timeline begins (B13).
func (k *walk) walkCuts(about map[id]*told) {
	for i, s := range k.sessions {
		for j, next := range k.sessions {
			if s.late && s.end > next.start && next.home == s.home && next.start > s.start && s.last < next.start && about[j].began < about[i].ends {
				k.failf("late session %s goes on at %d, when %s begins", i, s.end, j)
			}
		}
	}
}

// walkTimes looks at the activities of one session.
func (k *walk) walkTimes(s *session, t *told) {
	last := s.start
	for n, at := range t.times {
		if s.end != 0 && t.got[n] > t.ends {
			continue // joined what had ended
		}
		last = max(last, at)
		if s.late && s.end != 0 && t.got[n] > t.ends-k.timeout {
			k.failf("late session %s ended at %d, %d ms after another of its events came", s.id, t.ends, t.ends-t.got[n])
		}
	}
	if s.late && s.last != last {
		k.failf("late session %s was last active at %d, recorded is %d", s.id, last, s.last)
	}
	slices.Sort(t.times)
	for n := 1; n < len(t.times); n++ {
		if t.times[n]-t.times[n-1] >= k.timeout {
			k.failf("session %s goes on over a pause of %d ms", s.id, t.times[n]-t.times[n-1])
		}
	}
}

// open is the last activity of a session that goes on.
func (k *walk) open(s *session) int64 {
	for _, p := range k.profiles {
		if p.open.id == s.id {
			return p.open.last
		}
	}
	return s.last
}

// walkSession looks at one record: who has it open, and what it counts.
func (k *walk) walkSession(s *session, t *told) {
	holders, count := 0, s.count
	if ended := map[bool]int{true: 1}[s.end != 0]; t.started != 1 || t.ended != ended || !t.opened {
		k.failf("session %s was started %d times and ended %d times, opened by an activity: %v", s.id, t.started, t.ended, t.opened)
	}
	for i, p := range k.profiles {
		if p.open.id != s.id {
			continue
		}
		holders++
		count = p.open.count
		if p.open.home != s.home || p.open.start != s.start || k.root(s.home) != k.root(i) {
			k.failf("session %s is held by a profile that has nothing to do with it", s.id)
		}
	}
	want := 0
	if s.end == 0 && !s.late {
		want = 1
	}
	switch {
	case holders != want:
		k.failf("session %s, ended %d, late %v, is open in %d profiles", s.id, s.end, s.late, holders)
	case int(count) != len(t.times): //nolint:gosec // a test's few activities
		k.failf("session %s counts %d activities and has %d", s.id, count, len(t.times))
	case s.end != 0 && !s.late && s.end != s.last+k.timeout:
		k.failf("session %s ends at %d, its last activity was at %d", s.id, s.end, s.last)
	case s.end != 0 && s.late && (s.end < s.last || s.end > s.last+k.timeout):
		k.failf("late session %s ends at %d, its last activity was at %d", s.id, s.end, s.last)
	}
	for _, other := range k.sessions {
		if other.home == s.home && !other.late && !s.late && other.start > s.start && (s.end == 0 || s.end > other.start) {
			k.failf("sessions %s and %s of one timeline overlap", s.id, other.id)
		}
	}
}
