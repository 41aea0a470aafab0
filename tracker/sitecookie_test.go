package tracker

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const siteCookieValue = "s3ss10n-0123456789abcdef-site"

// with gives the browser the site's own session cookie.
func (b *browser) with(value string) *browser {
	b.siteNames = []string{"chat_session"}
	if value == "" {
		delete(b.site, "chat_session")
	} else {
		b.site["chat_session"] = value
	}
	return b
}

func TestB3UnknownSiteCookieStartsAChat(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna").with("")
	b.open()
	b.with(siteCookieValue)
	w.pass(time.Second)
	b.epoch = ""
	b.track("with the cookie")
	person := b.person()
	assert.Equal(t, TypeLead, person.Type)
	assert.Equal(t, []string{"sessionStarted", "pageView", "personMerged", "action"}, definitions(w.timeline(person.ID)))
}

func TestB3SameSiteCookieOnAnotherDeviceIsTheSameLead(t *testing.T) {
	w := newWorld(t)
	desk, phone := w.browser("desk").with(siteCookieValue), w.browser("phone").with(siteCookieValue)
	desk.open()
	phone.open()
	assert.Equal(t, desk.person().ID, phone.person().ID)
	assert.Len(t, w.persons(), 1)
}

func TestB3SiteCookieJoinsAChatStartedByASignal(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna").with("")
	b.open()
	b.startChat()
	lead := b.person().ID
	b.with(siteCookieValue)
	b.track("now with the site's cookie")
	assert.Equal(t, lead, b.person().ID)
	other := w.browser("phone").with(siteCookieValue)
	other.open()
	assert.Equal(t, lead, other.person().ID, "the value stands for the session from now on")
}

func TestB3SharedCookieIsIgnoredBeyondFiveDevicesADay(t *testing.T) {
	w := newWorld(t)
	for i := range maxSharedDevices {
		b := w.browser("device" + string(rune('a'+i))).with(siteCookieValue)
		b.open()
		assert.Equal(t, kindLead, b.profile().kind)
	}
	sixth := w.browser("sixth").with(siteCookieValue)
	sixth.open()
	assert.Equal(t, kindVisitor, sixth.profile().kind)
	assert.Len(t, w.persons(), 1)
}

func TestB3SiteCookieBounds(t *testing.T) {
	for name, value := range map[string]string{"too short": strings.Repeat("x", 21), "too long": strings.Repeat("x", 513)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna").with(value)
			b.open()
			assert.Equal(t, kindVisitor, b.profile().kind)
		})
	}
}

func TestB4TokenInTheSitesCookie(t *testing.T) {
	w := newWorld(t)
	token := w.token("email", "anna@example.com")
	b := w.browser("anna").with(token)
	b.open()
	assert.Equal(t, "anna@example.com", b.person().Subject)
	w.pass(12 * time.Hour)
	b.track("long after the token ran out")
	assert.Equal(t, kindAuthenticated, b.profile().kind, "the session lives by its own lifetime")

	other := w.browser("bert").with("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl")
	result := other.do(MethodInit, m{})
	assert.Nil(t, result.Err)
	assert.Equal(t, kindVisitor, other.profile().kind)
	if assert.Len(t, result.Warnings, 1) {
		assert.Equal(t, "invalid_token_cookie", result.Warnings[0].Code)
	}
}

func TestB7MissingSiteCookieDetachesThisDeviceOnly(t *testing.T) {
	w := newWorld(t)
	desk, phone := w.browser("desk").with(siteCookieValue), w.browser("phone").with(siteCookieValue)
	desk.open()
	phone.open()
	lead := desk.person().ID
	token, chat := desk.device, desk.chat
	w.pass(time.Minute)
	overtaken := desk.request(desk.call(MethodPage, m{}))
	w.pass(time.Minute)
	desk.track("with the cookie")
	overtaken.SiteCookies, overtaken.ReceivedAt = nil, w.now
	desk.send(overtaken)
	assert.Equal(t, lead, desk.person().ID, "a request sent before the last one with the cookie says nothing")

	w.pass(time.Minute)
	desk.with("")
	desk.epoch = ""
	desk.open()
	assert.Equal(t, kindVisitor, desk.profile().kind)
	assert.NotEqual(t, token, desk.device)
	assert.Equal(t, lead, phone.person().ID)
	desk.chat, desk.epoch = chat, ""
	desk.open()
	assert.Equal(t, kindVisitor, desk.profile().kind, "our own cookie of before leads nowhere")
	phone.track("still the lead")
}

func TestB7EndedSiteCookieDoesNotStartAnotherChat(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna").with(siteCookieValue)
	b.open()
	lead := b.person().ID
	b.logout()
	b.epoch = ""
	b.open()
	assert.Equal(t, kindVisitor, b.profile().kind)
	w.pass(399 * 24 * time.Hour)
	b.epoch = ""
	b.open()
	assert.Equal(t, kindVisitor, b.profile().kind, "for 400 days")
	assert.Len(t, w.persons(), 1)
	assert.Equal(t, lead, w.persons()[0].ID)
}

func TestSharedSessionFollowsAnAuthentication(t *testing.T) {
	w := newWorld(t)
	desk, phone := w.browser("desk").with(siteCookieValue), w.browser("phone").with(siteCookieValue)
	desk.open()
	phone.open()
	desk.authenticate(w.token("email", "anna@example.com"))
	phone.epoch = ""
	phone.open()
	assert.Equal(t, desk.person().ID, phone.person().ID)
	assert.Equal(t, kindAuthenticated, phone.profile().kind)
}

func TestB4SiteThatSetsAnotherTokenWithEveryPage(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna").with(w.token("email", "anna@example.com"))
	b.open()
	cookies := func() int {
		entries, err := w.scanAll(tableCookie)
		require.NoError(t, err)
		return len(entries)
	}
	before, id := cookies(), b.person().ID
	for range 5 {
		w.pass(time.Minute)
		b.with(w.token("email", "anna@example.com"))
		b.epoch = ""
		b.open()
	}
	assert.Equal(t, id, b.person().ID)
	assert.Equal(t, before, cookies(), "only the value of now is kept")
}

// TestB7CookiePushedOutOfItsSessionStaysEnded: a session knows 32 cookie
// values. One of a device makes room for others and ends; the site's own stays
// as long as there is one of ours.
func TestB7CookiePushedOutOfItsSessionStaysEnded(t *testing.T) {
	w := newWorld(t)
	var all []*browser
	for range 8 {
		for range maxSharedDevices {
			b := w.browser("device" + strconv.Itoa(len(all))).with(siteCookieValue)
			b.open()
			all = append(all, b)
		}
		w.pass(24 * time.Hour)
	}
	require.Greater(t, len(all), maxChatCookies)
	require.Len(t, w.persons(), 1, "the site's cookie leads to one lead all the time")
	w.checkCookies()
	all[0].track("its own cookie was pushed out")
	assert.Equal(t, w.persons()[0].ID, all[0].person().ID, "which takes nobody out of the session")
	all[1].logout()
	w.pass(time.Minute)
	w.checkCookies()
	late := w.browser("late").with(siteCookieValue)
	late.open()
	assert.Equal(t, kindVisitor, late.profile().kind, "ended stays ended")
}

// checkCookies: what no session knows has ended, and so has what an ended one knows.
func (w *world) checkCookies() {
	w.t.Helper()
	chats, err := w.scanAll(tableChat)
	require.NoError(w.t, err)
	live := map[digest]bool{}
	for _, entry := range chats {
		c, err := decodeChat(DefaultAccount, lastID(entry.Key), entry.Value)
		require.NoError(w.t, err)
		for _, cookie := range c.cookies {
			live[cookie.hash] = c.ended == 0
		}
	}
	cookies, err := w.scanAll(tableCookie)
	require.NoError(w.t, err)
	for _, entry := range cookies {
		record, err := decodeCookie(entry.Value)
		require.NoError(w.t, err)
		assert.Equal(w.t, live[digest(entry.Key[3:])], record.ended == 0)
	}
}

// The very first request makes the lead, and its answer is lost: the cookie of
// the site shows that it is the same browser.
func TestB3LostAnswerToTheFirstRequest(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna").with(siteCookieValue)
	req := b.request(b.call(MethodInit, m{}), b.call(MethodPage, m{}))
	_, err := w.service.Batch(t.Context(), req)
	require.NoError(t, err)
	for _, wait := range []time.Duration{time.Second, 2 * underWay} {
		w.pass(wait)
		again := *req
		again.ReceivedAt, again.SentAt = w.now, w.now
		response := b.send(&again)
		assert.Nil(t, response.Results[1].Err)
		assert.True(t, response.Device.Set && response.Chat.Set)
	}
	b.track("goes on")
	assert.Len(t, w.persons(), 1)
	assert.Equal(t, []string{"sessionStarted", "personMerged", "pageView", "action"}, definitions(w.timeline(b.person().ID)))

	thief := w.browser("thief").with("an0ther-0123456789abcdef-site")
	thief.boot = req.Boot
	assert.False(t, thief.send(thief.request(thief.call(MethodInit, m{}))).Device.Set, "another value proves nothing")
}
