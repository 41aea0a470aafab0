package tracker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Somebody who planted a cookie of his own in another's browser, as a sibling
// domain can, must not act as the person who chats or authenticates there.

func TestB1PlantedDeviceCookie(t *testing.T) {
	for name, become := range map[string]func(*world, *browser){
		"chat started": func(_ *world, b *browser) { b.startChat() },
		"authenticated": func(w *world, b *browser) {
			b.authenticate(w.token("email", "victim@example.com", fromWidget(leadsID)))
		},
	} {
		for _, wait := range []time.Duration{0, 30 * time.Second, 2 * underWay} {
			t.Run(name+" "+wait.String(), func(t *testing.T) {
				w := newWorld(t)
				mallory := w.browser("mallory")
				mallory.open()
				victim := w.browser("victim")
				victim.device = mallory.device // planted
				victim.open()
				become(w, victim)
				person := victim.person()
				story := w.story(person.ID)

				w.pass(wait)
				mallory.epoch = ""
				response := mallory.send(mallory.request(
					mallory.call(MethodInit, m{}),
					mallory.call(MethodUpdatePerson, m{"firstName": "Attacked"}),
					mallory.call(MethodChat, m{"state": "ended"})))
				assert.NotNil(t, response.Results[1].Err)
				assert.NotEqual(t, victim.epoch, response.Epoch, "is not told the person's epoch")
				call := mallory.call(MethodUpdatePerson, m{"firstName": "Attacked"})
				call.Epoch = victim.epoch // and guessing it would not help
				assert.NotNil(t, mallory.send(mallory.request(call)).Results[0].Err)

				assert.Empty(t, w.person(person.ID).FirstName)
				assert.Equal(t, story, w.story(person.ID))
				victim.must(MethodUpdatePerson, m{"firstName": "Victoria"})
				assert.Equal(t, "Victoria", w.person(person.ID).FirstName, "nothing was taken from the victim either")
			})
		}
	}
}

func (w *world) person(id string) Person {
	w.t.Helper()
	p, err := w.service.Person(context.Background(), DefaultAccount, id)
	require.NoError(w.t, err)
	return p
}

func TestB1InventedDeviceCookie(t *testing.T) {
	const invented = "11111111111111111111111111111111"
	w := newWorld(t)
	victim := w.browser("victim")
	victim.device, victim.answered = invented, w.now
	victim.open()
	victim.startChat()
	person := victim.person().ID
	for _, wait := range []time.Duration{0, 2 * underWay} {
		w.pass(wait)
		mallory := w.browser("mallory")
		mallory.device, mallory.answered = invented, w.now
		result := mallory.do(MethodUpdatePerson, m{"firstName": "Attacked"})
		require.NotNil(t, result.Err)
		assert.Equal(t, CodeUpdatePerson, result.Err.Code, "a visitor of his own")
	}
	assert.Empty(t, w.person(person).FirstName)
}

func TestRequestsUnderWayWhileTheTokenChanges(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	w.pass(time.Minute)
	tab := *b // another tab, whose request leaves just before
	tab.tab, tab.n = "other", 0
	request := tab.request(tab.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "in flight"}}))
	b.startChat()
	request.ReceivedAt, request.SentAt = b.now, b.now.Add(queued-flight)
	response, err := w.service.Batch(context.Background(), request)
	require.NoError(t, err)
	assert.Nil(t, response.Results[0].Err)
	assert.Equal(t, CookieChange{}, response.Device, "does not put the old cookie back")
	assert.Len(t, only(w.timeline(b.person().ID), "in flight"), 1)
}

func TestLostAnswerOfAChatStart(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	request := b.request(b.call(MethodChat, m{"state": "started"}))
	_, err := w.service.Batch(context.Background(), request)
	require.NoError(t, err)
	for _, wait := range []time.Duration{time.Second, 2 * underWay} {
		w.pass(wait)
		retry := *request
		retry.ReceivedAt, retry.SentAt = w.now, w.now
		response := b.send(&retry)
		assert.Nil(t, response.Results[0].Err)
		assert.True(t, response.Device.Set, "gets a token that is good")
	}
	b.must(MethodUpdatePerson, m{"firstName": "Anna"})
	assert.Len(t, w.persons(), 1)

	first := w.browser("first") // the very first request starts the chat, and its answer is lost
	request = first.request(first.call(MethodInit, m{}), first.call(MethodChat, m{"state": "started"}))
	_, err = w.service.Batch(context.Background(), request)
	require.NoError(t, err)
	first.send(request)
	first.must(MethodUpdatePerson, m{"firstName": "First"})
	assert.Len(t, w.persons(), 2)
}
