package tracker

import (
	"fmt"
	"time"
)

// pickOdd does one of the things that only some sites and machines do.
func (s *sim) pickOdd(b *simBrowser, tab *simTab) {
	switch s.rng.IntN(6) {
	case 0:
		b.site = simCookie{}
		s.note("%s loses the site's cookie", b.name)
	case 1:
		s.clockGoesBack()
	case 2:
		if s.oracle.asks {
			s.withdraws(b, tab)
		}
	default:
		s.siteSets(b)
	}
}

// siteSets: the site gives the browser a session cookie, which another one may
// have as well, or which is a token.
func (s *sim) siteSets(b *simBrowser) {
	s.serial++
	value := fmt.Sprintf("site-%018d", s.serial)
	switch s.rng.IntN(4) {
	case 0:
		if other := pick(s, s.browsers).site; other.at(s.at()) != "" {
			value = other.value
		}
	case 1:
		token := s.newToken()
		value = s.sign(token)
		s.oracle.signed[value] = token
		s.note("of %s %s, kept as a lead: %v", token.subject, token.sid, token.asLead)
	}
	b.site = simCookie{value: value}
	if s.chance(2) { // always before it may be forgotten that it has ended
		b.site.expires = s.at() + 100*oDay
	}
	s.note("%s has the site's cookie …%s", b.name, value[len(value)-6:])
}

// clockGoesBack: the server's clock was ahead and is set right, or another proxy
// answers from now on. The browsers' clocks do not change.
func (s *sim) clockGoesBack() {
	if s.calm || s.rare { // sessions are known to the millisecond, or the clocks are compared
		return
	}
	back := 1 + s.rng.Int64N(pick(s, []int64{oMinute / 2, 4 * oMinute, 5 * oHour}))
	const most = 20 * oHour // undoing a merge looks for shared sessions no further back than a day before it
	if s.stepped += back; s.stepped > most {
		return
	}
	s.now = s.now.Add(-time.Duration(back) * time.Millisecond)
	for _, b := range s.browsers {
		b.skew += back
		for _, by := range []*int64{&b.device.expires, &b.chat.expires, &b.site.expires, &b.answered} {
			if *by != 0 {
				*by -= back
			}
		}
		b.bootSince -= back
		for _, sent := range b.history {
			sent.at -= back
		}
	}
	s.note("the clock is set back by %d ms to %s", back, s.now.Format("01-02 15:04:05.000"))
	s.sweep() // which comes once a second, and knows by it where everybody is listed
}

// granted: the request begins with the visitor's consent.
func (r *oRequest) granted() bool {
	return r.calls[0].Method == MethodConsent && string(r.calls[0].Params) == `{"granted":true}`
}

// consented: something of the request may be kept (B30).
func (o *oracle) consented(r *oRequest) bool {
	if !o.asks || r.assumed || r.granted() {
		return true
	}
	d := o.follow(o.tokens[r.device].device, r)
	return d != nil && d.consent != 0
}
