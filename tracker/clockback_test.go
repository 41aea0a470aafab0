package tracker

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The server's clock may be set back, and proxies that share a database may be
// minutes apart without anybody doubting them (B36): what one request noted is
// then still to come for the next one.

// back are steps that nobody doubts, and that everybody does.
var back = map[string]time.Duration{"minutes": 4 * time.Minute, "hours": 5 * time.Hour}

func TestB8PageOpenedAfterTheClockWasSetBack(t *testing.T) {
	for name, step := range back {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.open()
			b.authenticate(w.token("email", "anna@example.com"))
			person := b.person().ID
			b.track("anna's")
			w.pass(time.Minute)
			waiting := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "waiting"}})
			old := b.epoch
			w.now = w.now.Add(2 * time.Minute)
			b.logout()
			story := w.story(person)

			w.now = w.now.Add(-step)
			b.epoch = "" // a page is opened
			b.track("somebody else's")
			assert.Equal(t, story, w.story(person), "who has logged out is nobody any more")
			b.startChat()
			assert.Equal(t, TypeLead, b.person().Type)
			b.epoch = ""
			b.track("the lead's")
			assert.Contains(t, strings.Join(w.story(b.person().ID), "\n"), "the lead's")
			b.epoch = old // a tab that was not told
			b.logout()
			assert.Equal(t, kindVisitor, b.profile().kind, "a logout counts")

			waiting.At = w.now.Add(-3 * time.Minute) // by its age
			assert.Nil(t, b.send(b.request(waiting)).Results[0].Err)
			assert.Len(t, only(w.timeline(person), "waiting"), 1, "and nothing is lost that was made before")
		})
	}
}

// What somebody planted is retired though it was issued later, by the clock.
func TestB1PlantedDeviceCookieOfAClockAhead(t *testing.T) {
	for name, step := range back {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			mallory := w.browser("mallory")
			mallory.open()
			victim := w.browser("victim")
			victim.device = mallory.device
			victim.open()
			w.now = w.now.Add(-step)
			victim.startChat()
			between := *victim
			victim.authenticate(w.token("email", "victim@example.com", fromWidget(leadsID)))
			person := victim.person().ID
			story := w.story(person)
			for _, thief := range []*browser{mallory, &between} {
				thief.chat, thief.epoch, thief.tab = "", victim.epoch, "thief"
				response := thief.send(thief.request(thief.call(MethodUpdatePerson, m{"firstName": "Attacked"}), thief.call(MethodChat, m{"state": "ended"})))
				assert.NotNil(t, response.Results[0].Err)
				assert.Empty(t, response.Epoch)
			}
			assert.Equal(t, story, w.story(person))
			victim.must(MethodUpdatePerson, m{"firstName": "Victoria"})
			assert.Equal(t, "Victoria", w.person(person).FirstName)
		})
	}
}

func TestB30WithdrawalAfterTheClockWasSetBack(t *testing.T) {
	for name, step := range back {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.send(b.under(ConsentUnknown, b.consentCall(true), b.call(MethodPage, m{})))
			w.now = w.now.Add(-step)
			b.send(b.under(ConsentUnknown, b.consentCall(false)))
			w.pass(0)
			assert.Empty(t, ofTable(w, tableDevice))
			assert.Empty(t, ofTable(w, tableEvent))

			w.now = w.now.Add(time.Second)
			b.epoch = ""
			assert.Equal(t, []bool{false, false}, notKept(b.send(b.under(ConsentUnknown, b.consentCall(true), b.call(MethodPage, m{}))).Results), "and what is made afterwards is recorded")
		})
	}
}

func TestB33CallsAfterAnErasureByAClockAhead(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.startChat()
	waiting := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "of before"}})
	w.now = w.now.Add(time.Hour)
	require.NoError(t, w.service.Erase(t.Context(), DefaultAccount, b.person().ID))
	w.now = w.now.Add(-30 * time.Minute)
	waiting.At, waiting.Epoch = w.now.Add(-30*time.Minute), ""
	assert.Equal(t, []bool{true}, notKept(b.send(b.request(waiting)).Results))
	b.epoch = ""
	assert.Equal(t, []bool{false}, notKept([]Result{b.do(MethodPage, m{})}))
}

// Late events of one session may come by a clock that is behind: it ends no
// earlier for that than it was to end.
func TestB13LateSessionAndAClockBehind(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	first := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "first"}})
	second := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "second"}})
	first.At, second.At = w.now.Add(-3*time.Hour), w.now.Add(-3*time.Hour+time.Minute)
	b.send(b.request(first))
	w.now = w.now.Add(-4 * time.Minute)
	b.send(b.request(second))
	ended := func() int { return len(ofDefinition(w.timeline(b.person().ID), "sessionEnded")) }
	w.pass(DefaultSessionTimeout + time.Minute)
	assert.Equal(t, 0, ended())
	w.pass(4 * time.Minute)
	assert.Equal(t, 2, ended(), "with the one that runs")
}
