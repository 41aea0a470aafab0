package tracker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

func TestB2SameBootSameDevice(t *testing.T) {
	w := newWorld(t)
	one := w.browser("anna")
	two := *one // a second tab, opened before the first was answered
	two.tab = "anna2"
	first, second := one.request(one.call(MethodPage, m{})), two.request(two.call(MethodPage, m{}))
	one.send(first)
	two.send(second)
	assert.Equal(t, one.profile().id, two.profile().id)
	assert.Equal(t, one.epoch, two.epoch)

	lost := *one // the answer never arrived: the same request again, without a cookie
	lost.device = ""
	lost.send(first)
	assert.Equal(t, one.profile().id, lost.profile().id)
	one.startChat()
	assert.Equal(t, []string{"sessionStarted", "pageView", "pageView", "personMerged"}, definitions(w.timeline(one.person().ID)), "recorded once each")
}

func TestB2BootLeadsToItsDeviceForADay(t *testing.T) {
	w := newWorld(t)
	one := w.browser("anna")
	one.open()
	w.pass(24 * time.Hour)
	two := w.browser("anna") // the same boot a day later, no cookie
	two.open()
	assert.NotEqual(t, one.profile().id, two.profile().id)
}

// A browser whose cookie was good when it sent a call with a boot, and over
// when it sent it again, since the answer was lost.
func TestB2BootBesideACookieLeadsToItsDevice(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*world, *browser)
		views  int // of that visitor, in the end
	}{
		"a visitor":                {func(*world, *browser) {}, 2},
		"a visitor after a logout": {func(_ *world, b *browser) { b.startChat(); b.logout() }, 1},
		"a visitor in the place of an overdue one": {func(w *world, b *browser) {
			w.now = w.now.Add(DefaultVisitorTTL)
			b.deviceUntil = time.Time{}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.open()
			c.before(w, b)
			w.now = w.now.Add(time.Hour)
			b.boot, b.answered, b.epoch = "abababababababababababababababab", time.Time{}, ""
			lost := b.request(b.call(MethodPage, m{}))
			first, err := w.service.Batch(t.Context(), lost)
			require.NoError(t, err)
			w.pass(time.Second)

			again := *lost
			again.DeviceTokens, again.ReceivedAt, again.SentAt = nil, w.now, w.now
			second := b.send(&again)
			assert.Equal(t, first.Epoch, second.Epoch)
			assert.Equal(t, first.Results, second.Results)
			b.startChat()
			assert.Len(t, ofDefinition(w.timeline(b.person().ID), "pageView"), c.views)
		})
	}
}

// The boot lies where the scripts of a page can read it, the cookies do not.
func TestB2BootBesideACookieLeadsToNobody(t *testing.T) {
	for name, chats := range map[string][2]func(*browser){
		"who chats by then":     {(*browser).open, (*browser).startChat},
		"who chatted even then": {(*browser).startChat, (*browser).open},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.open()
			chats[0](b)
			b.boot, b.answered = "abababababababababababababababab", time.Time{}
			_, err := w.service.Batch(t.Context(), b.request(b.call(MethodPage, m{})))
			require.NoError(t, err)
			chats[1](b)
			person := b.person().ID
			story := w.story(person)

			thief := w.browser("thief")
			thief.boot = b.boot
			req := thief.request(thief.call(MethodInit, m{}), thief.call(MethodUpdatePerson, m{"firstName": "Mallory"}), thief.call(MethodPage, m{}))
			req.SentAt = w.now.Add(-time.Hour) // as if of before the chat cookie was missing
			response := thief.send(req)
			assert.False(t, response.Device.Set || response.Chat.Set)
			assert.Empty(t, response.Epoch)
			assert.Empty(t, w.person(person).FirstName)
			assert.Equal(t, story, w.story(person))
			b.must(MethodUpdatePerson, m{"firstName": "Anna"})
		})
	}
}

// A boot is written down once: a stream of calls beside one costs what it
// costs without.
func TestB2KnownBootIsNotWrittenAgain(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	cookie, noted := b.device, func() []store.Entry { return ofTable(w, tableBoot) }
	for n := range 3 * maxBoots {
		b.boot = string([]byte{byte('a' + n)}) + "bababababababababababababababab"
		b.answered = time.Time{}
		b.track("first")
		stands := noted()
		for range 3 {
			w.now = w.now.Add(time.Minute)
			b.answered = time.Time{}
			b.track("again")
			assert.Equal(t, stands, noted())
		}
		assert.Len(t, stands, min(n+2, maxBoots), "those of before were answered")
	}
	assert.Equal(t, cookie, b.device)
}

// An erased device's boot stays a tombstone, whatever cookie it comes with.
func TestB33BootOfAnErasedDeviceStaysATombstone(t *testing.T) {
	w := newWorld(t)
	gone := w.lead("anna")
	w.erase(gone.person().ID)
	w.pass(0)
	stones := ofTable(w, tableBoot)
	require.Len(t, stones, 1)
	b, other := w.browser("anna"), w.browser("other")
	other.open()
	b.device = other.device
	b.open()
	for _, stone := range stones {
		assert.Contains(t, ofTable(w, tableBoot), stone)
	}
}
