package badger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

func TestSideFileSurvivesAWriteCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "side")
	s, number, err := openSide(path)
	require.NoError(t, err)
	assert.Zero(t, number)
	for n := uint64(1); n < 6; n++ {
		require.NoError(t, s.write(n))
	}
	require.NoError(t, s.close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range 2 * recordSize {
		broken := append([]byte(nil), whole...)
		broken[i] ^= 0x40
		require.NoError(t, os.WriteFile(path, broken, 0o600))
		s, number, err := openSide(path)
		require.NoError(t, err)
		assert.Contains(t, []uint64{4, 5}, number, "byte %d", i)
		require.NoError(t, s.write(9), "byte %d", i)
		require.NoError(t, s.close())
		s, number, err = openSide(path)
		require.NoError(t, err)
		assert.EqualValues(t, 9, number)
		require.NoError(t, s.close())
	}
}

// written makes a store with n commits and closes it without flushing its log,
// as a crash leaves it: the files are copied while it runs.
func written(t *testing.T, n int) string {
	t.Helper()
	dir, copied := t.TempDir(), t.TempDir()
	s := openStore(t, dir, Options{tick: time.Hour})
	for i := range n {
		put(t, s, fmt.Sprintf("k%04d", i), fmt.Appendf(nil, "value %d", i))
	}
	require.NoError(t, s.engine.side.write(s.engine.committed.Load()))
	require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
	return copied
}

func memLog(t *testing.T, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	return logs[0]
}

func change(t *testing.T, path string, fn func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, fn(data), 0o600))
}

func TestACrashLosesNothing(t *testing.T) {
	s := openStore(t, written(t, 200), Options{})
	for i := range 200 {
		assert.Equal(t, fmt.Appendf(nil, "value %d", i), get(t, s, fmt.Sprintf("k%04d", i)))
	}
}

// One flipped bit in the log makes Badger drop everything behind it, silently.
func TestLostCommitsAreNoticedAtStart(t *testing.T) {
	used := func(data []byte) int { // bytes of the log that are written
		n := len(data)
		for n > 0 && data[n-1] == 0 {
			n--
		}
		return n
	}
	for name, damage := range map[string]func([]byte) []byte{
		"fail/flipped bit": func(data []byte) []byte { data[used(data)/2] ^= 1; return data },
		"fail/torn tail":   func(data []byte) []byte { clear(data[used(data)*3/4:]); return data },
		"fail/cut short":   func(data []byte) []byte { return data[:used(data)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := written(t, 200)
			change(t, memLog(t, dir), damage)
			_, err := Open(dir, Options{BallastBytes: -1})
			require.ErrorIs(t, err, ErrBehind)
			require.ErrorContains(t, err, "200 was acknowledged")
			require.ErrorContains(t, err, dir)
			_, err = Open(dir, Options{BallastBytes: -1})
			require.ErrorIs(t, err, ErrBehind, "a refused open must not make the next succeed")

			s := openStore(t, dir, Options{AcceptLoss: true})
			assert.Equal(t, []byte("value 1"), get(t, s, "k0001"))
			assert.Nil(t, get(t, s, "k0199"))
			assert.EqualValues(t, 200, s.Stats().Commit)
			require.NoError(t, s.Close())
			s = openStore(t, dir, Options{})
			put(t, s, "k", []byte("v"))
			assert.EqualValues(t, 201, s.Stats().Commit)
		})
	}
}

// A part of the disk that cannot be read is a panic in the middle of Badger's
// reading of its log. Keys too short for their version are, too.
func TestALogThatBadgerDoesNotSurvive(t *testing.T) {
	dir := written(t, 20)
	change(t, memLog(t, dir), func(log []byte) []byte {
		record := append([]byte{0, 0, 3, 5, 0}, "keyvalue"...) // lengths of key and value, no expiry
		record = binary.BigEndian.AppendUint32(record, crc32.Checksum(record, castagnoli))
		const header = 20
		copy(log[header:], append(record, record...))
		return log
	})
	for range 2 {
		_, err := Open(dir, Options{BallastBytes: -1})
		require.ErrorContains(t, err, "not readable")
		require.NotErrorIs(t, err, store.ErrLocked)
	}
}

// A tail that was never acknowledged may be torn: that is an ordinary crash.
func TestATornTailThatWasNotAcknowledged(t *testing.T) {
	dir := written(t, 50)
	change(t, memLog(t, dir), func(data []byte) []byte {
		n := len(data)
		for data[n-1] == 0 {
			n--
		}
		return append(data[:n], 0x5a, 0x5a, 0x5a)
	})
	s := openStore(t, dir, Options{})
	assert.Equal(t, []byte("value 49"), get(t, s, "k0049"))
	put(t, s, "k", []byte("v"))
}

func TestAStoreWithoutSideFileOpens(t *testing.T) {
	dir := written(t, 5)
	require.NoError(t, os.Remove(filepath.Join(dir, sideName)))
	s := openStore(t, dir, Options{})
	assert.EqualValues(t, 5, s.Stats().Commit)
}

func TestTheLastCommitIsNotedEachTick(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{tick: time.Millisecond})
	put(t, s, "k", []byte("v"))
	for {
		side, number, err := openSide(filepath.Join(dir, sideName))
		require.NoError(t, err)
		require.NoError(t, side.close())
		if number == 1 {
			return
		}
	}
}

// A damaged table is noticed at start, or the damage is of no consequence:
// never another value, never a key that is gone.
func TestAFlippedBitInATable(t *testing.T) {
	opts := Options{BallastBytes: -1}
	const keys, parts = 500, 40
	dir := t.TempDir()
	s := openStore(t, dir, opts)
	for i := range keys {
		put(t, s, fmt.Sprintf("k%04d", i), fmt.Appendf(nil, "value %d", i))
	}
	require.NoError(t, s.Close())
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	noticed := 0
	for part := range parts {
		damaged := t.TempDir()
		require.NoError(t, os.CopyFS(damaged, os.DirFS(dir)))
		change(t, filepath.Join(damaged, filepath.Base(tables[0])), func(data []byte) []byte {
			data[len(data)*part/parts] ^= 1
			return data
		})
		s, err := Open(damaged, opts)
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			noticed++
			continue
		}
		for i := range keys {
			assert.Equal(t, fmt.Sprintf("value %d", i), string(get(t, s, fmt.Sprintf("k%04d", i))), "part %d", part)
		}
		require.NoError(t, s.Close())
	}
	assert.Greater(t, noticed, parts*3/4)
	t.Logf("%d of %d noticed", noticed, parts)
}

func TestADamagedTableCanBeAccepted(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	for i := range 10 {
		put(t, s, fmt.Sprint("k", i), make([]byte, 2000))
	}
	require.NoError(t, s.Close())
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	require.NoError(t, err)
	change(t, tables[0], func(data []byte) []byte { data[3000] ^= 1; return data })
	_, err = Open(dir, Options{})
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, tables[0])
	s = openStore(t, dir, Options{AcceptLoss: true})
	assert.NotNil(t, get(t, s, "k9"))
	put(t, s, "k", []byte("v"))
}

// Badger answers as if the keys of a damaged block were absent: a store that is
// in use looks for it itself.
func TestATableIsDamagedWhileTheStoreIsOpen(t *testing.T) {
	dir := t.TempDir()
	var reads atomic.Int64
	s := openStore(t, dir, Options{VerifyInterval: time.Millisecond, readTable: func(t liveTable) error {
		defer reads.Add(1)
		return readTable(t)
	}})
	for i := range 10 {
		put(t, s, fmt.Sprint("k", i), make([]byte, 2000))
	}
	require.NoError(t, s.Purge()) // writes a table
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	require.NoError(t, err)
	require.Len(t, tables, 1)
	whole := reads.Load() + 2
	require.Eventually(t, func() bool { return reads.Load() >= whole }, 10*time.Second, time.Millisecond)
	assert.False(t, s.Stats().Damaged)
	file, err := os.OpenFile(tables[0], os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte{0xff}, 3000)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Eventually(t, func() bool { return s.Stats().Damaged }, 10*time.Second, time.Millisecond)
	put(t, s, "k", []byte("v")) // what can go on does
}
