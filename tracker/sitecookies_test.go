package tracker

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// showing sends an activity with site cookies as they are, in any number.
func (b *browser) showing(cookies ...SiteCookie) Result {
	b.t.Helper()
	req := b.request(b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "x"}}))
	req.SiteCookies, req.SiteCookieNames = cookies, []string{"one", "two"}
	return b.send(req).Results[0]
}

// A browser is in one session, however many cookies the operator has named: with
// each cookie followed where it leads, every request would change sides.
func TestB3SeveralSiteCookiesAreOneSession(t *testing.T) {
	one, other := SiteCookie{"one", "value-one-0123456789abcdef"}, SiteCookie{"two", "value-two-0123456789abcdef"}
	w := newWorld(t)
	token := SiteCookie{"two", w.token("email", "anna@example.com")}
	for name, tt := range map[string]struct {
		cookies          []SiteCookie
		persons, devices int
		subject          string
	}{
		"two names":                   {[]SiteCookie{one, other}, 1, 1, ""},
		"two values of one name":      {[]SiteCookie{one, {"one", other.Value}}, 0, 1, ""},
		"the same value twice":        {[]SiteCookie{one, one}, 1, 1, ""},
		"one unusable, one not":       {[]SiteCookie{{"one", "short"}, other}, 1, 1, ""},
		"a session, and who it is of": {[]SiteCookie{one, token}, 2, 1, "anna@example.com"},
		"likewise, but the token is read first": {
			[]SiteCookie{{"one", token.Value}, other}, 1, 1, "anna@example.com",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			for range 4 {
				require.Nil(t, b.showing(tt.cookies...).Err)
				w.now = w.now.Add(time.Minute)
			}
			assert.Len(t, w.persons(), tt.persons)
			assert.Len(t, ofTable(w, tableDevice), tt.devices)
			assert.Len(t, ofTable(w, tableMerge), min(1, tt.persons), "the visitor of the first request, and no others")
			if tt.subject != "" {
				assert.Equal(t, tt.subject, b.person().Subject)
			}
		})
	}
}

// Two cookies that once began two sessions, on two browsers, meet on a third.
func TestB3SiteCookiesOfTwoSessions(t *testing.T) {
	one, other := SiteCookie{"one", "value-one-0123456789abcdef"}, SiteCookie{"two", "value-two-0123456789abcdef"}
	w := newWorld(t)
	desk, phone, third := w.browser("desk"), w.browser("phone"), w.browser("third")
	desk.showing(one)
	phone.showing(other)
	for range 3 {
		require.Nil(t, third.showing(one, other).Err)
		assert.Equal(t, desk.person().ID, third.person().ID)
	}
	assert.Len(t, ofTable(w, tableMerge), 3)
}

func TestB4InvalidatedTokenInTheSitesCookie(t *testing.T) {
	w := newWorld(t)
	token := w.token("email", "anna@example.com", withSID("s-1"))
	require.NoError(t, w.service.InvalidateSession(t.Context(), DefaultAccount, widgetID, "s-1"))
	b := w.browser("anna").with(token)
	result := b.do(MethodInit, m{})
	require.Nil(t, result.Err)
	if assert.Len(t, result.Warnings, 1) {
		assert.Equal(t, "invalid_token_cookie", result.Warnings[0].Code)
	}
	assert.Equal(t, kindVisitor, b.profile().kind)
}

// A site's cookie that stays the same while users of one browser follow each
// other must not give the second one's activity to the first.
func TestB6AnotherSubjectUnderTheSameSiteCookie(t *testing.T) {
	w := newWorld(t)
	b, shared := w.browser("anna").with(siteCookieValue), w.browser("phone").with(siteCookieValue)
	b.open()
	shared.open()
	b.authenticate(w.token("email", "anna@example.com"))
	w.pass(time.Minute)
	b.authenticate(w.token("email", "bert@example.com"))
	w.pass(time.Minute)
	b.track("bert's")
	assert.Equal(t, "bert@example.com", b.person().Subject)
	w.checkCookies()

	shared.epoch = ""
	shared.open()
	assert.Equal(t, "anna@example.com", shared.person().Subject, "the session ended for one device")
	late := w.browser("late").with(siteCookieValue)
	late.open()
	assert.Equal(t, kindVisitor, late.profile().kind, "nobody can tell whose it is")
}

// A browser that was closed has lost our cookie of an authenticated session, and
// the site's own shows that it is in it still: nobody left, nobody came.
func TestB7SiteCookieOutlivesOurs(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna").with(siteCookieValue)
	b.open()
	b.authenticate(w.token("email", "anna@example.com"))
	b.track("our cookie was seen")
	device, merges := b.device, len(ofTable(w, tableMerge))
	w.pass(2 * underWay)
	b.chat = ""
	b.track("after the browser was opened again")
	assert.Equal(t, device, b.device)
	assert.Len(t, ofTable(w, tableMerge), merges)

	b.with("")
	b.epoch = ""
	b.open()
	assert.Equal(t, kindVisitor, b.profile().kind, "without either it has left")
}

func TestB17DeviceThatJoinsAnAuthenticatedSession(t *testing.T) {
	w := newWorld(t)
	desk, phone := w.browser("desk").with(siteCookieValue), w.browser("phone").with("")
	desk.open()
	desk.authenticate(w.token("email", "anna@example.com"))
	phone.open()
	phone.with(siteCookieValue)
	phone.epoch = ""
	phone.open()
	merges, err := w.service.Merges(t.Context(), DefaultAccount, phone.person().ID)
	require.NoError(t, err)
	require.Len(t, merges, 1)
	assert.Equal(t, "authenticated", merges[0].Reason)
}

// A visitor whose browser shows our cookie of one session and the site's of
// another becomes part of one of them, and is not lost between the two.
func TestB3VisitorBetweenTwoSessions(t *testing.T) {
	w := newWorld(t)
	one, other := w.lead("one"), w.browser("other").with(siteCookieValue)
	other.open()
	b := w.browser("anna").with("")
	b.open()
	b.track("as a visitor")
	b.chat, b.chatUntil = one.chat, one.chatUntil
	b.with(siteCookieValue)
	b.epoch = ""
	b.open()
	assert.Equal(t, other.person().ID, b.person().ID)
	assert.Contains(t, strings.Join(w.story(b.person().ID), "\n"), "as a visitor")
}

// What has ended stays so, also when another browser that knew it gets a new one.
func TestB7EndedSiteCookieIsNotReplaced(t *testing.T) {
	w := newWorld(t)
	token := w.token("email", "anna@example.com")
	desk, phone := w.browser("desk").with(token), w.browser("phone").with(token)
	desk.open()
	phone.open()
	desk.authenticate(w.token("email", "bert@example.com")) // which ends it
	w.pass(time.Second)
	phone.with(w.token("email", "anna@example.com"))
	phone.epoch = ""
	phone.open()
	late := w.browser("late").with(token)
	late.open()
	assert.Equal(t, kindVisitor, late.profile().kind)
}
