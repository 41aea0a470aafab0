package tracker

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lead is a browser whose chat has started at 10:00, so that its timeline can
// be read; its session started with its page view.
func (w *world) lead(name string) *browser {
	b := w.browser(name)
	b.open()
	b.startChat()
	return b
}

// at is an offline call made some time ago.
func (b *browser) at(ago time.Duration, label string) Call {
	c := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": label}})
	c.At = c.At.Add(-ago)
	return c
}

func TestB10SessionLastsThirtyMinutesAfterLastActivity(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	id := b.person().ID
	w.pass(29 * time.Minute)
	b.track("one") // 10:29
	w.pass(29 * time.Minute)
	b.track("two") // 10:58
	w.pass(31 * time.Minute)
	b.track("three") // 11:29
	w.pass(time.Hour)
	assert.Equal(t, []string{
		"10:00 sessionStarted", "10:00 pageView", "10:00 personMerged", "10:29 action one", "10:58 action two",
		"11:28 sessionEnded", "11:29 sessionStarted", "11:29 action three", "11:59 sessionEnded",
	}, w.story(id))
}

func TestB10ActivityExactlyAtTheTimeoutStartsAnother(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	id := b.person().ID
	last := w.timeline(id)[1].OccurredTime
	w.now = last.Add(30*time.Minute - flight - time.Millisecond) // arrives a moment before the end
	last = w.now
	b.track("inside")
	w.now = last.Add(30 * time.Minute)
	b.track("outside")
	story := w.story(id)
	assert.Equal(t, []string{"10:29 action inside", "10:59 sessionEnded", "10:59 sessionStarted", "10:59 action outside"}, story[len(story)-4:])
}

func TestB11SessionEndedSaysAllAndComesOnce(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.page.URL = "https://shop.example/?utm_source=news&utm_campaign=autumn"
	b.open()
	b.startChat()
	id := b.person().ID
	w.pass(10 * time.Minute)
	b.track("last")
	w.pass(29*time.Minute + 59*time.Second)
	assert.NotContains(t, w.story(id), "10:40 sessionEnded", "never earlier")
	w.pass(5 * time.Second)
	w.pass(time.Hour)
	var ended []Event
	for _, e := range w.timeline(id) {
		if e.DefinitionID == "sessionEnded" {
			ended = append(ended, e)
		}
	}
	require.Len(t, ended, 1, "never twice")
	var p struct {
		SessionID      string `json:"sessionId"`
		StartTime      time.Time
		EndTime        time.Time
		Duration       int64
		ActiveDuration int64
		Source         string `json:"utm_source"`
		Campaign       string `json:"utm_campaign"`
	}
	require.NoError(t, json.Unmarshal(ended[0].Properties, &p))
	assert.Equal(t, ended[0].SessionID, p.SessionID)
	assert.Equal(t, int64(40*60), p.Duration)
	assert.Equal(t, int64(10*60), p.ActiveDuration)
	assert.Equal(t, 40*time.Minute, p.EndTime.Sub(p.StartTime).Round(time.Second))
	assert.Equal(t, "news", p.Source)
	assert.Equal(t, "autumn", p.Campaign)
	assert.Equal(t, p.EndTime, ended[0].OccurredTime)
}

func TestB11DowntimeLongerThanTheTimeout(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	id := b.person().ID
	w.now = w.now.Add(24 * time.Hour) // nobody sweeps
	t.Run("a call ends the session itself first", func(t *testing.T) {
		b.track("next day")
		assert.Equal(t, []string{
			"10:00 sessionStarted", "10:00 pageView", "10:00 personMerged", "10:30 sessionEnded",
			"10:00 sessionStarted", "10:00 action next day",
		}, w.story(id))
	})
	t.Run("the sweeper has nothing to add", func(t *testing.T) {
		before := w.story(id)
		require.NoError(t, w.service.Sweep(context.Background()))
		assert.Equal(t, before, w.story(id))
	})
	t.Run("and ends the next one after another day without calls", func(t *testing.T) {
		w.pass(24 * time.Hour)
		story := w.story(id)
		assert.Equal(t, "10:30 sessionEnded", story[len(story)-1])
	})
}

func TestB12MergeIntoPersonWithAnOpenSession(t *testing.T) {
	w := newWorld(t)
	desk, phone := w.browser("desk"), w.browser("phone")
	desk.open()
	desk.authenticate(w.token("email", "anna@example.com"))
	w.pass(10 * time.Minute)
	phone.open() // 10:10, a visitor with a session of its own
	w.pass(5 * time.Minute)
	phone.authenticate(w.token("email", "anna@example.com"))
	phone.track("from the phone") // 10:15, into the person's session
	w.pass(2 * time.Hour)
	id := phone.person().ID
	assert.Equal(t, []string{
		"10:00 sessionStarted", "10:00 pageView", "10:00 personMerged",
		"10:10 sessionStarted", "10:10 pageView",
		"10:15 personMerged", "10:15 action from the phone",
		"10:40 sessionEnded", // the visitor's, ended by its own clock
		"10:45 sessionEnded",
	}, w.story(id))
	events := w.timeline(id)
	assert.Equal(t, events[0].SessionID, events[6].SessionID)
	assert.Equal(t, events[3].SessionID, events[7].SessionID)
	assert.Equal(t, events[0].SessionID, events[8].SessionID)
}

func TestB13EventTime(t *testing.T) {
	received := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ sent, at, want time.Duration }{
		"ok/as the browser says":              {0, -time.Minute, -time.Minute},
		"ok/a small difference is left alone": {-9 * time.Second, -time.Minute, -time.Minute},
		"ok/clock behind is corrected":        {-time.Hour, -time.Hour - time.Minute, -time.Minute},
		"ok/clock ahead is corrected":         {time.Hour, time.Hour - time.Minute, -time.Minute},
		"ok/23 hours old":                     {0, -23 * time.Hour, -23 * time.Hour},
		"receipt/more than a day old":         {0, -25 * time.Hour, 0},
		"receipt/in the future":               {0, time.Minute, 0},
		"receipt/a little in the future":      {5 * time.Second, 5 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := eventTime(received, received.Add(c.sent), received.Add(c.at))
			assert.Equal(t, received.Add(c.want), got)
		})
	}
}

func TestB13LateEvents(t *testing.T) {
	for name, c := range map[string]struct {
		ago  []time.Duration // offline calls received at 14:00, in this order
		want []string        // what they add to the timeline, after an hour
	}{
		"inside the running session": {
			[]time.Duration{5 * time.Minute},
			[]string{"13:55 action 0"},
		},
		"shortly before the running session's start joins it": {
			[]time.Duration{35 * time.Minute},
			[]string{"13:25 action 0"},
		},
		"inside a session that has ended moves nothing": {
			[]time.Duration{3*time.Hour + 40*time.Minute},
			[]string{"10:20 action 0"},
		},
		"before everything makes a session of its own": {
			[]time.Duration{6 * time.Hour},
			[]string{"08:00 sessionStarted", "08:00 action 0", "08:30 sessionEnded"},
		},
		"late ones close together share one": {
			[]time.Duration{6 * time.Hour, 6*time.Hour - 20*time.Minute, 6*time.Hour - 40*time.Minute},
			[]string{"08:00 sessionStarted", "08:00 action 0", "08:20 action 1", "08:40 action 2", "09:10 sessionEnded"},
		},
		"also when they come in another order": {
			[]time.Duration{6 * time.Hour, 6*time.Hour + 20*time.Minute},
			[]string{"07:40 action 1", "08:00 sessionStarted", "08:00 action 0", "08:30 sessionEnded"},
		},
		"between two sessions, cut where the next begins": {
			[]time.Duration{2 * time.Hour, 100 * time.Minute, 75 * time.Minute},
			[]string{"12:00 sessionStarted", "12:00 action 0", "12:20 action 1", "12:45 action 2", "13:10 sessionEnded"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.now = w.now.Add(-4 * time.Hour)
			b := w.browser("anna")
			b.open() // 06:00, so that the first epoch is older than all
			b.startChat()
			epoch := b.epoch
			w.pass(4 * time.Hour) // 10:00
			b.track("early")
			w.pass(3*time.Hour + 10*time.Minute + 2*time.Second)
			if name != "inside the running session" && name != "shortly before the running session's start joins it" {
				b.track("later") // 13:10
			} else {
				w.pass(40 * time.Minute)
				b.track("later") // 13:50
			}
			id := b.person().ID
			w.now = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
			before := w.timeline(id)
			var calls []Call
			for i, ago := range c.ago {
				call := b.at(ago, string(rune('0'+i)))
				call.Epoch = epoch
				calls = append(calls, call)
			}
			for _, r := range b.send(b.request(calls...)).Results {
				require.Nil(t, r.Err)
			}
			w.pass(90 * time.Minute)
			known := map[string]bool{}
			for _, e := range before {
				known[e.ID] = true
			}
			var added []string
			story := w.story(id)
			running := before[len(before)-1].SessionID
			for i, e := range w.timeline(id) {
				if !known[e.ID] && !(e.DefinitionID == "sessionEnded" && e.SessionID == running) {
					added = append(added, story[i])
				}
			}
			assert.Equal(t, c.want, added)
		})
	}
}

func TestB13OfflineCallsOfOneRequestBelongTogether(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	id := b.person().ID
	w.pass(10 * time.Hour) // 20:00
	calls := []Call{b.at(3*time.Hour, "a"), b.at(170*time.Minute, "b"), b.at(160*time.Minute, "c"), b.at(time.Minute, "d")}
	for _, r := range b.send(b.request(calls...)).Results {
		require.Nil(t, r.Err)
	}
	w.pass(time.Hour)
	story := w.story(id)
	assert.Equal(t, []string{
		"17:00 sessionStarted", "17:00 action a", "17:10 action b", "17:20 action c", "17:50 sessionEnded",
		"19:59 sessionStarted", "19:59 action d", "20:29 sessionEnded",
	}, story[len(story)-8:])
}

func TestB14DevicesOfOneProfileShareTheSession(t *testing.T) {
	w := newWorld(t)
	w.now = time.Date(2026, 11, 22, 23, 40, 0, 0, time.UTC)
	desk, phone := w.browser("desk"), w.browser("phone")
	desk.authenticate(w.token("email", "anna@example.com"))
	phone.authenticate(w.token("email", "anna@example.com"))
	desk.track("one")
	w.pass(15 * time.Minute)
	phone.track("two")
	w.pass(15 * time.Minute) // past midnight
	desk.page.URL = "https://shop.example/?utm_source=other"
	desk.track("three")
	id := desk.person().ID
	assert.Equal(t, []string{"23:40 sessionStarted", "23:40 action one", "23:55 action two", "00:10 action three"}, w.story(id)[2:],
		"no split at midnight or on a new campaign")
}

func TestUpdatesAreNoActivity(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	id := b.person().ID
	w.pass(20 * time.Minute)
	b.must(MethodUpdatePerson, m{"firstName": "Anna"})
	b.must(MethodAppendToList, m{"attributeName": "category", "value": m{"name": "special"}})
	w.pass(11 * time.Minute)
	story := w.story(id)
	assert.Equal(t, "10:30 sessionEnded", story[len(story)-1])
}

func TestB12LateCallCountsInTheSessionLeftWithItsVisitor(t *testing.T) {
	w := newWorld(t)
	desk, phone := w.browser("desk"), w.browser("phone")
	desk.open()
	desk.authenticate(w.token("email", "anna@example.com"))
	w.pass(20 * time.Minute)
	phone.open() // 10:20, a visitor with a session of its own
	w.pass(5 * time.Minute)
	late := phone.at(time.Minute, "late")
	w.pass(time.Minute)
	phone.authenticate(w.token("email", "anna@example.com"))
	desk.logout() // so that a new session of his is not open
	w.pass(10 * time.Minute)
	require.Nil(t, phone.send(phone.request(late)).Results[0].Err)
	w.pass(2 * time.Hour)
	entries, err := w.scanAll(tableSession)
	require.NoError(t, err)
	counted := map[string]uint64{}
	for _, e := range entries {
		s, err := decodeSession(DefaultAccount, e.Key, e.Value)
		require.NoError(t, err)
		counted[fromMillis(s.start).Format("15:04")] += s.count
	}
	assert.Equal(t, map[string]uint64{"10:00": 1, "10:20": 2}, counted)
}

func TestB12ActivityDoesNotGoOnInTheSessionLeftWithAVisitor(t *testing.T) {
	w := newWorld(t)
	desk, phone := w.browser("desk"), w.browser("phone")
	desk.open()
	desk.authenticate(w.token("email", "anna@example.com"))
	w.pass(20 * time.Minute)
	phone.open() // 10:20, a visitor with a session of its own until 10:50
	w.pass(5 * time.Minute)
	phone.authenticate(w.token("email", "anna@example.com"))
	w.pass(10 * time.Minute) // the person's ended at 10:30
	phone.track("one")
	w.pass(20 * time.Minute)
	phone.track("two")
	w.pass(2 * time.Hour)
	story := w.story(phone.person().ID)
	assert.Equal(t, []string{
		"10:30 sessionEnded", "10:35 sessionStarted", "10:35 action one", "10:50 sessionEnded", "10:55 action two", "11:25 sessionEnded",
	}, story[len(story)-6:])
}

// A late call finds the session of its own timeline, however many others have
// become part of the person since.
func TestB13LateCallOfOneOfManyDevices(t *testing.T) {
	w := newWorld(t)
	first := w.browser("first")
	first.open()
	w.now = w.now.Add(10 * time.Minute)
	late := first.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "late"}})
	w.pass(2 * time.Hour)
	subject := w.token("email", "anna@example.com")
	first.authenticate(subject)
	for i := range 20 {
		b := w.browser("device" + strconv.Itoa(i))
		b.open()
		b.authenticate(subject)
	}
	require.Nil(t, first.send(first.request(late)).Results[0].Err)
	events := w.timeline(first.person().ID)
	assert.Equal(t, ofDefinition(events, "sessionEnded")[0].SessionID, only(events, "late")[0].SessionID)
}
