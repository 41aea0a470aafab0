package tracker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestB15VisitorIsDeletedAfterItsLifetime(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	w.pass(40 * 24 * time.Hour)
	b.track("within the lifetime")
	visitor := b.profile().id
	w.pass(44 * 24 * time.Hour)
	assert.Equal(t, visitor, b.profile().id, "renewed by activity, not ended by its session's end")
	w.pass(24*time.Hour + time.Second)
	assert.Empty(t, w.keys(), "nothing of it is left")
	b.epoch = "" // a page opened afterwards
	b.open()
	assert.NotEqual(t, visitor, b.profile().id)
}

func TestB15OverdueVisitorIsGoneBeforeItsDeletion(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	visitor := b.profile().id
	w.now = w.now.Add(46 * 24 * time.Hour) // nobody sweeps
	b.deviceUntil = time.Time{}            // a browser whose clock is behind still has the cookie
	second := *b
	one, two := b.request(b.call(MethodPage, m{})), second.request(second.call(MethodPage, m{}))
	two.Calls[0].ID = "othertab-1"
	one.Calls[0].Epoch, two.Calls[0].Epoch = "", ""
	b.send(one)
	second.send(two)
	assert.NotEqual(t, visitor, b.profile().id)
	assert.Equal(t, b.epoch, second.epoch, "two tabs make one new visitor")
	b.startChat()
	assert.Equal(t, []string{"sessionStarted", "pageView", "pageView", "personMerged"}, definitions(w.timeline(b.person().ID)))
	require.NoError(t, w.service.Sweep(context.Background()))
	b.track("still known")
}

func definitions(events []Event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.DefinitionID
	}
	return out
}

func TestB15LongTimelineIsDeletedInChunks(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	for range 12 {
		var calls []Call
		for range 60 {
			calls = append(calls, b.call(MethodTrack, m{"eventId": "action"}))
		}
		b.send(b.request(calls...))
	}
	require.Greater(t, len(w.keys()), maxExpire)
	w.pass(46 * 24 * time.Hour)
	assert.Empty(t, w.keys())
}
