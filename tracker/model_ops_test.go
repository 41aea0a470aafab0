package tracker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// sim is one random life of a site: its browsers, the service under test and
// the oracle. It is a pure function of its seed, so that a failure can be
// replayed as a prefix.
type sim struct {
	*world
	rng       *rand.Rand
	oracle    *oracle
	browsers  []*simBrowser
	calm      bool          // no call is late: sessions are known to the millisecond
	rare      bool          // people are erased, consent is withdrawn, and clocks are set
	odd       bool          // sites have cookies of their own, ask for consent, and clocks are set back
	stepped   int64         // by how much the clock was set back in all
	ahead     time.Duration // how far the machine's clock was set forward
	clock     *Clock
	serial    int
	step      int
	log       []string
	violation error
	restart   func(*sim) // a new service on the same store
}

func (s *sim) at() int64         { return s.now.UnixMilli() }
func (s *sim) chance(n int) bool { return s.rng.IntN(n) == 0 }

func (s *sim) note(format string, args ...any) {
	const kept = 60
	if s.log = append(s.log, fmt.Sprintf("%5d ", s.step)+fmt.Sprintf(format, args...)); len(s.log) > kept {
		s.log = s.log[1:]
	}
}

func (s *sim) fail(format string, args ...any) {
	if s.violation == nil {
		s.violation = fmt.Errorf(format, args...)
	}
}

func pick[T any](s *sim, from []T) T { return from[s.rng.IntN(len(from))] }

// operate does one random thing.
func (s *sim) operate() {
	s.step++
	b := pick(s, s.browsers)
	if len(b.tabs) == 0 {
		s.open(b)
		return
	}
	tab := pick(s, b.tabs)
	if s.rare && s.chance(30) {
		s.pickRare(b, tab)
		return
	}
	if s.odd && s.chance(8) {
		s.pickOdd(b, tab)
		return
	}
	for _, op := range []struct {
		weight int
		do     func()
	}{
		{30, func() { s.activities(b, tab) }},
		{12, func() { s.later(b, tab) }},
		{10, func() { s.flushSome(b, tab) }},
		{10, func() { s.again(b) }},
		{8, func() { s.open(b) }},
		{5, func() { s.chatStarts(b, tab) }},
		{8, func() { s.authenticates(b, tab) }},
		{3, func() { s.send(b, tab, s.chatCall(b, tab, chatEnded, nil)) }},
		{3, func() { s.invalidate() }},
		{2, func() { s.clear(b) }},
		{1, func() { s.closeBrowser(b) }},
		{5, func() { s.updates(b, tab) }},
		{3, func() { s.appends(b, tab) }},
		{1, func() { s.burst(b, tab) }},
		{6, func() { s.decides() }},
		{2, func() { s.trip(b, tab) }},
		{12, func() { s.timePasses(b) }},
		{1, func() { s.restart(s) }},
	} {
		if n := s.rng.IntN(110); n < op.weight {
			op.do()
			return
		}
	}
}

// send delivers calls, sometimes slowly, sometimes with the answer lost.
func (s *sim) send(b *simBrowser, tab *simTab, calls ...*oCall) {
	var slow int64
	if !s.calm && s.chance(8) {
		slow = s.rng.Int64N(20_000)
		s.now = s.now.Add(time.Duration(slow) * time.Millisecond)
	}
	s.deliver(b, tab, calls, slow, s.chance(15))
}

func (s *sim) open(b *simBrowser) {
	tab := s.newTab(b)
	page := s.makeActivity(b, tab)
	calls := []*oCall{s.make(b, tab, MethodInit, m{}), page}
	if s.oracle.asks && !s.chance(3) {
		calls = append([]*oCall{s.make(b, tab, MethodConsent, m{"granted": true})}, calls...)
	}
	s.send(b, tab, calls...)
}

func (s *sim) activities(b *simBrowser, tab *simTab) {
	var calls []*oCall
	for range 1 + s.rng.IntN(3) {
		calls = append(calls, s.makeActivity(b, tab))
	}
	s.send(b, tab, calls...)
}

// later makes a call that waits in its tab: the browser is offline.
func (s *sim) later(b *simBrowser, tab *simTab) {
	const most = 20 // the service knows 64 unanswered calls of a tab
	if s.calm {
		return
	}
	if n := len(tab.pending); n > 0 && (n >= most || tab.n-tab.pending[0].n > 2*most) {
		calls := tab.pending
		tab.pending = nil
		s.send(b, tab, calls...)
	}
	tab.pending = append(tab.pending, s.makeActivity(b, tab))
	if s.chance(8) { // and another when its session would just have ended
		s.now = s.now.Add(time.Duration(oSessionLasts) * time.Millisecond)
		tab.pending = append(tab.pending, s.makeActivity(b, tab))
	}
}

// flushSome sends some of what waits, in any order.
func (s *sim) flushSome(b *simBrowser, tab *simTab) {
	if len(tab.pending) == 0 {
		return
	}
	if s.chance(3) {
		s.rng.Shuffle(len(tab.pending), func(i, j int) { tab.pending[i], tab.pending[j] = tab.pending[j], tab.pending[i] })
	}
	n := 1 + s.rng.IntN(len(tab.pending))
	calls := tab.pending[:n:n]
	tab.pending = tab.pending[n:]
	s.send(b, tab, calls...)
}

// again repeats an older request as it was made, with the cookies of now (B26).
func (s *sim) again(b *simBrowser) {
	const bootHolds = 19 * oHour // behind that the SDK has begun anew
	if len(b.history) == 0 || (b.answered == 0 && s.at()-b.bootSince > bootHolds) {
		return
	}
	if token := s.oracle.tokens[b.device.value]; token.device != nil && token.since < token.device.rotated {
		return // its answer was lost: it may be another device from now on
	}
	old := pick(s, b.history)
	gone := &oRequest{}
	if s.oracle.follow(s.oracle.tokens[b.device.value].device, gone); gone.before != 0 && old.at >= gone.before {
		return // made since it was erased, and likewise
	}
	for _, c := range old.calls {
		if s.at()-old.at > 6*oDay || s.at()-min(c.at, c.at-b.skew) > 6*oDay || (s.calm && c.answer != 0) {
			return
		}
	}
	s.send(b, old.tab, old.calls...)
}

func (s *sim) chatCall(b *simBrowser, tab *simTab, state string, token *oToken) *oCall {
	params := m{"state": state}
	if token != nil {
		params["token"] = s.sign(token)
	}
	c := s.make(b, tab, MethodChat, params)
	c.state, c.token = state, token
	return c
}

// behind makes a call that waits for the answer to a chat call.
func (s *sim) behind(b *simBrowser, tab *simTab, chat *oCall) *oCall {
	c := s.makeActivity(b, tab)
	c.Epoch = tab.epoch + "+" + chat.ID
	return c
}

func (s *sim) chatChanges(b *simBrowser, tab *simTab, chat *oCall) {
	calls := []*oCall{chat}
	if s.chance(3) {
		calls = append(calls, s.behind(b, tab, chat))
	}
	if s.chance(3) && !s.calm {
		tab.pending = append(tab.pending, s.behind(b, tab, chat))
	}
	s.send(b, tab, calls...)
}

func (s *sim) chatStarts(b *simBrowser, tab *simTab) {
	s.chatChanges(b, tab, s.chatCall(b, tab, chatStarted, nil))
}

var simSubjects = []string{"email anna@one.example", "email bert@two.example", "msisdn 421905123450", "externalPersonId c-17"}

func (s *sim) authenticates(b *simBrowser, tab *simTab) {
	token := s.newToken()
	s.chatChanges(b, tab, s.chatCall(b, tab, pick(s, []string{chatAuthenticated, chatStarted}), token))
}

func (s *sim) newToken() *oToken {
	now := s.now.Unix() * 1000
	token := &oToken{
		subject: pick(s, simSubjects), sid: pick(s, []string{"", "sid-1", "sid-2"}), asLead: s.chance(2), issued: now, expires: now + oMinute,
	}
	if s.rare && token.sid != "" { // a session of the site is one person's
		token.sid += token.subject
	}
	return token
}

func (s *sim) sign(token *oToken) string {
	var kind, subject string
	_, _ = fmt.Sscan(token.subject, &kind, &subject)
	return s.token(kind, subject, withSID(token.sid), func(c jwt.MapClaims) {
		if token.sid == "" {
			delete(c, "sid")
		}
		if token.asLead {
			c["iss"] = leadsID
		}
	})
}

// invalidate: the site's back end ends the sessions of a sid, of one widget.
func (s *sim) invalidate() {
	sid := pick(s, []string{"sid-1", "sid-2"})
	if s.rare {
		sid += pick(s, simSubjects)
	}
	of := &oToken{sid: sid, asLead: s.chance(2)}
	widget := map[bool]string{false: widgetID, true: leadsID}[of.asLead]
	if err := s.service.InvalidateSession(context.Background(), DefaultAccount, widget, sid); err != nil {
		s.fail("invalidating: %v", err)
	}
	s.oracle.invalidated[of.session()] = s.at() + s.oracle.ahead
	s.note("%s invalidated at %s", of.session(), s.now.Format("02 15:04:05.000"))
}

// clear: somebody clears cookies, with or without the storage beside them.
func (s *sim) clear(b *simBrowser) {
	what := pick(s, []string{"all", "cookies", "device cookie"})
	s.note("%s clears %s", b.name, what)
	b.device, b.history = simCookie{}, nil
	if what != "device cookie" {
		b.chat, b.site = simCookie{}, simCookie{}
	}
	if what == "all" {
		b.tabs = nil
	}
	if what != "cookies" {
		s.newBoot(b)
	}
	for _, tab := range b.tabs {
		tab.pending = nil
		if what == "device cookie" {
			tab.epoch = "" // the pages are opened anew
		}
	}
}

// closeBrowser ends the cookies that end with it, and the pages.
func (s *sim) closeBrowser(b *simBrowser) {
	s.note("%s is closed", b.name)
	b.tabs = nil
	for _, cookie := range []*simCookie{&b.chat, &b.site} {
		if cookie.expires == 0 {
			*cookie = simCookie{}
		}
	}
}
