package tracker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

func TestB33NothingIsLeftButHashes(t *testing.T) {
	st := onBadger(t, t.TempDir())
	defer func() { require.NoError(t, st.Close()) }()
	w := newWorldOn(t, st)
	bert := w.browser("bert")
	bert.open()
	bert.startChat()
	bert.track("bert is here")
	w.pass(3 * time.Hour) // his session ends
	story := w.story(bert.person().ID)
	before := everything(t, st)

	anna, phone := w.browser("anna"), w.browser("phone")
	persons := busyLife(anna)
	phone.open()
	phone.track("on the phone")
	phone.authenticate(w.token("email", "annabell@work.example"))
	needles := map[string]string{
		"subject": "annabell", "phone": "421905123450", "phone backwards": "054321509124", "tag": "gardening", "attribute": "Beetle", "item": "tulips",
		"address": "shop.example/anna", "site's session": "shop-session-77", "device cookie": anna.device, "chat cookie": anna.chat,
		"site's cookie": "value-of-the-shops-own-chat-cookie", "client id": "an_id_of_another_form", "tab": "tab0", "boot": anna.boot,
	}
	for key := range everything(t, st) {
		if i := lastID([]byte(key)); strings.Contains("POWH", key[:1]) && !mentions(before, string(i[:])) {
			needles["an id "+i.String()] = string(i[:])
		}
	}
	for name, needle := range needles {
		if !strings.Contains(name, "cookie") && name != "boot" {
			assert.True(t, mentions(everything(t, st), needle), "%s is nowhere, so that finding it nowhere proves nothing", name)
		}
	}

	require.NoError(t, w.service.InvalidateSession(t.Context(), DefaultAccount, widgetID, "shop-session-77"))
	for _, person := range persons {
		w.erase(person)
	}
	w.pass(0)
	after := everything(t, st)
	for name, needle := range needles {
		assert.False(t, mentions(after, needle), "%s is left", name)
	}
	kinds, left := map[byte]int{}, []string{}
	for key, value := range after {
		if before[key] == value {
			continue
		}
		assert.Empty(t, before[key], "something of bert's changed: %q", key)
		assert.Contains(t, "VBCeQ", key[:1], "%q is left", key)
		kinds[key[0]]++
		left = append(left, key)
	}
	for key := range before {
		assert.NotEmpty(t, after[key], "something of bert's is gone: %q", key)
	}
	assert.Equal(t, kinds[tableToken]+kinds[tableBoot]+kinds[tableCookie], kinds[tableQueue], "every tombstone will be forgotten: %v", kinds)
	assert.Equal(t, story, w.story(bert.person().ID))

	w.pass(tombstoneLife + time.Hour)
	after = everything(t, st)
	for _, key := range left {
		assert.Equal(t, key[0] == tableErased, after[key] != "", "400 days later the record alone is left: %q", key)
	}
}

func TestB33ErasedPersonIsHiddenAtOnce(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	visitor := b.profile().id.String()
	assert.ErrorIs(t, w.service.Erase(t.Context(), DefaultAccount, visitor), ErrNotFound, "a visitor is not there (B16)")
	b.startChat()
	b.must(MethodUpdatePerson, m{"firstName": "Anna"})
	person := b.person().ID
	w.erase(person)

	_, err := w.service.Person(t.Context(), DefaultAccount, person)
	assert.ErrorIs(t, err, ErrNotFound)
	_, _, err = w.service.Events(t.Context(), DefaultAccount, person, EventQuery{})
	assert.ErrorIs(t, err, ErrNotFound)
	_, err = w.service.Merges(t.Context(), DefaultAccount, person)
	assert.ErrorIs(t, err, ErrNotFound)
	assert.Empty(t, w.persons())
	found, err := w.service.Persons(t.Context(), DefaultAccount, PersonQuery{Text: "anna"})
	require.NoError(t, err)
	assert.Empty(t, found.Persons)
	for _, unknown := range []string{person, pattern(7).String(), "", "x"} {
		assert.ErrorIs(t, w.service.Erase(t.Context(), DefaultAccount, unknown), ErrNotFound)
	}
}

// Whether the removal has run or not makes no difference to a browser.
func TestB33CallsOfBeforeAreDropped(t *testing.T) {
	for name, removed := range map[string]time.Duration{"hidden": -1, "removed": 0} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.siteNames, b.site["shop_chat"] = []string{"shop_chat"}, "value-of-the-shops-own-chat-cookie"
			b.open()
			person, cookie := b.profile().id, b.device
			waiting := b.request(b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "before"}}), b.call(MethodChat, m{"state": "started"}))
			unstamped := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "before, of a page without an answer"}})
			unstamped.Epoch = ""
			w.now = w.now.Add(time.Second)
			w.erase(person.String())
			w.pass(max(0, removed))

			waiting.ReceivedAt, waiting.SentAt = w.now.Add(flight), w.now
			response := b.send(waiting)
			for _, result := range response.Results {
				assert.Nil(t, result.Err)
				assert.Equal(t, notRecorded(madeBeforeErasure), result.Warnings)
			}
			assert.Equal(t, cookie, b.device, "nothing is begun for calls of before")
			assert.Equal(t, "", response.Epoch)

			b.epoch = ""
			w.now = w.now.Add(time.Second)
			response = b.send(b.request(unstamped, b.call(MethodPage, m{})))
			assert.Equal(t, notRecorded(madeBeforeErasure), response.Results[0].Warnings)
			assert.Empty(t, response.Results[1].Warnings)
			assert.NotEqual(t, cookie, b.device)
			assert.Equal(t, kindVisitor, b.profile().kind, "the site's cookie never starts a chat again, nor does ours lead back")
			b.send(b.request(unstamped))
			assert.Empty(t, w.persons())
			b.startChat()
			assert.Equal(t, []string{"pageView"}, kindsOf(w.timeline(b.person().ID), "sessionStarted", "personMerged"))
			w.pass(0)
			k, err := takeStock(w.store, w.now.UnixMilli())
			require.NoError(t, err)
			assert.NoError(t, k.all())
		})
	}
}

func TestB33BrowserThatIsSomebodyElseByNow(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.startChat()
	person := b.person().ID
	waiting := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "before"}})
	w.now = w.now.Add(time.Second)
	b.logout()
	b.track("somebody else")
	visitor := b.profile().id
	w.erase(person)
	w.pass(0)
	result := b.send(b.request(waiting)).Results[0]
	assert.Equal(t, notRecorded(madeBeforeErasure), result.Warnings)
	assert.Equal(t, visitor, b.profile().id, "who uses the browser now has nothing to do with it")
	b.startChat()
	assert.Equal(t, []string{"action"}, kindsOf(w.timeline(b.person().ID), "sessionStarted", "personMerged"))
}

func TestB33SubjectIsSomebodyNewAfterwards(t *testing.T) {
	for name, sweep := range map[string]bool{"hidden": false, "removed": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.open()
			b.authenticate(w.token("email", "anna@example.com"))
			first := b.person().ID
			w.erase(first)
			if sweep {
				w.pass(0)
			}
			w.now = w.now.Add(time.Second)
			other := w.browser("other")
			other.open()
			other.authenticate(w.token("email", "anna@example.com"))
			second := other.person().ID
			assert.NotEqual(t, first, second)
			w.pass(0)
			assert.Equal(t, second, other.person().ID, "the removal leaves whoever came afterwards alone")
			third := w.browser("third")
			third.open()
			third.authenticate(w.token("email", "anna@example.com"))
			assert.Equal(t, second, third.person().ID)
		})
	}
}

func TestB33RacingCalls(t *testing.T) {
	st := memory.New()
	defer func() { require.NoError(t, st.Close()) }()
	for round := range 20 {
		w := newWorldOn(t, st)
		b := w.browser(fmt.Sprintf("anna%d", round))
		b.open()
		b.authenticate(w.token("externalPersonId", fmt.Sprint("c-", round)))
		person := b.person().ID
		var all sync.WaitGroup
		errs := make(chan error, 16)
		for n := range 4 {
			tab, world := *b, *w
			tab.world, tab.tab, tab.n = &world, fmt.Sprintf("r%dt%d", round, n), 0
			tab.now = tab.now.Add(time.Duration(n) * time.Second)
			requests := []*Request{
				tab.request(tab.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "racing"}})),
				tab.request(tab.call(MethodChat, m{"state": "authenticated", "token": tab.token("externalPersonId", fmt.Sprint("c-", round))})),
			}
			all.Go(func() {
				for _, req := range requests {
					_, err := w.service.Batch(context.Background(), req)
					errs <- err
				}
			})
		}
		all.Go(func() { errs <- w.service.Erase(context.Background(), DefaultAccount, person) })
		all.Go(func() { errs <- w.service.Sweep(context.Background()) })
		all.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		w.pass(10 * time.Second)
		k, err := takeStock(st, w.now.UnixMilli())
		require.NoError(t, err)
		require.NoError(t, k.all())
		i, _ := parseID(person)
		assert.False(t, mentions(everything(t, st), string(i[:])))
	}
}

// Two devices share a session. One authenticates and is erased with it; the
// other is the lead of before until its next call.
func TestB33SharedSessionOfAnErasedPerson(t *testing.T) {
	w := newWorld(t)
	desk, phone := w.browser("desk").with(siteCookieValue), w.browser("phone").with(siteCookieValue)
	desk.open()
	lead := desk.person().ID
	phone.open()
	phone.authenticate(w.token("email", "anna@example.com"))
	w.erase(phone.person().ID)
	assert.Empty(t, w.problems())
	w.pass(time.Minute)
	assert.Empty(t, w.problems())
	desk.epoch = ""
	desk.open()
	assert.Equal(t, kindVisitor, desk.profile().kind, "the session is over for both")
	assert.Equal(t, lead, w.persons()[0].ID, "and the lead stays")
}

// What a page makes under an epoch that is over is refused, whether the one it
// was made for is removed by then or not.
func TestB33StaleCallOfAnErasedEpoch(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	lead, stale := b.person().ID, b.call(MethodPage, m{})
	b.logout()
	w.erase(lead)
	w.now = w.now.Add(time.Second)
	for _, wait := range []time.Duration{0, time.Minute} {
		stale.At = w.now
		result := b.send(b.request(stale)).Results[0]
		require.NotNil(t, result.Err)
		assert.Equal(t, CodePersonState, result.Err.Code)
		w.pass(wait)
	}
}
