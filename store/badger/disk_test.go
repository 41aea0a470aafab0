package badger

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

const mib = 1 << 20

// withDisk opens a store whose watchdog runs only when the test calls it.
func withDisk(t *testing.T, d *disk, ballast int64) *Store {
	return openStore(t, t.TempDir(), Options{DiskFree: d.read, BallastBytes: ballast, tick: time.Hour})
}

func tryPut(s *Store) error {
	return s.Update(context.Background(), func(tx store.Tx) error { return tx.Put([]byte("k"), []byte("v")) })
}

func TestUpdatesAreRefusedBeforeTheDiskIsFull(t *testing.T) {
	d := &disk{free: 1000 * mib}
	s := withDisk(t, d, -1)
	for _, step := range []struct {
		free uint64
		full bool
	}{
		{256 * mib, false},
		{256*mib - 1, true},
		{100 * mib, true},
		{256 * mib, true},     // not yet: it would fill again at once
		{320*mib - 1, true},   // a quarter more is needed
		{320 * mib, false},    // enough
		{256*mib + 1, false},  // and still
		{255 * mib, true},     // until here
		{10_000 * mib, false}, // someone made room
	} {
		d.set(step.free)
		s.engine.disk.check()
		err := tryPut(s)
		if step.full {
			require.ErrorIs(t, err, store.ErrUnavailable, "%d MiB free", step.free/mib)
			require.NotErrorIs(t, err, store.ErrUnknown)
		} else {
			require.NoError(t, err, "%d MiB free", step.free/mib)
		}
		assert.Equal(t, step.full, s.Stats().DiskFull)
		assert.Equal(t, []byte("v"), get(t, s, "k"), "reading goes on")
	}
}

func TestTheLimitGrowsWithTheTables(t *testing.T) {
	opts, err := Options{MemTableBytes: 64 * mib}.withDefaults()
	require.NoError(t, err)
	assert.EqualValues(t, 640*mib, newWatchdog("", opts).low)
}

func TestBallastIsDroppedOnAFullDiskAndMadeAgain(t *testing.T) {
	const size = 3*mib + 1
	d := &disk{free: 1000 * mib}
	s := withDisk(t, d, size)
	ballast := filepath.Join(s.engine.dir, ballastName)
	info, err := os.Stat(ballast)
	require.NoError(t, err)
	assert.EqualValues(t, size, info.Size())

	d.set(200 * mib) // low, and no need of the ballast
	s.engine.disk.check()
	assert.FileExists(t, ballast)
	d.set(127 * mib)
	s.engine.disk.check()
	assert.NoFileExists(t, ballast)
	d.set(320 * mib) // room to write, and not for the ballast
	s.engine.disk.check()
	require.NoError(t, tryPut(s))
	assert.NoFileExists(t, ballast)
	s.engine.disk.check()
	d.set(100 * mib)
	s.engine.disk.check()
	d.set(400 * mib)
	s.engine.disk.check()
	assert.FileExists(t, ballast)
}

func TestOpenOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	d := &disk{free: 1000 * mib}
	s := openStore(t, dir, Options{DiskFree: d.read, tick: time.Hour})
	require.NoError(t, tryPut(s))
	require.NoError(t, s.Close())

	d.set(31 * mib)
	_, err := Open(dir, Options{DiskFree: d.read})
	require.ErrorIs(t, err, store.ErrUnavailable)

	d.set(40 * mib) // enough to open and read
	s = openStore(t, dir, Options{DiskFree: d.read, tick: time.Hour})
	assert.Equal(t, []byte("v"), get(t, s, "k"))
	assert.ErrorIs(t, tryPut(s), store.ErrUnavailable)
}

func TestAnUnknownFreeSpaceStopsNothing(t *testing.T) {
	d := &disk{err: errUnknown}
	s := withDisk(t, d, 0)
	s.engine.disk.check()
	assert.NoError(t, tryPut(s))
}

func TestWatchdogRunsByItself(t *testing.T) {
	d := &disk{free: 1000 * mib}
	s := openStore(t, t.TempDir(), Options{DiskFree: d.read, tick: time.Millisecond})
	d.set(mib)
	for !s.Stats().DiskFull {
	}
	d.set(1000 * mib)
	for s.Stats().DiskFull {
	}
	require.NoError(t, tryPut(s))
}

func TestDiskFreeOfTheSystem(t *testing.T) {
	free, err := diskFree(t.TempDir())
	require.NoError(t, err)
	assert.Positive(t, free)
	_, err = diskFree(filepath.Join(t.TempDir(), "absent"))
	assert.Error(t, err)
}
