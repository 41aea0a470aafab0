//go:build linux

package badger

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// crashedWithTwoLogs is a store of a process that was killed while the table in
// memory before the present one was still to be written to disk: both have
// their log.
func crashedWithTwoLogs(t *testing.T) (dir, earlier string) {
	t.Helper()
	dir = t.TempDir()
	var log *commitLog
	var before []byte // the log of the first table, until the second was begun
	running := t.TempDir()
	s := openStore(t, running, Options{tick: time.Hour, commit: func(txn *engine.Txn) (err error) {
		if before, err = os.ReadFile(log.path(1)); err != nil {
			return err
		}
		return txn.Commit()
	}})
	copyDir(t, running, dir)
	log = s.engine.commitLog
	require.Equal(t, 1, log.number)
	for i := 0; log.number == 1; i++ {
		require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error {
			for j := range 16 {
				if err := tx.Put(fmt.Appendf(nil, "k%02d %02d", i, j), make([]byte, 60_000)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	require.NoError(t, s.engine.side.write(s.engine.committed.Load()))
	require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(log.path(1))), before, 0o600))
	for _, name := range []string{filepath.Base(log.path(2)), sideName} {
		content, err := os.ReadFile(filepath.Join(running, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return dir, filepath.Join(dir, filepath.Base(log.path(1)))
}

// Of two logs Badger goes on with the second where the first is damaged, and
// the last commit is there.
func TestCommitsLostFromTheLogBeforeTheLast(t *testing.T) {
	whole, _ := crashedWithTwoLogs(t)
	s := openStore(t, whole, Options{})
	last := s.Stats().Commit
	for i := range last {
		assert.NotNil(t, get(t, s, fmt.Sprintf("k%02d 15", i)))
	}
	require.NoError(t, s.Close())

	dir, earlier := crashedWithTwoLogs(t)
	change(t, earlier, func(log []byte) []byte { log[4<<20] ^= 1; return log })
	_, err := Open(dir, Options{BallastBytes: -1})
	require.ErrorIs(t, err, ErrBehind)
	require.ErrorContains(t, err, earlier)
	_, err = Open(dir, Options{BallastBytes: -1})
	require.ErrorIs(t, err, ErrBehind, "nothing was changed")

	s = openStore(t, dir, Options{AcceptLoss: true})
	assert.NotNil(t, get(t, s, "k01 15"))
	assert.Nil(t, get(t, s, fmt.Sprintf("k%02d 15", last-2)))
	assert.NotNil(t, get(t, s, fmt.Sprintf("k%02d 15", last-1)))
	require.NoError(t, s.Close())
	openStore(t, dir, Options{})
}

// A damage ends what is found in a log, and makes nothing up.
func FuzzCommitsIn(f *testing.F) {
	dir := f.TempDir()
	s, err := Open(dir, Options{BallastBytes: -1})
	require.NoError(f, err)
	defer func() { _ = s.Close() }()
	const commits = 20
	for i := range commits {
		require.NoError(f, s.Update(context.Background(), func(tx store.Tx) error {
			return tx.Put(fmt.Appendf(nil, "k%d", i), []byte("value"))
		}))
	}
	log, err := os.ReadFile(s.engine.commitLog.path(1))
	require.NoError(f, err)
	log = log[:4096]
	first, last := commitsIn(log)
	require.EqualValues(f, 1, first)
	require.EqualValues(f, commits, last)
	f.Add(uint(0), []byte("header"))
	f.Add(uint(300), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add(uint(4090), []byte{1})
	f.Fuzz(func(t *testing.T, at uint, with []byte) {
		damaged := bytes.Clone(log)
		copy(damaged[at%uint(len(log)):], with)
		first, last := commitsIn(damaged)
		assert.LessOrEqual(t, first, uint64(1))
		assert.LessOrEqual(t, last, uint64(commits))
		first, last = commitsIn(with)
		assert.LessOrEqual(t, first, last)
	})
}
