//go:build linux

package badger

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// TestADirectoryThatTakesNoFiles makes a directory read-only, as a system does
// after an error of the disk. Badger's Close would wait for ever.
func TestADirectoryThatTakesNoFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for Badger's attempts: run without -short")
	}
	for _, full := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "store")
		s, err := Open(dir, Options{BallastBytes: -1, tick: time.Hour})
		require.NoError(t, err)
		put(t, s, "k", []byte("v"))
		if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
			require.NoError(t, s.Close())
			t.Skip("needs the right to mount a file system: run as root")
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		require.NoError(t, syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
		require.False(t, s.engine.presence.look(), "it is there")
		if full {
			require.ErrorIs(t, fillTables(s), store.ErrUnavailable)
			assert.True(t, s.Stats().Broken)
			require.ErrorIs(t, tryPut(s), store.ErrUnavailable)
			require.ErrorIs(t, s.View(context.Background(), func(r store.Reader) error {
				_, err := r.Get([]byte("k"))
				return err
			}), store.ErrUnavailable)
		}
		require.ErrorContains(t, s.Close(), "read-only file system")

		require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH))
		s = openStore(t, dir, Options{})
		assert.Equal(t, []byte("v"), get(t, s, "k"), "it was in the log")
		require.NoError(t, tryPut(s))
	}
}
