package badger

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// openToLose opens a store with a table in memory that Close has to write, and
// a log. It looks after its directory only when the test calls look.
func openToLose(t *testing.T) (s *Store, dir string, log *sharedLog) {
	log = new(sharedLog)
	dir = filepath.Join(t.TempDir(), "store")
	s, err := Open(dir, Options{
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelInfo})), BallastBytes: 4096, tick: time.Hour,
	})
	require.NoError(t, err)
	put(t, s, "k", []byte("v"))
	return s, dir, log
}

// sharedLog is read while Badger's goroutines write to it.
type sharedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *sharedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func assertLost(t *testing.T, s *Store) {
	t.Helper()
	require.True(t, s.engine.presence.look())
	require.True(t, s.engine.presence.look())
	assert.True(t, s.Stats().Lost)
	err := tryPut(s)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.NotErrorIs(t, err, store.ErrUnknown)
	require.ErrorIs(t, s.View(context.Background(), func(store.Reader) error { return nil }), store.ErrUnavailable)
}

// copyDir makes a directory with the files of another and different numbers.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
}

// engineGoroutines counts Badger's that write, of all stores of the process.
func engineGoroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return bytes.Count(stacks, []byte("badger/v4.(*DB).flushMemtable(")) + bytes.Count(stacks, []byte("badger/v4.(*levelsController).runCompactor("))
}

// files are the names and contents in dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
		all[entry.Name()] = string(content)
	}
	return all
}

func TestADirectoryThatIsThereIsNotLost(t *testing.T) {
	s, dir, _ := openToLose(t)
	require.False(t, s.engine.presence.look())
	require.NoError(t, os.Rename(filepath.Join(dir, engine.ManifestFilename), filepath.Join(dir, "aside")))
	require.NoError(t, os.Rename(filepath.Join(dir, "aside"), filepath.Join(dir, engine.ManifestFilename)))
	require.False(t, s.engine.presence.look())
	require.NoError(t, tryPut(s))
	require.NoError(t, s.Close())
}

// TestALostDirectory loses it in every way and closes the store, which without
// care never returns. In the end a store can be opened there again.
func TestALostDirectory(t *testing.T) {
	tests := []struct {
		name string
		lose func(t *testing.T, dir string)
		left bool // Badger is left alone, something else is there
		kept bool // what the store held is there when it is opened again
	}{
		{name: "removed", lose: func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(dir))
		}},
		{name: "removed with what it was in", lose: func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(filepath.Dir(dir)))
		}},
		{name: "emptied", lose: func(t *testing.T, dir string) {
			for name := range files(t, dir) {
				require.NoError(t, os.Remove(filepath.Join(dir, name)))
			}
		}},
		{name: "made anew", left: true, lose: func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, os.Mkdir(dir, 0o700))
		}},
		{name: "replaced by a file", left: true, lose: func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, os.WriteFile(dir, nil, 0o600))
			t.Cleanup(func() { _ = os.Remove(dir) })
		}},
		{name: "replaced by a copy", left: true, kept: true, lose: func(t *testing.T, dir string) {
			copyDir(t, dir, dir+".copy")
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, os.Rename(dir+".copy", dir))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			running := engineGoroutines()
			s, dir, log := openToLose(t)
			require.Greater(t, engineGoroutines(), running)
			test.lose(t, dir)
			assertLost(t, s)
			assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), log.String())
			assert.Contains(t, log.String(), "directory="+dir)

			var before map[string]string
			if test.kept {
				before = files(t, dir)
			}
			require.ErrorIs(t, s.Close(), store.ErrUnavailable)
			if test.kept {
				assert.Equal(t, before, files(t, dir), "Close ruined what was put there")
			}
			if !test.left {
				ended := func() bool { return engineGoroutines() <= running }
				require.Eventually(t, ended, 10*time.Second, time.Millisecond, "Badger still runs")
			}

			if info, err := os.Stat(dir); err == nil && !info.IsDir() {
				require.NoError(t, os.Remove(dir))
			}
			s = openStore(t, dir, Options{})
			if test.kept {
				assert.Equal(t, []byte("v"), get(t, s, "k"))
			} else {
				assert.Nil(t, get(t, s, "k"))
			}
			put(t, s, "k", []byte("new"))
			require.NoError(t, s.Close())
			s = openStore(t, dir, Options{})
			assert.Equal(t, []byte("new"), get(t, s, "k"))
		})
	}
}

// TestContentReplacedInPlace puts a backup into the directory of a running
// store: Close would delete the backup's log.
func TestContentReplacedInPlace(t *testing.T) {
	s, dir, _ := openToLose(t)
	backup := dir + ".backup"
	copyDir(t, dir, backup)
	for name := range files(t, dir) {
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
	}
	copyDir(t, backup, dir)
	assertLost(t, s)
	before := files(t, dir)
	require.ErrorIs(t, s.Close(), store.ErrUnavailable)
	require.Equal(t, before, files(t, dir))
	// The lock on the directory is held until the process ends.
	_, err := Open(dir, Options{})
	require.ErrorIs(t, err, store.ErrLocked)
}

func TestADirectoryMovedAwayAndBackIsClosedWhole(t *testing.T) {
	s, dir, _ := openToLose(t)
	require.NoError(t, os.Rename(dir, dir+".moved"))
	assertLost(t, s)
	require.NoError(t, os.Rename(dir+".moved", dir))
	assertLost(t, s) // until it is opened again
	require.ErrorIs(t, s.Close(), store.ErrUnavailable)
	assert.Equal(t, []byte("v"), get(t, openStore(t, dir, Options{}), "k"))
}

// TestCloseNoticesALossByItself closes before the watchdog looked.
func TestCloseNoticesALossByItself(t *testing.T) {
	s, dir, _ := openToLose(t)
	require.NoError(t, os.RemoveAll(dir))
	require.ErrorIs(t, s.Close(), store.ErrUnavailable)
	assert.NoDirExists(t, dir)
}

// TestALossNoticedByAWrite fills the table in memory: the next one cannot be
// made, and without it Badger panics when it is read.
func TestALossNoticedByAWrite(t *testing.T) {
	s, dir, log := openToLose(t)
	require.NoError(t, os.RemoveAll(dir))
	err := fillTables(s)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorIs(t, err, store.ErrUnknown)
	assert.Contains(t, log.String(), "removed or replaced")
	assertLost(t, s)
	require.ErrorIs(t, s.Close(), store.ErrUnavailable)
}

// fillTables updates until that fails.
func fillTables(s *Store) (err error) {
	value := bytes.Repeat([]byte("0123456789abcdef"), store.MaxValueBytes/16)
	for n := byte(0); err == nil; n++ {
		err = s.Update(context.Background(), func(tx store.Tx) error { return tx.Put([]byte{'f', n}, value) })
	}
	return err
}

func TestWatchdogNoticesTheLoss(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, err := Open(dir, Options{BallastBytes: -1, tick: time.Millisecond})
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	for !s.Stats().Lost {
	}
	require.ErrorIs(t, tryPut(s), store.ErrUnavailable)
	require.ErrorIs(t, s.Close(), store.ErrUnavailable)
}
