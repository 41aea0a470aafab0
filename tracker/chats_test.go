package tracker

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStaleChatCallDoesNotUndoALogout(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.authenticate(w.token("email", "anna@example.com"))
	again := b.call(MethodChat, m{"state": "authenticated", "token": w.token("email", "anna@example.com")})
	w.pass(time.Second)
	b.logout()
	w.pass(time.Second)
	result := b.send(b.request(again)).Results[0]
	require.NotNil(t, result.Err)
	assert.Equal(t, CodePersonState, result.Err.Code)
	assert.Equal(t, kindVisitor, b.profile().kind)
}

func TestB7LeadsSessionExpires(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	lead := b.person().ID
	w.pass(44 * 24 * time.Hour)
	b.track("still the lead")
	w.pass(44 * 24 * time.Hour)
	b.track("again")
	assert.Equal(t, lead, b.profile().id.String())
	w.pass(DefaultChatSessionTTL + activeStep)
	b.epoch = ""
	b.open()
	assert.Equal(t, kindVisitor, b.profile().kind)
}

func TestB7EndedCookieStaysEnded(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	lead, ended := b.person().ID, b.chat
	b.logout()
	for _, wait := range []time.Duration{0, time.Hour, 300 * 24 * time.Hour} {
		w.pass(wait)
		b.chat, b.epoch = ended, ""
		b.open()
		assert.NotEqual(t, lead, b.profile().id.String())
		assert.Equal(t, kindVisitor, b.profile().kind)
	}
}

func TestChatCookieAloneFindsTheSession(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	lead := b.person().ID
	b.device, b.answered, b.epoch = "", time.Time{}, "" // its device cookie was deleted
	b.boot = "abababababababababababababababab"
	b.open()
	assert.Equal(t, lead, b.person().ID)
}

func TestB7BrowserClosedRightAfterAuthentication(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.authenticate(w.token("email", "anna@example.com"))
	person := b.person().ID
	overtaken := *b
	overtaken.chat = "" // a request that left before the cookie came
	overtaken.send(overtaken.request(overtaken.call(MethodPage, m{})))
	assert.Equal(t, person, b.profile().id.String())

	before := len(w.timeline(person))
	w.pass(2 * underWay)
	b.chat, b.epoch = "", "" // a cookie that ends with the browser
	b.open()
	assert.Equal(t, kindVisitor, b.profile().kind)
	assert.Len(t, w.timeline(person), before, "the new page is nothing of hers")
}

func TestSessionIDStaysThatOfItsWidget(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.authenticate(w.token("email", "anna@example.com", withSID("s-1")))
	anna := b.profile().id
	b.authenticate(w.token("email", "anna@example.com", fromWidget(leadsID))) // refreshed by another widget, without a sid
	w.pass(2 * time.Second)
	require.NoError(t, w.service.InvalidateSession(context.Background(), DefaultAccount, widgetID, "s-1"))
	b.epoch = ""
	b.open()
	assert.NotEqual(t, anna, b.profile().id)
	assert.Equal(t, kindVisitor, b.profile().kind)
}

func TestB9WidgetIDIsBounded(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	result := b.do(MethodChat, m{"state": "started", "widgetId": strings.Repeat("x", maxWidgetID+1)})
	require.NotNil(t, result.Err)
	assert.Contains(t, result.Err.Message, "widgetId")
	assert.Equal(t, kindVisitor, b.profile().kind)
	b.must(MethodChat, m{"state": "started", "widgetId": strings.Repeat("x", maxWidgetID)})
	assert.Equal(t, kindLead, b.profile().kind)
}
