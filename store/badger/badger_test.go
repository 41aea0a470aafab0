package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/storetest"
)

func openStore(t *testing.T, dir string, opts Options) *Store {
	t.Helper()
	if opts.BallastBytes == 0 {
		opts.BallastBytes = -1
	}
	s, err := Open(dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func put(t *testing.T, s store.Store, key string, value []byte) {
	t.Helper()
	require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error { return tx.Put([]byte(key), value) }))
}

func get(t *testing.T, s store.Store, key string) []byte {
	t.Helper()
	var got []byte
	require.NoError(t, s.View(context.Background(), func(r store.Reader) (err error) {
		got, err = r.Get([]byte(key))
		return err
	}))
	return got
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openStore(t, t.TempDir(), Options{}) })
}

func TestOpenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "open")
	for i := range 3 {
		s := openStore(t, dir, Options{})
		assert.EqualValues(t, 2*i, s.Stats().Commit)
		put(t, s, fmt.Sprint(i), []byte("v"))
		put(t, s, "again", fmt.Append(nil, i))
		for j := range i {
			assert.Equal(t, []byte("v"), get(t, s, fmt.Sprint(j)))
		}
		require.NoError(t, s.Close())
	}
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "others can read people's data")
}

func TestOpenWarnsOfADirectoryThatOthersCanRead(t *testing.T) {
	for mode, warned := range map[os.FileMode]bool{0o700: false, 0o755: true, 0o710: true} {
		dir := t.TempDir()
		require.NoError(t, os.Chmod(dir, mode))
		var out bytes.Buffer
		openStore(t, dir, Options{Logger: slog.New(slog.NewTextHandler(&out, nil))})
		assert.Equal(t, warned, bytes.Contains(out.Bytes(), []byte("chmod 700")), "%v", mode)
	}
}

func TestOpenWarnsOfAnotherUsersDirectory(t *testing.T) {
	const another = 65534
	if os.Geteuid() != 0 {
		t.Skip("needs the right to give a directory away: run as root")
	}
	for owner, warned := range map[int]bool{0: false, another: true} {
		dir := t.TempDir()
		require.NoError(t, os.Chown(dir, owner, -1))
		var out bytes.Buffer
		openStore(t, dir, Options{Logger: slog.New(slog.NewTextHandler(&out, nil))})
		assert.Equal(t, warned, bytes.Contains(out.Bytes(), []byte("belongs to another user")), "%d", owner)
	}
}

func TestOpenLocked(t *testing.T) {
	dir := t.TempDir()
	openStore(t, dir, Options{})
	_, err := Open(dir, Options{})
	require.ErrorIs(t, err, store.ErrLocked)
	assert.ErrorContains(t, err, dir)
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	_, err := Open(t.TempDir(), Options{MemTableBytes: 4 << 20})
	require.ErrorContains(t, err, "too small")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Open(file, Options{})
	assert.Error(t, err)
}

// Several updates at every limit at once: what the Group takes for one commit,
// Badger must take too.
func TestCommitLimitsAreTrue(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	limits := s.engine.Limits()
	for name, size := range map[string]int{
		"most writes": 0,
		"most bytes":  limits.Bytes/limits.Writes - 10,
		"largest":     60_000,
	} {
		var writes []store.Write
		for i, bytes := 0, 0; i < limits.Writes; i++ {
			w := store.Write{Op: store.OpPut, Key: fmt.Appendf(nil, "%s%05d", name, i), Value: make([]byte, max(size, 1))}
			if bytes += len(w.Key) + len(w.Value); bytes > limits.Bytes {
				break
			}
			writes = append(writes, w)
		}
		batch, err := s.engine.Begin()
		require.NoError(t, err)
		assert.NoError(t, batch.Commit(writes), name)
		batch.Discard()
	}
	assert.GreaterOrEqual(t, limits.Writes, store.MaxWrites)
	assert.GreaterOrEqual(t, limits.Bytes, store.MaxWriteBytes)
}

// The keys Badger keeps for itself are refused, and that harms no other update.
func TestBadgersOwnKeys(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			key := fmt.Appendf(nil, "k%d", i)
			if i%4 == 0 {
				key = append([]byte("!badger!"), key...)
			}
			err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Put(key, []byte("v")) })
			if i%4 == 0 {
				assert.ErrorIs(t, err, store.ErrInvalid)
			} else {
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
}

func TestLoggerGivesBadgersMessagesToSlog(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	l := logger{to: log}
	l.Infof("compaction %d", 1)
	l.Debugf("table %d", 2)
	l.Warningf("%s might be too small. Metrics: %s\n", "Block cache", "hit: 1")
	l.Warningf("Cache life expectancy (in seconds): %+v\n", 2)
	assert.Empty(t, out.String())
	l.Warningf("value %d\n", 3)
	l.Errorf("broken %d", 4)
	assert.Contains(t, out.String(), "level=WARN msg=badger message=\"value 3\"\n")
	assert.Contains(t, out.String(), "level=ERROR msg=badger message=\"broken 4\"\n")
}

func TestStats(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{DiskFree: func(string) (uint64, error) { return 1 << 40, nil }})
	put(t, s, "a", []byte("v"))
	stats := s.Stats()
	assert.EqualValues(t, 1, stats.Commit)
	assert.EqualValues(t, 1, stats.Requests)
	assert.EqualValues(t, 1<<40, stats.DiskFree)
	assert.False(t, stats.DiskFull)
	assert.Zero(t, stats.TableBytes)
	require.NoError(t, s.Close())
	again := openStore(t, s.engine.dir, Options{})
	assert.Positive(t, again.Stats().TableBytes)
}

// A sync that failed may have lost what it was to write, and the next one
// succeeds all the same: nothing is accepted any more.
func TestAFailedWriteEndsWriting(t *testing.T) {
	failing := true
	dir := t.TempDir()
	var log bytes.Buffer
	s := openStore(t, dir, Options{
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError})),
		commit: func(txn *engine.Txn) error {
			if failing {
				return syscall.EIO
			}
			return txn.Commit()
		},
	})
	err := tryPut(s)
	require.ErrorIs(t, err, store.ErrUnknown)
	require.ErrorIs(t, err, store.ErrUnavailable)
	failing = false
	for range 2 {
		err = tryPut(s)
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.NotErrorIs(t, err, store.ErrUnknown, "nothing was tried")
	}
	assert.True(t, s.Stats().Broken)
	assert.Nil(t, get(t, s, "k"), "reading goes on")
	assert.Equal(t, 1, bytes.Count(log.Bytes(), []byte("write failed")))
	require.NoError(t, s.Close())
	require.NoError(t, tryPut(openStore(t, dir, Options{})))
}

func TestCollectingAnEmptyValueLogIsNoError(t *testing.T) {
	var log bytes.Buffer
	s := openStore(t, t.TempDir(), Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), GCInterval: -1})
	put(t, s, "k", []byte("v"))
	s.engine.collect()
	assert.NotContains(t, log.String(), "value log")
}

func TestReleaserWaitsForTheEndOfABurst(t *testing.T) {
	released := 0
	r := releaser{release: func() { released++ }}
	idle := func(ticks int) {
		for range ticks {
			r.tick(r.previous)
		}
	}
	r.tick(burstCommits - 1)
	idle(100)
	assert.Zero(t, released, "too little was written")
	for range 3 {
		r.tick(r.previous + burstCommits)
		idle(releaseTicks[0] - 1)
	}
	assert.Zero(t, released, "still writing")
	idle(1)
	assert.Equal(t, 1, released)
	idle(100)
	assert.Equal(t, len(releaseTicks), released, "Badger lets go of its buffers one by one")
	idle(100)
	r.tick(r.previous + 1)
	idle(100)
	assert.Equal(t, len(releaseTicks), released, "no other burst")
	r.tick(r.previous + burstCommits)
	idle(releaseTicks[0])
	r.tick(r.previous + 1)
	idle(100)
	assert.Equal(t, 2*len(releaseTicks)+1, released, "a burst in two")
}

// disk is a free space that tests set.
type disk struct {
	mu   sync.Mutex
	free uint64
	err  error
}

func (d *disk) read(string) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.free, d.err
}

func (d *disk) set(free uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = free
}

var errUnknown = errors.New("unknown")
