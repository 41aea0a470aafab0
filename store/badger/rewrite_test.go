package badger

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Two of which the second is deleted, and a directory that holds both.
const kept, forgotten = "name-to-be-kept@example.org", "name-to-be-forgotten@example.org"

func deletedFrom(t *testing.T) (dir string) {
	dir = filepath.Join(t.TempDir(), "people")
	s := openStore(t, dir, Options{BallastBytes: -1})
	put(t, s, "kept", []byte(kept))
	for i := range 200 {
		put(t, s, fmt.Sprintf("gone%03d", i), bytes.Repeat([]byte(forgotten), 100))
	}
	require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error {
		for i := range 200 {
			if err := tx.Delete(fmt.Appendf(nil, "gone%03d", i)); err != nil {
				return err
			}
		}
		return nil
	}))
	// Not closed: closing compacts, and this is about what is left in the files.
	crashed := filepath.Join(t.TempDir(), "people")
	require.NoError(t, os.CopyFS(crashed, os.DirFS(dir)))
	require.NoError(t, s.Close())
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.Rename(crashed, dir))
	require.True(t, holds(t, dir, forgotten), "the test finds nothing")
	return dir
}

func TestRewriteLeavesNothingThatWasDeleted(t *testing.T) {
	dir := deletedFrom(t)
	done, err := Rewrite(context.Background(), dir, nil, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, done.Entries)
	assert.Less(t, done.After, done.Before)
	assert.Positive(t, done.After)
	assert.False(t, holds(t, dir, forgotten))
	left, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	assert.Len(t, left, 1, "nothing stands beside it")
	s := openStore(t, dir, Options{BallastBytes: -1})
	assert.Equal(t, []byte(kept), get(t, s, "kept"))
	put(t, s, "and", []byte("on"))
}

func TestRewriteTouchesNothingWhenItFails(t *testing.T) {
	dir := deletedFrom(t)
	s := openStore(t, dir, Options{BallastBytes: -1})
	_, err := Rewrite(context.Background(), dir, nil, nil)
	require.ErrorIs(t, err, store.ErrLocked)
	require.ErrorContains(t, err, dir)
	require.NoError(t, s.Close())

	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Rewrite(ended, dir, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = Rewrite(context.Background(), filepath.Join(dir, "elsewhere"), nil, nil)
	require.ErrorIs(t, err, ErrNoStore)
	left, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	assert.Len(t, left, 1)
	assert.Equal(t, []byte(kept), get(t, openStore(t, dir, Options{BallastBytes: -1}), "kept"))
}

// A copy that was half written when the process ended is in nobody's way.
func TestRewriteAfterAnInterruption(t *testing.T) {
	dir := deletedFrom(t)
	half := openStore(t, dir+rewriteSuffix, Options{BallastBytes: -1})
	put(t, half, "of another time", []byte("v"))
	require.NoError(t, half.Close())
	done, err := Rewrite(context.Background(), dir, nil, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, done.Entries)
}

// Somebody who opens the store between the copying and the swapping loses
// nothing.
func TestSwapRefusesAStoreThatChanged(t *testing.T) {
	dir := deletedFrom(t)
	fresh := dir + rewriteSuffix
	mark, _, err := copyInto(context.Background(), dir, fresh, nil, nil)
	require.NoError(t, err)
	s := openStore(t, dir, Options{BallastBytes: -1})
	require.ErrorIs(t, swap(dir, fresh, mark), store.ErrLocked)
	put(t, s, "late", []byte("v"))
	require.NoError(t, s.Close())
	require.ErrorIs(t, swap(dir, fresh, mark), store.ErrLocked)
	assert.Equal(t, []byte("v"), get(t, openStore(t, dir, Options{BallastBytes: -1}), "late"))
}

func TestExchangeByRenames(t *testing.T) {
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	for _, dir := range []string{one, two} {
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "name"), []byte(filepath.Base(dir)), 0o600))
	}
	require.NoError(t, exchangeByRenames(one, two))
	name, err := os.ReadFile(filepath.Join(one, "name"))
	require.NoError(t, err)
	assert.Equal(t, "two", string(name))
	require.Error(t, exchangeByRenames(one, two+"s"))
	assert.DirExists(t, one)
}
