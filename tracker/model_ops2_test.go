package tracker

import (
	"context"
	"strings"
	"time"
)

func (s *sim) updates(b *simBrowser, tab *simTab) {
	params := m{}
	var first *string
	switch s.rng.IntN(4) {
	case 0:
		params["firstName"] = nil
		first = new(string)
	case 1, 2:
		name := pick(s, []string{"Anna", "Bert", "Cleo Anna"})
		params["firstName"], first = name, &name
	}
	tag, email := "", ""
	if s.chance(3) {
		tag = pick(s, []string{"reading", "music"})
		params["tags"] = []string{tag}
	}
	if s.chance(3) {
		email = pick(s, []string{"x@one.example", "y@two.example"})
		params["contactInformation"] = m{"email": []m{{"address": email}}}
	}
	c := s.make(b, tab, MethodUpdatePerson, params)
	c.first, c.tag, c.email = first, tag, email
	s.send(b, tab, c)
}

func (s *sim) appends(b *simBrowser, tab *simTab) {
	s.send(b, tab, s.make(b, tab, MethodAppendToList, m{"attributeName": "category", "value": m{"name": "special"}}))
}

// burst lets one call be overtaken by the 63 behind it, the most that the SDK
// allows itself, and repeats it.
func (s *sim) burst(b *simBrowser, tab *simTab) {
	if s.calm || len(tab.pending) > 0 || !s.chance(3) {
		return
	}
	var calls []*oCall
	for len(calls) < 64 {
		c := s.makeActivity(b, tab)
		if !strings.HasPrefix(c.ID, tab.name) {
			continue
		}
		calls = append(calls, c)
	}
	s.send(b, tab, calls[1:]...)
	s.send(b, tab, calls[:1]...)
	s.send(b, tab, s.makeActivity(b, tab))
	s.send(b, tab, calls[:1]...)
}

// trip: a tab is offline for a while and another is used afterwards, so that
// what the first one made is late, and comes in parts (B13).
func (s *sim) trip(b *simBrowser, tab *simTab) {
	if s.calm || len(tab.pending) > 0 {
		return
	}
	s.now = s.now.Add(time.Duration(31+s.rng.Int64N(40)) * time.Minute)
	for range 1 + s.rng.IntN(4) {
		tab.pending = append(tab.pending, s.makeActivity(b, tab))
		s.now = s.now.Add(time.Duration(1+s.rng.Int64N(35)) * time.Minute)
	}
	s.now = s.now.Add(time.Duration(s.rng.Int64N(60)) * time.Minute)
	s.activities(b, s.newTab(b))
	for len(tab.pending) > 0 && s.violation == nil {
		s.flushSome(b, tab)
		s.now = s.now.Add(time.Duration(s.rng.Int64N(32)) * time.Minute)
		s.sweep()
	}
}

// timePasses by seconds or weeks, often to the very end of a session.
func (s *sim) timePasses(b *simBrowser) {
	var d time.Duration
	switch s.rng.IntN(12) {
	case 0, 1, 2:
		d = time.Duration(s.rng.Int64N(60_000)) * time.Millisecond
	case 3, 4, 5:
		d = time.Duration(s.rng.Int64N(45*oMinute)) * time.Millisecond
	case 6, 7:
		d = s.boundary(b)
	case 8, 9:
		d = time.Duration(s.rng.Int64N(30*oHour)) * time.Millisecond
	case 10:
		d = time.Duration(s.rng.Int64N(4*oDay)) * time.Millisecond
	default:
		d = time.Duration(s.rng.Int64N(50*oDay)) * time.Millisecond
	}
	s.now = s.now.Add(d)
	s.note("%s pass, it is %s", d, s.now.Format("01-02 15:04:05.000"))
	if s.rng.IntN(3) > 0 {
		s.sweep()
	}
}

// boundary is the time left until a session's end or a visitor's, give or
// take a millisecond.
func (s *sim) boundary(*simBrowser) time.Duration {
	d := pick(s, s.oracle.devices)
	end := d.now().who.seen() + oVisitorLasts
	if running := d.now().who.root().running; running != nil && s.chance(2) {
		end = running.last + oSessionLasts
	}
	left := end - s.at() - 1 + s.rng.Int64N(3) - 1
	if left <= 0 || left > 50*oDay {
		left = s.rng.Int64N(40 * oMinute)
	}
	return time.Duration(left) * time.Millisecond
}

func (s *sim) sweep() {
	s.note("the sweeper runs")
	if err := s.service.Sweep(context.Background()); err != nil {
		s.fail("sweep: %v", err)
	}
	s.oracle.swept(s.at())
	if s.ahead == 0 && s.chance(4) {
		s.checkSwept()
	}
}
