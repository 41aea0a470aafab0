package badger

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// A backup made while others write has every update that was acknowledged
// before it, and no half of one.
func TestBackupUnderLoad(t *testing.T) {
	ctx := context.Background()
	s := openStore(t, t.TempDir(), Options{})
	const before = 300
	for i := range before {
		put(t, s, fmt.Sprintf("before%04d", i), []byte("v"))
	}
	loaded, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; loaded.Err() == nil; i++ {
				err := s.Update(ctx, func(tx store.Tx) error {
					if err := tx.Put(fmt.Appendf(nil, "a%d-%06d", w, i), []byte("v")); err != nil {
						return err
					}
					return tx.Put(fmt.Appendf(nil, "z%d-%06d", w, i), []byte("v"))
				})
				assert.NoError(t, err)
			}
		})
	}
	for s.Stats().Commit < before+20 {
	}
	var out bytes.Buffer
	_, err := store.Backup(ctx, s, &out)
	cancel()
	wg.Wait()
	require.NoError(t, err)

	restored := openStore(t, t.TempDir(), Options{})
	_, err = store.Restore(ctx, restored, &out, nil)
	require.NoError(t, err)
	for i := range before {
		require.NotNil(t, get(t, restored, fmt.Sprintf("before%04d", i)))
	}
	count := func(from, to string) (n int) {
		require.NoError(t, restored.View(ctx, func(r store.Reader) error {
			page := store.Range{From: []byte(from), To: []byte(to), Limit: store.MaxScan, KeysOnly: true}
			for {
				entries, err := r.Scan(page)
				if n += len(entries); err != nil || len(entries) < page.Limit {
					return err
				}
				page.From = append(entries[len(entries)-1].Key, 0)
			}
		}))
		return n
	}
	assert.Positive(t, count("a", "b"))
	assert.Equal(t, count("a", "b"), count("z", "zz"))
}

// What was deleted stays in the files until they are compacted. Copying the
// store into a fresh directory leaves nothing of it.
func TestACopyHoldsNothingDeleted(t *testing.T) {
	ctx := context.Background()
	const secret = "name-to-be-forgotten@example.org"
	from, to := t.TempDir(), t.TempDir()
	opts := Options{} // so that the files can be searched
	s := openStore(t, from, opts)
	put(t, s, "kept", []byte("other"))
	put(t, s, secret, []byte(secret))
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error { return tx.Delete([]byte(secret)) }))
	require.True(t, holds(t, from, secret), "the test finds nothing")

	copied := openStore(t, to, opts)
	in, out := io.Pipe()
	go func() {
		_, err := store.Backup(ctx, s, out)
		out.CloseWithError(err)
	}()
	n, err := store.Restore(ctx, copied, in, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, n.Entries)
	require.NoError(t, copied.Close())
	assert.False(t, holds(t, to, secret))
	assert.True(t, holds(t, to, "other"))
}

// holds says whether a file in dir contains text.
func holds(t *testing.T, dir, text string) (found bool) {
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(os.DirFS(dir), path)
		found = found || bytes.Contains(data, []byte(text))
		return err
	}))
	return found
}
