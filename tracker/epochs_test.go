package tracker

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestB8CallsOfAnOlderEpoch(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	epoch := b.epoch
	w.pass(time.Minute)
	late := b.at(30*time.Second, "made as visitor")
	update := b.call(MethodUpdatePerson, m{"firstName": "Anna"})
	b.startChat()
	lead := b.person()
	w.pass(time.Minute)

	t.Run("an event made before the epoch ended is appended to its profile", func(t *testing.T) {
		assert.Nil(t, b.send(b.request(late)).Results[0].Err)
		found := only(w.timeline(lead.ID), "made as visitor")
		require.Len(t, found, 1)
		assert.NotNil(t, found[0].MergedFrom)
		assert.Equal(t, "10:00", found[0].OccurredTime.Format("15:04"))
	})
	t.Run("one made after it ended is refused", func(t *testing.T) {
		call := b.call(MethodTrack, m{"eventId": "action"})
		call.Epoch = epoch
		result := b.send(b.request(call)).Results[0]
		require.NotNil(t, result.Err)
		assert.Equal(t, CodePersonState, result.Err.Code)
	})
	t.Run("an update is refused", func(t *testing.T) {
		result := b.send(b.request(update)).Results[0]
		require.NotNil(t, result.Err)
		assert.Equal(t, CodePersonState, result.Err.Code)
		assert.Empty(t, b.person().FirstName)
	})
	t.Run("an epoch of another browser is refused", func(t *testing.T) {
		other := w.browser("bert")
		other.open()
		call := other.call(MethodTrack, m{"eventId": "action"})
		call.Epoch = b.epoch
		assert.NotNil(t, other.send(other.request(call)).Results[0].Err)
	})
}

// An event waits behind another request of its tab. Meanwhile another tab's call
// ends the epoch; the event leaves with the new cookies and is under way for a
// while, so that by its age it is of after the end.
func TestB19EventOvertakenByTheEndOfItsEpoch(t *testing.T) {
	for name, c := range map[string]struct {
		ahead, underWay time.Duration // the browser's clock, and the request
		after           time.Duration // made after the end, negative when before
		stamped, kept   bool
	}{
		"on a good line":                  {0, 60 * time.Millisecond, -20 * time.Millisecond, true, true},
		"on a slow line":                  {0, 9 * time.Second, -time.Second, true, true},
		"slower than clocks may differ":   {0, 25 * time.Second, -time.Second, true, true},
		"by a clock that is behind":       {-20 * time.Second, 9 * time.Second, -time.Second, true, true},
		"made after the end":              {0, 60 * time.Millisecond, time.Second, true, false},
		"after it, by a clock far behind": {-time.Hour, 9 * time.Second, time.Second, true, false},
		"by a page without an answer":     {0, 9 * time.Second, time.Second, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.open()
			b.authenticate(w.token("email", "anna@example.com"))
			anna := b.person().ID
			w.pass(time.Minute)
			event := b.at(-flight-c.after-c.ahead, "at the end")
			if !c.stamped {
				event.Epoch = ""
			}
			b.logout()
			w.pass(2 * time.Second)
			req := b.request(event)
			req.SentAt, req.ReceivedAt = w.now.Add(c.ahead), w.now.Add(c.underWay)
			result := b.send(req).Results[0]
			assert.Equal(t, c.kept, len(only(w.timeline(anna), "at the end")) == 1)
			assert.Equal(t, c.kept || !c.stamped, result.Err == nil)
		})
	}
}

func TestB8NothingUnderALaterIdentity(t *testing.T) {
	w := newWorld(t)
	b := w.browser("shared")
	b.open()
	b.authenticate(w.token("email", "anna@example.com"))
	anna := b.person()
	queued := b.at(0, "queued as anna") // made now, and its request gets lost
	unstamped := b.at(0, "from a page not yet answered")
	unstamped.Epoch = ""
	w.pass(time.Minute)
	b.logout()
	w.pass(time.Minute)
	b.authenticate(w.token("email", "bert@example.com"))
	b.send(b.request(queued, unstamped))
	bert := b.person()
	assert.Len(t, only(w.timeline(anna.ID), "queued as anna"), 1)
	assert.Len(t, only(w.timeline(anna.ID), "from a page not yet answered"), 1)
	assert.Empty(t, only(w.timeline(bert.ID), "queued as anna"))
	assert.Empty(t, only(w.timeline(bert.ID), "from a page not yet answered"))
}

func TestCallsBehindAnUnansweredChatCall(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	start := b.call(MethodChat, m{"state": "started"})
	update := b.call(MethodUpdatePerson, m{"firstName": "Anna"})
	update.Epoch = b.epoch + "+" + start.ID
	response := b.send(b.request(start, update))
	assert.Nil(t, response.Results[1].Err, "the update waits for the lead the chat makes")
	assert.Equal(t, "Anna", b.person().FirstName)

	again := b.call(MethodChat, m{"state": "started"}) // changes nothing
	behind := b.call(MethodUpdatePerson, m{"lastName": "Ash"})
	behind.Epoch = b.epoch + "+" + again.ID
	assert.Nil(t, b.send(b.request(again, behind)).Results[1].Err)

	ended := b.call(MethodChat, m{"state": "ended"})
	late := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "as the next visitor"}})
	late.Epoch = b.epoch + "+" + ended.ID
	lead := b.person().ID
	assert.Nil(t, b.send(b.request(ended, late)).Results[1].Err)
	assert.Empty(t, only(w.timeline(lead), "as the next visitor"))
	b.startChat()
	assert.Len(t, only(w.timeline(b.person().ID), "as the next visitor"), 1)
}

// A page that opens after the session ended has made its calls, by a moment,
// before the server hears of it.
func TestB8FirstCallsOfAPageAreOfTheNewEpoch(t *testing.T) {
	for name, end := range map[string]func(*world, *browser){
		"expired": func(w *world, _ *browser) { w.now = w.now.Add(25 * time.Hour) },
		"invalidated": func(w *world, _ *browser) {
			w.pass(time.Minute)
			require.NoError(t, w.service.InvalidateSession(context.Background(), DefaultAccount, widgetID, "s1"))
			w.pass(time.Minute)
		},
		"cookie gone": func(w *world, b *browser) { b.track("with it"); w.pass(time.Minute); b.chat = "" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.open()
			b.authenticate(w.token("email", "anna@example.com", withSID("s1")))
			person := b.person().ID
			end(w, b)
			before := len(ofDefinition(w.timeline(person), "pageView"))
			queued := b.at(time.Second, "from the other tab")
			b.epoch = ""
			b.open()
			assert.Equal(t, kindVisitor, b.profile().kind)
			assert.Len(t, ofDefinition(w.timeline(person), "pageView"), before)
			assert.NotNil(t, b.send(b.request(queued)).Results[0].Err, "made for the person when he was that no more")
			assert.Empty(t, only(w.timeline(person), "from the other tab"))
			b.startChat()
			assert.Empty(t, only(w.timeline(b.person().ID), "from the other tab"))
			assert.Len(t, ofDefinition(w.timeline(b.person().ID), "pageView"), 1)
		})
	}
}

func TestB19RacingCallsMakeOnePersonAndLoseNothing(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	token := w.token("email", "anna@example.com")
	const tabs, each = 8, 10
	var wait sync.WaitGroup
	for tab := range tabs {
		wait.Add(1)
		go func() {
			defer wait.Done()
			other := *b
			other.tab, other.n = string(rune('a'+tab)), 0
			for n := range each {
				call := other.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "race"}})
				if n == each/2 && tab%2 == 0 {
					call = other.call(MethodChat, m{"state": "authenticated", "token": token})
				}
				response, err := other.service.Batch(context.Background(), other.request(call))
				assert.NoError(t, err)
				if response != nil {
					other.take(response)
				}
			}
		}()
	}
	wait.Wait()
	b.epoch, b.chat = "", ""
	persons := w.persons()
	require.Len(t, persons, 1)
	assert.GreaterOrEqual(t, len(only(w.timeline(persons[0].ID), "race")), tabs*each-tabs/2-tabs,
		"only a call made under an epoch that a racing answer had ended may be refused")
	merges, err := w.service.Merges(context.Background(), DefaultAccount, persons[0].ID)
	require.NoError(t, err)
	assert.Len(t, merges, 1)
}

// The visitor is overdue, and the answer with the cookie of the device in its
// place is lost. It goes on leading there when what was overdue is deleted.
func TestB8CookieOfAnOverdueDeviceLeadsToItsSuccessor(t *testing.T) {
	for _, withCookie := range []bool{true, false} {
		w := newWorld(t)
		b := w.browser("anna")
		b.open()
		w.now = w.now.Add(DefaultVisitorTTL - time.Hour)
		b.boot, b.answered, b.epoch = "abababababababababababababababab", time.Time{}, ""
		cookie := b.device
		b.send(b.request(b.call(MethodInit, m{}))) // not an activity, with a boot
		w.now = w.now.Add(2 * time.Hour)
		b.device, b.deviceUntil, b.epoch = cookie, time.Time{}, ""
		if !withCookie {
			b.device = ""
		}
		req := b.request(b.call(MethodPage, m{}))
		req.Boot = b.boot
		lost, err := w.service.Batch(t.Context(), req)
		require.NoError(t, err)
		w.pass(0) // what was overdue is deleted
		again := *req
		again.ReceivedAt, again.SentAt = w.now, w.now
		assert.Equal(t, lost.Epoch, b.send(&again).Epoch)
		b.startChat()
		assert.Len(t, ofDefinition(w.timeline(b.person().ID), "pageView"), 1)
	}
}
