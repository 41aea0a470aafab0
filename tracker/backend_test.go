package tracker

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// report is the site's back end saying that the chat of this browser started.
func (b *browser) report(r ChatReport) string {
	b.t.Helper()
	r.Device = b.device
	sid, err := b.service.ReportChat(context.Background(), DefaultAccount, widgetID, r)
	require.NoError(b.t, err)
	return sid
}

func TestB9BackEndReportsAStartedChat(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	w.pass(time.Minute)
	sid := b.report(ChatReport{RequestID: "from the back end"})
	assert.NotEmpty(t, sid)
	assert.Empty(t, b.chat)
	w.pass(time.Minute)
	b.epoch = ""
	b.track("the browser's next call")
	person := b.person()
	assert.Equal(t, TypeLead, person.Type)
	assert.NotEmpty(t, b.chat, "gets its cookie")
	assert.Equal(t, []string{"sessionStarted", "pageView", "personMerged", "action"}, definitions(w.timeline(person.ID)))
	merges, err := w.service.Merges(context.Background(), DefaultAccount, person.ID)
	require.NoError(t, err)
	require.Len(t, merges, 1)
	assert.Equal(t, "from the back end", merges[0].RequestID)

	assert.Equal(t, sid, b.report(ChatReport{}), "reported again: the same session")
	w.pass(2 * underWay)
	b.track("still the lead")
	assert.Equal(t, person.ID, b.person().ID)

	require.NoError(t, w.service.InvalidateSession(context.Background(), DefaultAccount, widgetID, sid))
	b.epoch = ""
	b.open()
	assert.Equal(t, kindVisitor, b.profile().kind, "the sid invalidates it")
}

func TestB9BackEndReportsAnAuthentication(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	lead, planted := b.person().ID, b.chat
	assert.Equal(t, "site-7", b.report(ChatReport{Token: w.token("email", "anna@example.com"), SID: "site-7"}))
	w.pass(time.Minute)
	b.epoch = ""
	b.track("as anna")
	assert.Equal(t, "anna@example.com", b.person().Subject)
	assert.NotEqual(t, lead, b.person().ID)
	assert.NotEqual(t, planted, b.chat, "not the cookie of before")
}

func TestB9BackEndReportsRefused(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	before := w.keys()
	for name, c := range map[string]struct {
		widget string
		report ChatReport
		want   error
	}{
		"unknown widget":          {"11111111-2222-3333-4444-555555555555", ChatReport{Device: b.device}, ErrNotFound},
		"unknown device":          {widgetID, ChatReport{Device: "00000000000000000000000000000000"}, ErrNotFound},
		"no device":               {widgetID, ChatReport{}, ErrNotFound},
		"long sid":                {widgetID, ChatReport{Device: b.device, SID: strings.Repeat("x", 51)}, ErrBadSessionID},
		"wrong token":             {widgetID, ChatReport{Device: b.device, Token: "a.b.c"}, ErrBadToken},
		"token of another widget": {widgetID, ChatReport{Device: b.device, Token: w.token("email", "a@example.com", fromWidget(leadsID))}, ErrBadToken},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.service.ReportChat(context.Background(), DefaultAccount, c.widget, c.report)
			require.ErrorIs(t, err, c.want)
			assert.Equal(t, before, w.keys())
		})
	}
	require.ErrorIs(t, w.service.InvalidateSession(context.Background(), DefaultAccount, widgetID, strings.Repeat("x", 51)), ErrBadSessionID)
	require.ErrorIs(t, w.service.InvalidateSession(context.Background(), DefaultAccount, "nobody's", "s"), ErrNotFound)
}

// A cookie that was replaced stands for nothing after a minute: somebody who
// planted his own in another's browser must not have it become himself.
func TestB9BackEndReportsAReplacedCookie(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	planted := b.device
	b.authenticate(w.token("email", "anna@example.com"))
	w.pass(2 * underWay)
	_, err := w.service.ReportChat(t.Context(), DefaultAccount, widgetID, ChatReport{Device: planted, Token: w.token("email", "mallory@example.com")})
	require.ErrorIs(t, err, ErrNotFound)
	b.track("still anna's")
	assert.Equal(t, "anna@example.com", b.person().Subject)
}

// A sid is invalidated by the clock of those who sign tokens, which may be ahead
// of the earliest one; what is reported under it afterwards is of afterwards.
func TestB9BackEndReportsAgainWhatItInvalidated(t *testing.T) {
	wall, monotonic := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), time.Duration(0)
	clock := NewClock(func() time.Time { return wall }, func() time.Duration { return monotonic })
	w := newWorld(t, func(c *Config) { c.Clock = clock })
	pass := func(d time.Duration) {
		wall, monotonic = wall.Add(d), monotonic+d
		w.now = clock.Now()
	}
	b := w.browser("anna")
	pass(time.Second)
	b.open()
	wall = wall.Add(3 * time.Minute) // set forward, which nobody doubts
	b.report(ChatReport{SID: "s-1"})
	require.NoError(t, w.service.InvalidateSession(t.Context(), DefaultAccount, widgetID, "s-1"))
	for _, want := range []kind{kindVisitor, kindLead} {
		pass(time.Minute)
		b.epoch = ""
		b.open()
		assert.Equal(t, want, b.profile().kind)
		b.report(ChatReport{SID: "s-1"})
	}
}

// The platform counts characters, as the check of tokens does: what a token may
// name can be reported and invalidated.
func TestB4SessionIDOfFiftyCharacters(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	ctx, longest := context.Background(), strings.Repeat("é", 50)
	sid, err := w.service.ReportChat(ctx, DefaultAccount, widgetID, ChatReport{Device: b.device, SID: longest})
	require.NoError(t, err)
	assert.Equal(t, longest, sid)
	require.NoError(t, w.service.InvalidateSession(ctx, DefaultAccount, widgetID, longest))
	require.ErrorIs(t, w.service.InvalidateSession(ctx, DefaultAccount, widgetID, longest+"x"), ErrBadSessionID)
	require.ErrorIs(t, w.service.InvalidateSession(ctx, DefaultAccount, widgetID, "\xff"), ErrBadSessionID)
}
