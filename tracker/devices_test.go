package tracker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestB25CookiesBlocked(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Request){
		"neither cookie nor boot":     func(r *Request) { r.Boot = "" },
		"a boot beside a known epoch": func(r *Request) { r.Calls[0].Epoch = "abcdefghijkl" },
		"two values of our cookie":    func(r *Request) { r.Boot = ""; r.DeviceTokens = []string{"a", "b"} },
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser("anna")
			req := b.request(b.call(MethodTrack, m{"eventId": "action"}))
			change(req)
			before := w.keys()
			response := b.send(req)
			require.NotNil(t, response.Results[0].Err)
			assert.Equal(t, CodeMissingAuthorization, response.Results[0].Err.Code)
			assert.Equal(t, "MissingAuthorizationTokenError", response.Results[0].Err.Name)
			assert.Equal(t, before, w.keys(), "nothing recorded")
			assert.False(t, response.Device.Set)
		})
	}
}

func TestForgedCookieLeadsNowhere(t *testing.T) {
	w := newWorld(t)
	anna := w.lead("anna")
	before := w.story(anna.person().ID)
	mallory := w.browser("mallory")
	mallory.device = "00000000000000000000000000000000"
	mallory.chat = "11111111111111111111111111111111"
	mallory.answered = w.now // its SDK sends no boot
	mallory.open()
	assert.NotEqual(t, "00000000000000000000000000000000", mallory.device, "only tokens this server issued are honoured")
	assert.Equal(t, kindVisitor, mallory.profile().kind)
	assert.Equal(t, before, w.story(anna.person().ID))
}

func TestTwoDeviceCookiesAtOnceAreNone(t *testing.T) {
	w := newWorld(t)
	anna, bert := w.browser("anna"), w.browser("bert")
	anna.open()
	bert.open()
	req := bert.request(bert.call(MethodPage, m{}))
	req.DeviceTokens = []string{anna.device, bert.device}
	req.Boot, req.Calls[0].Epoch = "ffffffffffffffffffffffffffffffff", ""
	before := anna.profile().id
	other := w.browser("other")
	other.send(req)
	assert.NotEqual(t, before, other.profile().id)
	assert.NotEqual(t, bert.profile().id, other.profile().id)
}

func TestB15ActivityRenewsTheCookies(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	device, chat := b.device, b.chat
	renewed := []CookieChange{{Set: true, Value: device, MaxAge: DefaultVisitorTTL}, {Set: true, Value: chat, MaxAge: DefaultChatSessionTTL}}
	for name, c := range map[string]struct {
		method string
		params any
		want   []CookieChange
	}{
		"an activity renews both":    {MethodPage, m{}, renewed},
		"an update is no activity":   {MethodUpdatePerson, m{"firstName": "Anna"}, []CookieChange{{}, {}}},
		"nor is a refused event":     {MethodTrack, m{"eventId": "undefined"}, []CookieChange{{}, {}}},
		"nor is the start of a page": {MethodInit, m{}, []CookieChange{{}, {}}},
	} {
		t.Run(name, func(t *testing.T) {
			response := b.send(b.request(b.call(c.method, c.params)))
			assert.Equal(t, c.want, []CookieChange{response.Device, response.Chat})
		})
	}
	b.authenticate(w.token("email", "anna@example.com"))
	response := b.send(b.request(b.call(MethodPage, m{})))
	assert.Equal(t, CookieChange{}, response.Chat, "an authenticated user's ends with the browser")
}

func TestDeletedDeviceIsReferencedByNobody(t *testing.T) {
	for name, rounds := range map[string]int{"few epochs": 1, "more epochs than a device keeps": maxEpochs} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.open()
			for range rounds {
				b.startChat()
				b.logout()
			}
			w.pass(DefaultVisitorTTL + time.Hour)
			for _, key := range w.keys() {
				const kindAt, ofDevice = 2 + 2*(2+16), "4f" // behind the table, account and profile
				assert.False(t, key[0] == tableReference && key[kindAt:kindAt+2] == ofDevice, "a person goes on naming a device that is deleted: %s", key)
			}
		})
	}
}
