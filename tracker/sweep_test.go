package tracker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// B11: the deletion of visitors, however long it takes, is a pass of its own:
// sessions end without it.
func TestB11EndsDoNotWaitForDeletions(t *testing.T) {
	w := newWorld(t)
	old := w.browser("old")
	old.open()
	w.pass(time.Hour) // its session has ended
	w.now = w.now.Add(DefaultVisitorTTL - 30*time.Minute)
	anna := w.browser("anna")
	anna.open()
	w.now = w.now.Add(time.Hour) // both are due
	visitors := func() int {
		entries, err := w.scanAll(tableProfile)
		require.NoError(t, err)
		return len(entries)
	}
	require.Equal(t, 2, visitors())

	require.NoError(t, w.service.sweepOnce(t.Context(), ends, time.Time{}, w.now))
	assert.Equal(t, 2, visitors(), "nobody is deleted")
	assert.True(t, anna.profile().open.id.zero(), "the session has ended")

	require.NoError(t, w.service.sweepOnce(t.Context(), deletions, time.Time{}, w.now))
	assert.Equal(t, 1, visitors())
}

// A deadline of a kind that nobody settles is told, not passed over.
func TestUnknownKindOfDeadline(t *testing.T) {
	w := newWorld(t)
	strange := queueKey(w.now.UnixMilli(), '?', idRef(DefaultAccount, pattern(1)))
	require.NoError(t, w.store.Update(t.Context(), func(tx store.Tx) error { return tx.Put(strange, present) }))
	assert.ErrorContains(t, w.service.Sweep(t.Context()), `unknown kind '?'`)
	require.NoError(t, w.store.Update(t.Context(), func(tx store.Tx) error { return tx.Delete(strange) }))
}

// B11: a record that cannot be read keeps no other session from ending.
func TestB11DamagedRecordKeepsNothingElseFromEnding(t *testing.T) {
	w := newWorld(t)
	var browsers []*browser
	for i := range 40 { // in every shard
		b := w.browser(string(rune('a'+i%26)) + string(rune('a'+i/26)))
		b.open()
		browsers = append(browsers, b)
	}
	whole := entryOf(browsers[7].profile())
	put := func(value []byte) {
		require.NoError(t, w.store.Update(t.Context(), func(tx store.Tx) error { return tx.Put(whole.Key, value) }))
	}
	put([]byte{valueVersion + 1})
	w.now = w.now.Add(time.Hour)
	require.ErrorIs(t, w.service.Sweep(t.Context()), errMalformed, "it is told")
	for _, b := range append(browsers[:7:7], browsers[8:]...) {
		assert.True(t, b.profile().open.id.zero(), "%s", b.tab)
	}
	put(whole.Value)
	require.NoError(t, w.service.Sweep(t.Context()))
	assert.True(t, browsers[7].profile().open.id.zero())
}
