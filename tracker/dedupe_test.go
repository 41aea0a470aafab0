package tracker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
