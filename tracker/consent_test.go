package tracker

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// under is a request under a state of consent.
func (b *browser) under(consent Consent, calls ...Call) *Request {
	req := b.request(calls...)
	req.Consent = consent
	return req
}

func (b *browser) consentCall(granted bool) Call {
	return b.call(MethodConsent, m{"granted": granted})
}

func notKept(results []Result) (out []bool) {
	for _, r := range results {
		out = append(out, len(r.Warnings) == 1 && r.Warnings[0].Code == "not_recorded" && r.Err == nil)
	}
	return out
}

func TestB30NothingIsKeptBeforeConsent(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.siteNames, b.site["shop_chat"] = []string{"shop_chat"}, "value-of-the-shops-own-chat-cookie"
	calls := func() []Call {
		return []Call{
			b.call(MethodInit, m{}), b.call(MethodPage, m{}), b.call(MethodTrack, m{"eventId": "action", "properties": m{}}),
			b.call(MethodChat, m{"state": "started"}), b.call(MethodUpdatePerson, m{"firstName": "Anna"}),
			b.call(MethodAppendToList, m{"attributeName": "category", "value": m{"name": "x"}}),
		}
	}
	for _, consent := range []Consent{ConsentUnknown, ConsentRefused} {
		response := b.send(b.under(consent, calls()...))
		assert.Equal(t, []bool{true, true, true, true, true, true}, notKept(response.Results))
		assert.Equal(t, &Response{Results: response.Results}, response, "no cookie and no epoch")
	}
	response := b.send(b.under(ConsentRefused, append([]Call{b.consentCall(true)}, calls()...)...))
	assert.Equal(t, []bool{true, true, true, true, true, true, true}, notKept(response.Results), "the page's word counts for nothing against it")
	for key := range everything(t, w.store) {
		assert.Contains(t, "SaZ", key[:1], "only what is configured is kept: %q", key)
	}
}

func TestB30ConsentHoldsForWhatStandsBehindItAndForTheDevice(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	early := b.call(MethodPage, m{})
	response := b.send(b.under(ConsentUnknown, early, b.consentCall(true), b.call(MethodPage, m{})))
	assert.Equal(t, []bool{true, false, false}, notKept(response.Results))
	assert.NotEmpty(t, b.device)
	assert.NotEmpty(t, response.Epoch)
	assert.Equal(t, []bool{false}, notKept(b.send(b.under(ConsentUnknown, b.call(MethodPage, m{}))).Results), "the device is known to have consented")
	b.send(b.under(ConsentUnknown, b.call(MethodChat, m{"state": "started"})))
	assert.Equal(t, []string{"pageView", "pageView"}, kindsOf(w.timeline(b.person().ID), "sessionStarted", "personMerged"))
	assert.Equal(t, []bool{false}, notKept(b.send(b.under(ConsentUnknown, b.call(MethodPage, m{}))).Results), "also under its next cookie")
	b.logout()
	assert.Equal(t, []bool{false}, notKept(b.send(b.under(ConsentUnknown, b.call(MethodPage, m{}))).Results), "and as the next visitor")
	w.pass(DefaultVisitorTTL - time.Minute)
	cookie := b.device
	w.now = w.now.Add(2 * time.Minute)
	b.deviceUntil = time.Time{}
	b.epoch = ""
	assert.Equal(t, []bool{false}, notKept(b.send(b.under(ConsentUnknown, b.call(MethodPage, m{}))).Results), "and as the visitor in the place of an overdue one")
	assert.NotEqual(t, cookie, b.device)

	other := w.browser("other") // from a time when none was asked for
	other.open()
	before := everything(t, w.store)
	assert.Equal(t, []bool{true}, notKept(other.send(other.under(ConsentUnknown, other.call(MethodPage, m{}))).Results))
	assert.Equal(t, before, everything(t, w.store))
}

func TestB30MalformedConsentIsNone(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	for _, params := range []any{m{}, m{"granted": "true"}, m{"granted": nil}, m{"granted": true, "more": 1}} {
		assert.Equal(t, []bool{true, true}, notKept(b.send(b.under(ConsentUnknown, b.call(MethodConsent, params), b.call(MethodPage, m{}))).Results))
		result := b.send(b.under(ConsentAssumed, b.call(MethodConsent, params))).Results[0]
		require.NotNil(t, result.Err)
		assert.Equal(t, CodePersonState, result.Err.Code)
	}
}

func TestB30WithdrawalDeletesTheVisitor(t *testing.T) {
	for name, consent := range map[string]Consent{"asked for": ConsentUnknown, "assumed": ConsentAssumed, "refused by the site's cookie": ConsentRefused} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.send(b.under(ConsentUnknown, b.consentCall(true), b.call(MethodPage, m{})))
			waiting := b.under(consent, b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "under way"}}))
			w.now = w.now.Add(time.Second)
			response := b.send(b.under(consent, b.consentCall(false), b.call(MethodPage, m{})))
			assert.Equal(t, []bool{false, true}, notKept(response.Results))
			assert.Nil(t, response.Results[0].Err)
			assert.True(t, response.Device.Delete && response.Chat.Delete)
			assert.Empty(t, response.Epoch)
			b.send(waiting)
			w.pass(0)
			for _, table := range []byte{tableProfile, tableDevice, tableEvent, tableSession, tableReference, tableJob} {
				assert.Empty(t, ofTable(w, table), "table %c", table)
			}
			k, err := takeStock(w.store, w.now.UnixMilli())
			require.NoError(t, err)
			require.NoError(t, k.all())
			again := b.send(waiting)
			assert.Equal(t, []bool{true}, notKept(again.Results), "what was made before is not recorded afterwards")
			assert.Empty(t, ofTable(w, tableEvent))
		})
	}
}

// What is known of a lead came from the chat, and is not the browser's to take
// back; the browser leaves it.
func TestB30WithdrawalLeavesAPersonAsItIs(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.send(b.under(ConsentUnknown, b.consentCall(true), b.call(MethodPage, m{}), b.call(MethodChat, m{"state": "started"})))
	person, chat := b.person().ID, b.chat
	story := w.story(person)
	w.now = w.now.Add(time.Second)
	b.send(b.under(ConsentUnknown, b.consentCall(false)))
	w.pass(0)
	assert.Empty(t, b.device)
	assert.Empty(t, b.chat)
	assert.Equal(t, story, w.story(person))
	assert.Empty(t, ofTable(w, tableDevice))
	k, err := takeStock(w.store, w.now.UnixMilli())
	require.NoError(t, err)
	require.NoError(t, k.all())

	w.now = w.now.Add(time.Second)
	other := w.browser("other")
	other.chat = chat // a copy of the cookie leads nowhere
	other.open()
	assert.Equal(t, kindVisitor, other.profile().kind)
}

func TestB30LaterDecisionCounts(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.send(b.under(ConsentUnknown, b.consentCall(true), b.call(MethodPage, m{})))
	withdrawn := b.consentCall(false)
	w.now = w.now.Add(time.Second)
	b.send(b.under(ConsentUnknown, b.consentCall(true)))
	visitor := b.profile().id
	cookie := b.device
	b.send(b.under(ConsentUnknown, withdrawn)) // it took the longer way
	b.device, b.deviceUntil = cookie, time.Time{}
	w.pass(0)
	b.send(b.under(ConsentUnknown, b.call(MethodPage, m{})))
	assert.Equal(t, visitor, b.profile().id)

	w.now = w.now.Add(time.Second)
	granted := b.consentCall(true)
	w.now = w.now.Add(time.Second)
	b.send(b.under(ConsentUnknown, b.consentCall(false)))
	w.pass(0)
	b.device, b.deviceUntil = cookie, time.Time{} // the answer was lost
	assert.Equal(t, []bool{true}, notKept(b.send(b.under(ConsentUnknown, granted)).Results))
	assert.Empty(t, ofTable(w, tableDevice))
}

// Whoever planted his own cookie in another's browser cannot withdraw for the
// person who authenticated there.
func TestB30RetiredCookieWithdrawsNothing(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	planted := *b
	planted.tab = "mallory"
	b.authenticate(w.token("email", "anna@example.com"))
	b.track("somebody by now")
	w.now = w.now.Add(2 * underWay)
	planted.send(planted.under(ConsentAssumed, planted.consentCall(false)))
	w.pass(0)
	b.track("still here")
	assert.Len(t, ofTable(w, tableDevice), 1)
}

// The answer that brought the cookie of the new device was lost, and the browser
// still shows the one it had before.
func TestB30WithdrawalAfterALostAnswer(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.device = strings.Repeat("a", 32) // of another database
	_, err := w.service.Batch(t.Context(), b.under(ConsentUnknown, b.consentCall(true), b.call(MethodPage, m{})))
	require.NoError(t, err)
	require.Len(t, ofTable(w, tableDevice), 1)
	w.now = w.now.Add(time.Second)
	b.send(b.under(ConsentUnknown, b.consentCall(false)))
	w.pass(0)
	assert.Empty(t, ofTable(w, tableDevice))
	assert.Empty(t, ofTable(w, tableEvent))
}

// Consent is one thing, and whether the browser keeps cookies another.
func TestB25CookiesBlockedThoughConsented(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.send(b.under(ConsentUnknown, b.consentCall(true), b.call(MethodPage, m{})))
	before := everything(t, w.store)
	b.device = ""
	for _, result := range b.send(b.under(ConsentUnknown, b.consentCall(true), b.call(MethodPage, m{}))).Results {
		require.NotNil(t, result.Err)
		assert.Equal(t, CodeMissingAuthorization, result.Err.Code)
	}
	assert.Equal(t, before, everything(t, w.store))
}
