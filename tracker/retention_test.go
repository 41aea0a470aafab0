package tracker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

func keeping(d time.Duration) func(*Config) { return func(c *Config) { c.EventRetention = d } }

func TestEventsAreForgottenAfterTheirTime(t *testing.T) {
	w := newWorld(t, keeping(10*24*time.Hour))
	b := w.browser("anna")
	b.open()
	b.startChat()
	b.must(MethodUpdatePerson, m{"firstName": "Anna"})
	person := b.person().ID
	for range 3 {
		for range maxExpire/2 + 20 {
			b.track("old")
		}
		w.now = w.now.Add(time.Hour)
	}
	w.pass(8 * 24 * time.Hour)
	b.track("young")
	before := w.story(person)
	w.pass(0)
	assert.Equal(t, before, w.story(person), "nothing is old enough yet")
	w.pass(4 * 24 * time.Hour)
	assert.Equal(t, []string{"sessionStarted", "action", "sessionEnded"}, definitions(w.timeline(person)))
	assert.Equal(t, "Anna", b.person().FirstName)
	merges, err := w.service.Merges(t.Context(), DefaultAccount, person)
	require.NoError(t, err)
	assert.Len(t, merges, 1, "a merge is no event")
	assert.Len(t, ofTable(w, tableSession), 1)
	assert.Empty(t, w.problems())

	w.pass(12 * 24 * time.Hour)
	assert.Empty(t, w.timeline(person))
	assert.Len(t, w.persons(), 1, "a person without events remains")
	assert.Empty(t, ofTable(w, tableSession))
	assert.Empty(t, w.problems())
	b.track("again")
	assert.Equal(t, []string{"sessionStarted", "action"}, definitions(w.timeline(person)))
	assert.Empty(t, w.problems())
}

// A pass is done in pieces, by whoever comes first, and taken up by the next
// process.
func TestForgettingEventsIsResumed(t *testing.T) {
	st := memory.New()
	defer func() { require.NoError(t, st.Close()) }()
	pieces := &counted{Store: st}
	w := newWorldOn(t, pieces, keeping(MinEventRetention))
	longLife(w)
	w.now = w.now.Add(4 * 24 * time.Hour)
	require.NoError(t, w.service.sweepOnce(t.Context(), ends, time.Time{}, w.now))
	pieces.most = 0
	rounds := 0
	for again := true; again; rounds++ {
		service := newWorldOn(t, pieces, keeping(MinEventRetention)).service
		var err error
		again, err = service.forgetEvents(t.Context(), w.now)
		require.NoError(t, err)
		assert.Empty(t, w.problems())
	}
	assert.Greater(t, rounds, 3)
	assert.LessOrEqual(t, pieces.most, maxExpire+1)
	assert.Empty(t, ofTable(w, tableEvent))
	assert.Empty(t, ofTable(w, tableSession))
	again, err := w.service.forgetEvents(t.Context(), w.now.Add(retentionPass-time.Second))
	require.NoError(t, err)
	assert.False(t, again)
}

func TestEventsAreKeptForTwoDaysAtLeast(t *testing.T) {
	st := memory.New()
	defer func() { require.NoError(t, st.Close()) }()
	for d, ok := range map[time.Duration]bool{0: true, MinEventRetention: true, MinEventRetention - time.Second: false, -1: false} {
		_, err := New(st, Config{EventRetention: d})
		assert.Equal(t, ok, err == nil, d)
	}
}

// An undone merge divides what is still there; when somebody was active last is
// known for longer than what he did.
func TestB18UndoneMergeOfForgottenEvents(t *testing.T) {
	w := newWorld(t, keeping(10*24*time.Hour))
	b := w.lead("anna")
	b.track("as a lead")
	person := b.person()
	require.NotNil(t, person.LastActivityAt)
	w.pass(60 * 24 * time.Hour)
	require.Empty(t, w.timeline(person.ID))
	merges, err := w.service.Merges(t.Context(), DefaultAccount, person.ID)
	require.NoError(t, err)
	_, err = w.service.UndoMerge(t.Context(), DefaultAccount, merges[0].ID, Decision{By: "operator"})
	require.NoError(t, err)
	assert.Equal(t, person.LastActivityAt, w.person(person.ID).LastActivityAt)
	assert.NotNil(t, w.person(merges[0].VisitorID).LastActivityAt)
}
