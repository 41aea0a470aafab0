//go:build linux

package badger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// TestAFullDiskDoesNotEndTheProcess fills a real file system. Without the
// watchdog Badger's mapped log gets SIGBUS there, which ends this test binary.
func TestAFullDiskDoesNotEndTheProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 300 MB: run without -short")
	}
	dir := t.TempDir()
	if err := syscall.Mount("people-test", dir, "tmpfs", 0, "size=640m"); err != nil {
		t.Skip("needs the right to mount a file system: run as root")
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	s := openStore(t, filepath.Join(dir, "store"), Options{
		BallastBytes: 64 * mib, tick: 10 * time.Millisecond,
	})
	written := fillDisk(t, s)
	assert.Positive(t, written)

	// Others go on until so little is left that the ballast is dropped.
	other, err := os.Create(filepath.Join(dir, "other"))
	require.NoError(t, err)
	for range time.Tick(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(s.engine.dir, ballastName)); err != nil {
			break
		}
		_, err = other.Write(make([]byte, mib))
		require.NoError(t, err)
	}
	require.NoError(t, other.Close())
	refusedOrStored(t, s)
	for i := range written {
		require.NotNil(t, get(t, s, fmt.Sprintf("k%06d", i)))
	}

	require.NoError(t, s.Close())
	s = openStore(t, s.engine.dir, Options{tick: time.Hour})
	refusedOrStored(t, s)
	require.NoError(t, os.Remove(other.Name()))
	s.engine.disk.check()
	t.Log(s.Stats().DiskFree/mib, "MiB free of 640")
	for i := range written {
		require.NotNil(t, get(t, s, fmt.Sprintf("k%06d", i)))
	}
}

// refusedOrStored updates the store: compactions may have made room meanwhile.
func refusedOrStored(t *testing.T, s *Store) {
	t.Helper()
	if err := tryPut(s); err != nil {
		assert.ErrorIs(t, err, store.ErrUnavailable)
		assert.NotErrorIs(t, err, store.ErrUnknown)
	}
}

// fillDisk writes until updates are refused and returns how many were not.
func fillDisk(t *testing.T, s *Store) int {
	t.Helper()
	value := make([]byte, store.MaxValueBytes)
	for n := 0; ; n++ {
		_, _ = rand.Read(value)
		err := s.Update(context.Background(), func(tx store.Tx) error { return tx.Put(fmt.Appendf(nil, "k%06d", n), value) })
		if errors.Is(err, store.ErrUnavailable) {
			return n
		}
		require.NoError(t, err)
	}
}
