package badger

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// filesWith are the files of a directory that hold text somewhere.
func filesWith(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if os.IsNotExist(err) {
			continue // a compaction was faster
		}
		require.NoError(t, err)
		if bytes.Contains(content, []byte(text)) {
			found = append(found, file.Name())
		}
	}
	return found
}

const (
	planted  = "anna@example.org" // in keys and values of what is deleted
	keptText = "carl@example.org" // of what stays
)

// grown is a store with tables on several levels and something in memory,
// uncompressed so that its files can be searched. Every hundredth entry has one
// of the texts.
func grown(t *testing.T, opts Options) (s *Store, dir string, doomed [][]byte) {
	dir = t.TempDir()
	s = openStore(t, dir, opts)
	const entries, some = 40_000, 500
	filler := bytes.Repeat([]byte("some of what else there is "), 15)
	for i := 0; i < entries; i += some {
		require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error {
			for j := i; j < i+some; j++ {
				key, value := fmt.Appendf(nil, "k%05d", j*7919%entries), filler
				text := ""
				switch j % 200 {
				case 0:
					text = planted
				case 100:
					text = keptText
				}
				if text != "" {
					key, value = append(key, text...), append(bytes.Clone(filler), text...)
				}
				if j%200 == 0 {
					doomed = append(doomed, key)
				}
				if err := tx.Put(key, value); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return s, dir, doomed
}

func deleteAll(t *testing.T, s *Store, keys [][]byte) {
	t.Helper()
	require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error {
		for _, key := range keys {
			if err := tx.Delete(key); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (s *Store) count(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, s.View(context.Background(), func(r store.Reader) error {
		for page := (store.Range{Limit: store.MaxScan, KeysOnly: true}); ; {
			found, err := r.Scan(page)
			if err != nil {
				return err
			}
			n += len(found)
			if len(found) < page.Limit {
				return nil
			}
			page.From = append(found[len(found)-1].Key, 0)
		}
	}))
	return n
}

// The bytes of what was deleted are in no file after a purge, and what was not
// is still there.
func TestPurge(t *testing.T) {
	s, dir, doomed := grown(t, Options{})
	deleteAll(t, s, doomed)
	put(t, s, "short-lived "+planted, []byte(planted)) // never on disk but in the log
	deleteAll(t, s, [][]byte{[]byte("short-lived " + planted)})
	require.NotEmpty(t, filesWith(t, dir, planted), "deleting alone leaves the bytes where they are")
	before := s.count(t)

	require.NoError(t, s.Purge())
	assert.Empty(t, filesWith(t, dir, planted))
	assert.NotEmpty(t, filesWith(t, dir, keptText))
	assert.Equal(t, before, s.count(t))
	put(t, s, "k", []byte("v"))
	require.NoError(t, s.Close())
	again := openStore(t, dir, Options{})
	assert.Equal(t, before+1, again.count(t))
	assert.Empty(t, filesWith(t, dir, planted))
	require.NoError(t, again.Purge(), "nothing to do")
}

// A compaction keeps what an open snapshot may read, at the bottom, where
// nothing is merged with it any more.
func TestPurgeOfWhatACompactionKeptForASnapshot(t *testing.T) {
	s, dir, doomed := grown(t, Options{})
	require.NoError(t, s.View(context.Background(), func(r store.Reader) error {
		deleteAll(t, s, doomed)
		require.NoError(t, s.engine.mark(nil))
		require.NoError(t, s.engine.flush())
		require.NoError(t, s.engine.db.Flatten(1))
		value, err := r.Get(doomed[0])
		assert.Contains(t, string(value), planted, "the snapshot has it still")
		return err
	}))
	require.NotEmpty(t, filesWith(t, dir, planted))
	require.NoError(t, s.engine.db.Flatten(1))
	require.NotEmpty(t, filesWith(t, dir, planted), "all is on one level: Badger has no reason to do anything")
	require.NoError(t, s.Purge())
	assert.Empty(t, filesWith(t, dir, planted))
	assert.NotEmpty(t, filesWith(t, dir, keptText))
}

// A purge waits for the snapshots of before it, and for no others.
func TestPurgeWaitsForOpenSnapshots(t *testing.T) {
	s, dir, doomed := grown(t, Options{})
	purged := make(chan error, 1)
	var over atomic.Bool
	require.NoError(t, s.View(context.Background(), func(r store.Reader) error {
		deleteAll(t, s, doomed)
		before := s.engine.readers.open
		go func() {
			err := s.Purge()
			assert.True(t, over.Load(), "it did not wait")
			purged <- err
		}()
		require.Eventually(t, func() bool {
			s.engine.readers.mu.RLock()
			defer s.engine.readers.mu.RUnlock()
			return s.engine.readers.open != before
		}, 10*time.Second, time.Millisecond, "it is waiting")
		assert.NotNil(t, get(t, s, "k00001"), "others read")
		put(t, s, "k", []byte("v")) // and write
		value, err := r.Get(doomed[0])
		assert.Contains(t, string(value), planted)
		over.Store(true)
		return err
	}))
	require.NoError(t, <-purged)
	assert.Empty(t, filesWith(t, dir, planted))
}

// Updates and views go on during purges, and nothing of them is lost.
func TestPurgeUnderTraffic(t *testing.T) {
	s, dir, doomed := grown(t, Options{})
	deleteAll(t, s, doomed)
	stop := make(chan struct{})
	var traffic sync.WaitGroup
	written := make([]int, 4)
	for i := range written {
		traffic.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Appendf(nil, "t%d-%d", i, n)
				err := s.Update(context.Background(), func(tx store.Tx) error {
					if _, err := tx.Get(key); err != nil {
						return err
					}
					return tx.Put(key, key)
				})
				if !assert.NoError(t, err) {
					return
				}
				written[i]++
				if n%50 == 0 {
					assert.Equal(t, key, get(t, s, string(key)))
				}
			}
		})
	}
	for range 3 {
		require.NoError(t, s.Purge())
	}
	close(stop)
	traffic.Wait()
	assert.Empty(t, filesWith(t, dir, planted))
	for i, n := range written {
		require.Positive(t, n)
		for j := range n {
			key := fmt.Sprintf("t%d-%d", i, j)
			require.Equal(t, []byte(key), get(t, s, key))
		}
	}
}

// What was deleted is gone within the interval, also when the store was opened
// again in between.
func TestPurgeOnSchedule(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).Unix())
	opts := Options{
		PurgeInterval: time.Hour, BallastBytes: -1, tick: time.Millisecond,
		Now: func() time.Time { return time.Unix(now.Load(), 0) },
	}
	s, dir, doomed := grown(t, opts)
	noted := func() bool { last, err := s.engine.purgedAt(); return err == nil && last.Unix() == now.Load() }
	require.Eventually(t, noted, 10*time.Second, time.Millisecond, "a new store begins to count")
	now.Add(45 * 60)
	require.NoError(t, s.Close())
	s = openStore(t, dir, opts)
	deleteAll(t, s, doomed)
	now.Add(14 * 60)
	s.engine.purgeIfDue()
	require.NotEmpty(t, filesWith(t, dir, planted), "one minute is left")
	now.Add(60)
	require.Eventually(t, noted, 20*time.Second, time.Millisecond)
	assert.Empty(t, filesWith(t, dir, planted))

	s.SetPurgeInterval(-1)
	put(t, s, planted, []byte("v"))
	deleteAll(t, s, [][]byte{[]byte(planted)})
	now.Add(100 * 3600)
	s.engine.purgeIfDue()
	assert.NotEmpty(t, filesWith(t, dir, planted), "never")
	s.SetPurgeInterval(time.Hour)
	require.Eventually(t, noted, 20*time.Second, time.Millisecond)
	assert.Empty(t, filesWith(t, dir, planted))
}

func TestPurgeOfAStoreThatCannotWrite(t *testing.T) {
	s, _, _ := openToLose(t)
	s.engine.broken.Store(true)
	require.ErrorIs(t, s.Purge(), store.ErrUnavailable)
	s.engine.purgeIfDue()
	s.engine.broken.Store(false)
	require.NoError(t, s.Purge())
	require.NoError(t, s.Close())
}
