//go:build linux

package badger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// newestLog looks for the log that Badger began last.
func newestLog(t *testing.T, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	return slices.Max(logs)
}

// Whatever makes Badger begin a new log, the one that is synced is the one that
// holds the commit.
func TestCommitsAreSyncedInTheLogThatHoldsThem(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	value := make([]byte, 60_000)
	logs := map[string]bool{}
	for n := range 320 { // 19 MB: several tables in memory
		for i := range value {
			value[i] = byte(rand.Uint32())
		}
		key := fmt.Sprintf("key %d", n)
		require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error { return tx.Put([]byte(key), value) }))
		newest := newestLog(t, dir)
		require.Equal(t, newest, s.engine.commitLog.file.Name())
		content, err := os.ReadFile(newest)
		require.NoError(t, err)
		require.Contains(t, string(content), key, "it is where the commit went")
		logs[newest] = true
		if n == 100 {
			require.NoError(t, s.Purge())
		}
	}
	assert.GreaterOrEqual(t, len(logs), 3)
	require.NoError(t, s.Close())

	s = openStore(t, dir, Options{})
	put(t, s, "after", []byte("opening again"))
	assert.Equal(t, newestLog(t, dir), s.engine.commitLog.file.Name())
	require.NoError(t, s.Close())
}

// Also a commit of the store's own may be the one that begins a log.
func TestALogMayBeginWithAPurge(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	first := s.engine.commitLog.number
	for n := range 150 { // whatever fills a table, the next commit begins another
		put(t, s, fmt.Sprint(n), make([]byte, 60_000))
		require.NoError(t, s.engine.mark(nil))
		put(t, s, fmt.Sprint(n, "again"), make([]byte, 60_000))
		require.NoError(t, s.engine.notePurge())
	}
	assert.Greater(t, s.engine.commitLog.number, first+1)
}

// A Badger that kept its log elsewhere would lose commits in silence.
func TestALogThatHoldsNoCommitIsRefused(t *testing.T) {
	s, err := Open(t.TempDir(), Options{BallastBytes: -1})
	require.NoError(t, err)
	put(t, s, "key", []byte("value"))
	log := s.engine.commitLog
	require.NoError(t, os.WriteFile(log.path(log.number+1), make([]byte, 1<<20), 0o600))
	err = s.Update(context.Background(), func(tx store.Tx) error { return tx.Put([]byte("other"), []byte("value")) })
	require.ErrorIs(t, err, store.ErrUnavailable)
	assert.ErrorContains(t, err, "is not where commits go")
	err = s.Update(context.Background(), func(tx store.Tx) error { return tx.Put([]byte("third"), []byte("value")) })
	assert.ErrorIs(t, err, store.ErrUnavailable, "until it is opened again")
	_ = s.Close()
}

func TestAFailedSyncEndsWriting(t *testing.T) {
	s, err := Open(t.TempDir(), Options{BallastBytes: -1})
	require.NoError(t, err)
	put(t, s, "key", []byte("value"))
	require.NoError(t, s.engine.commitLog.file.Close())
	err = s.Update(context.Background(), func(tx store.Tx) error { return tx.Put([]byte("other"), []byte("value")) })
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorIs(t, err, store.ErrUnknown)
	_ = s.Close()
}
