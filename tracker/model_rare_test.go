package tracker

import (
	"context"
	"slices"
	"time"
)

// pickRare does one of the things that do not happen every day.
func (s *sim) pickRare(b *simBrowser, tab *simTab) {
	switch s.rng.IntN(4) {
	case 0:
		s.withdraws(b, tab)
	case 1:
		s.clockIsWrong()
	default:
		s.erases()
	}
}

// setClock are the clocks of the machine: that of the wall can be set.
func (s *sim) setClock() (wall func() time.Time, monotonic func() time.Duration) {
	began := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	now := func() time.Time {
		if s.world == nil {
			return began
		}
		return s.now
	}
	return func() time.Time { return now().Add(s.ahead) }, func() time.Duration { return now().Sub(began) }
}

// clockIsWrong: the machine's clock is set forward for less than the hour after
// which it would be believed. Calls go on by the time of before, but for
// tokens; nothing expires (B36).
func (s *sim) clockIsWrong() {
	s.ahead = time.Duration(6+s.rng.Int64N(100_000)) * time.Minute
	s.oracle.ahead = s.ahead.Milliseconds()
	s.note("the clock is set forward by %s", s.ahead)
	for range 1 + s.rng.IntN(5) {
		b := pick(s, s.browsers)
		if len(b.tabs) == 0 || s.chance(3) {
			s.open(b)
		} else if tab := pick(s, b.tabs); s.chance(4) {
			s.authenticates(b, tab)
		} else {
			s.activities(b, tab)
		}
		s.now = s.now.Add(time.Duration(s.rng.Int64N(9*oMinute)) * time.Millisecond)
		s.sweep()
	}
	s.check()
	s.ahead, s.oracle.ahead = 0, 0
	s.clock.Accept()
	s.note("the clock is right again")
}

// erases somebody. What was erased is removed at once, or when the sweeper
// comes by.
func (s *sim) erases() {
	persons := slices.DeleteFunc(slices.Clone(s.oracle.profiles), func(p *oProfile) bool { return !p.person() || p.gone || p.actual.zero() })
	if len(persons) == 0 {
		return
	}
	s.sweep() // what is over by itself is over before
	p := pick(s, persons)
	s.note("%s is erased", p.name)
	if err := s.service.Erase(context.Background(), DefaultAccount, p.actual.String()); err != nil {
		s.fail("erasing %s: %v", p.name, err)
		return
	}
	s.oracle.erase(p, s.at())
	s.checkAnswers()
	if s.chance(2) {
		s.sweep()
	}
}

// withdraws: the SDK empties its queue and forgets what it knew.
func (s *sim) withdraws(b *simBrowser, tab *simTab) {
	call := s.make(b, tab, MethodConsent, m{"granted": false})
	s.send(b, tab, call)
	s.newBoot(b)
}

// erase: a person is hidden with all that is part of it, and its devices lead
// nowhere (B33).
func (o *oracle) erase(p *oProfile, now int64) {
	theirs := func(who *oProfile) bool { return who.root() == p }
	for _, who := range o.profiles {
		if !theirs(who) {
			continue
		}
		who.gone, who.erased = true, now
		for other := range who.links {
			delete(other.links, who)
		}
	}
	for _, d := range o.devices {
		if !d.dead && theirs(d.now().who) {
			d.dead, d.erased = true, now
		}
	}
	for subject, who := range o.subjects {
		if who == p {
			delete(o.subjects, subject)
		}
	}
	o.merges = slices.DeleteFunc(o.merges, func(m *oMerge) bool { return theirs(m.member) || theirs(m.into) })
}

// withdraw: the device is forgotten, and its visitor erased; a person stays
// (B30). A retired token that is not under way says nothing.
func (o *oracle) withdraw(r *oRequest) {
	of := o.tokens[r.device]
	d := o.follow(of.device, r)
	if d == nil {
		if of = o.boots["boot "+r.boot]; r.boot == "" {
			of = o.boots["token "+r.device]
		}
		d = o.follow(of.device, r)
	}
	if d == nil {
		return
	}
	decided := max(d.consent, d.notBefore)
	at := r.madeBy(decided, r.calls[0])
	if at < decided || of.since < d.rotated && !d.proved(r) && r.now-d.rotated > oMinute {
		return
	}
	if who := d.now().who; who.kind == kindVisitor && who.into == nil {
		o.erase(who, at)
	}
	d.dead, d.erased = true, at
	o.buried[d.cookie] = true
}

// finish: the sweeper removes what was erased, and forgets one day that it was.
func (o *oracle) finish(now int64) {
	for _, c := range o.begun {
		if c.who.erased != 0 && !c.who.removed {
			delete(o.invalidated, c.sid)
		}
	}
	for _, p := range o.profiles {
		p.removed = p.erased != 0
	}
	const remembered = 400 * oDay
	for _, d := range o.devices {
		switch {
		case d.erased == 0:
		case d.forgotten == 0:
			d.forgotten = now + remembered
		case d.forgotten <= now:
			d.erased = 0
		}
	}
}

// made is when a call was made, by its age.
func (r *oRequest) made(c *oCall) int64 { return min(r.now, r.now-(r.sent-c.at)) }

// madeBy is the same by a clock that may have been set back since something was
// noted by it (B36): then the age alone tells, and a minute of it is the way.
func (r *oRequest) madeBy(noted int64, c *oCall) int64 {
	if noted-r.now <= oMinute {
		return r.made(c)
	}
	return noted - max(0, r.now-r.made(c)-oMinute)
}

// allDropped says that every call is of before an erasure.
func (o *oracle) allDropped(r *oRequest) bool {
	return !slices.ContainsFunc(r.calls, func(c *oCall) bool { return r.madeBy(r.before, c) >= r.before })
}

func (o *oracle) begin(who *oProfile) *oChat {
	c := &oChat{who: who, sites: map[string]bool{}}
	o.begun = append(o.begun, c)
	return c
}
