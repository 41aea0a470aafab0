package tracker

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

func TestB26SameIDIsAnsweredAsTheFirstTime(t *testing.T) {
	for name, id := range map[string]string{"the SDK's form": "tab-7", "any other form": "3f2c_A", "a long one": "0123456789abcdef0123456789abcdef0123"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.lead("anna")
			call := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "once"}})
			call.ID = id
			update := b.call(MethodUpdatePerson, m{"tags": []string{"x"}, "nickName": "ignored"})
			update.ID = id + "u"
			req := b.request(call, update)
			first := b.send(req)
			for _, wait := range []time.Duration{0, time.Hour, 6 * 24 * time.Hour} {
				w.pass(wait)
				retry := *req
				retry.ReceivedAt, retry.SentAt = w.now, w.now
				retry.DeviceTokens, retry.ChatTokens = []string{b.device}, []string{b.chat}
				assert.Equal(t, first.Results, b.send(&retry).Results, "warnings too")
			}
			once := 0
			for _, line := range w.story(b.person().ID) {
				if line == "10:00 action once" {
					once++
				}
			}
			assert.Equal(t, 1, once)
		})
	}
}

func TestB26RefusedCallsAreRefusedAgain(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	call := b.call(MethodTrack, m{"eventId": "undefined"})
	first, second := b.send(b.request(call)), b.send(b.request(call))
	require.NotNil(t, first.Results[0].Err)
	assert.Equal(t, first.Results, second.Results)
}

// TestB26RefusedCallsAreRefusedAgainMuchLater: however many calls of its tab
// came since, recorded and refused ones in turns.
func TestB26RefusedCallsAreRefusedAgainMuchLater(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	refused := func() Call { return b.call(MethodUpdatePerson, m{"firstName": "Anna"}) } // a visitor's
	early, all := refused(), []Call{}
	first := b.send(b.request(early)).Results[0]
	require.NotNil(t, first.Err)
	for n := range 3 * windowSize {
		if n%2 == 0 {
			b.track("meanwhile")
			continue
		}
		all = append(all, refused())
		b.send(b.request(all[len(all)-1]))
	}
	for _, call := range append(all, early) {
		assert.Equal(t, first.Err, b.send(b.request(call)).Results[0].Err, call.ID)
	}
	b.startChat()
	before := b.person()
	repeated := b.call(MethodUpdatePerson, m{"firstName": "Anna"})
	repeated.ID = early.ID
	require.Nil(t, b.send(b.request(repeated)).Results[0].Err, "a lead may be changed")
	repeated.Params = []byte(`{"firstName":"Berta"}`)
	require.Nil(t, b.send(b.request(repeated)).Results[0].Err)
	assert.Equal(t, "Anna", b.person().FirstName, "and that happened once")
	assert.Empty(t, before.FirstName)
	w.pass(9 * 24 * time.Hour)
	for range 20 {
		w.pass(time.Second)
	}
	left, err := w.scanAll(tableDedupe)
	require.NoError(t, err)
	for _, entry := range left {
		assert.NotContains(t, string(entry.Key), ".", "holes are forgotten after a week")
	}
}

// TestB26RepeatIsAnsweredBeforeItIsLookedAt: a repeated id has the answer of
// the first time, whatever it comes with.
func TestB26RepeatIsAnsweredBeforeItIsLookedAt(t *testing.T) {
	for _, own := range []string{"", "own_id"} {
		w := newWorld(t)
		b := w.lead("anna")
		for _, call := range []Call{
			b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "once"}}),
			b.call(MethodUpdatePerson, m{"firstName": "Anna", "unheardOf": 1}),
			b.call(MethodAppendToList, m{"attributeName": "category", "value": m{"name": "special"}}),
		} {
			if own != "" {
				call.ID = own + call.Method
			}
			first := b.send(b.request(call)).Results[0]
			require.Nil(t, first.Err)
			again := call
			again.Params = []byte(`{"eventId":7,"attributeName":7,"firstName":7}`)
			result := b.send(b.request(again)).Results[0]
			assert.Nil(t, result.Err, call.Method)
			assert.Equal(t, first, b.send(b.request(call)).Results[0], "with its warnings")
		}
		assert.Len(t, only(w.timeline(b.person().ID), "once"), 1)
		assert.Equal(t, "Anna", b.person().FirstName)
	}
}

func TestB26TabsPushedOutOfTheRecord(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	early := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "early"}})
	b.send(b.request(early))
	for tab := range 3 * maxWindows {
		b.tab = string(rune('a' + tab))
		b.n = 0
		b.track("other tab")
	}
	w.pass(6 * 24 * time.Hour)
	b.send(b.request(early))
	b.startChat()
	assert.Len(t, only(w.timeline(b.person().ID), "early"), 1)
}

func only(events []Event, label string) (out []Event) {
	for _, e := range events {
		if string(e.Properties) == `{"label":"`+label+`"}` {
			out = append(out, e)
		}
	}
	return out
}

func TestDedupeIsForgottenAfterAWeek(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	call := b.call(MethodTrack, m{"eventId": "action"})
	call.ID = "of_another_form"
	b.send(b.request(call))
	count := func() (n int) {
		entries, err := w.scanAll(tableDedupe)
		require.NoError(t, err)
		return len(entries)
	}
	w.pass(7 * 24 * time.Hour)
	assert.Equal(t, 2, count(), "the id, and the day it goes with")
	w.pass(3 * 24 * time.Hour)
	assert.Zero(t, count())
}

func TestWindowModel(t *testing.T) {
	win, recorded, open := tabWindow{tab: "x"}, map[uint64]bool{}, map[uint64]bool{}
	for i, n := range []uint64{1, 3, 2, 64, 65, 66, 130, 129, 67, 500, 437, 436, 499, 1 << 40} {
		for _, left := range win.advance(n) {
			open[left] = true
		}
		if win.behind(n) {
			assert.LessOrEqual(t, n+64, win.high, "step %d: %d", i, n)
			assert.Equal(t, !recorded[n], open[n] || n < 437, "step %d: %d was jumped over", i, n)
			continue
		}
		assert.Equal(t, recorded[n], win.seen(n), "step %d: %d", i, n)
		win.mark(n)
		recorded[n] = true
		assert.True(t, win.seen(n))
	}
	for n := range uint64(500) {
		if n > 0 && n <= 130 || n > 436 {
			assert.Equal(t, !recorded[n], open[n], "%d was pushed out", n)
		}
	}
}

func TestSplitClientID(t *testing.T) {
	for client, ok := range map[string]bool{
		"a-1": true, "abcdefghijklmnopqrst-999999999999999": true,
		"a-0": false, "a-01": false, "a-": false, "-1": false, "a": false, "a-1b": false, "a-1-2": false,
		"abcdefghijklmnopqrstu-1": false, "a-1000000000000000": false,
	} {
		_, _, got := splitClientID(client)
		assert.Equal(t, ok, got, client)
	}
}

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
			b.send(b.request(queued))
			b.startChat()
			assert.Len(t, ofDefinition(w.timeline(b.person().ID), "pageView"), 1)
		})
	}
}

func ofDefinition(events []Event, definition string) (out []Event) {
	for _, e := range events {
		if e.DefinitionID == definition {
			out = append(out, e)
		}
	}
	return out
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
