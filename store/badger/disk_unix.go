//go:build linux || darwin || freebsd

package badger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/livechat-people/caddy-people-tracking/store"
)

func diskFree(dir string) (uint64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	return uint64(stat.Bavail) * uint64(stat.Bsize), nil //nolint:unconvert // signed on FreeBSD
}

// lockDir takes the lock that Badger takes on dir, until it is closed.
func lockDir(dir string) (io.Closer, error) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("badger: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: %s", store.ErrLocked, dir)
	}
	return nil, fmt.Errorf("badger: lock %s: %w", dir, err)
}
