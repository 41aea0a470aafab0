//go:build linux || darwin || freebsd

package badger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

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

// openPlain opens a file for a few reads, and tells its size. os.Open would ask
// the system six times whether more than a plain file can be waited for.
func openPlain(path string) (plainFile, int64, error) {
	var stat unix.Stat_t
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil {
			if err = unix.Fstat(fd, &stat); err == nil {
				return plainFile(fd), stat.Size, nil
			}
			_ = unix.Close(fd)
		}
		return 0, 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
}

type plainFile int

func (f plainFile) ReadAt(b []byte, at int64) (int, error) {
	for {
		n, err := unix.Pread(int(f), b, at)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, err
		case n < len(b):
			return n, io.EOF
		default:
			return n, nil
		}
	}
}

func (f plainFile) Close() error { return unix.Close(int(f)) }

// diskBytes is what a file takes on the disk.
func diskBytes(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		const block = 512 // whatever the file system's own blocks are
		return stat.Blocks * block
	}
	return info.Size()
}

// ownerOf is the user to whom a file belongs.
func ownerOf(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// fileMark changes when a file is written, replaced or copied; nothing but the
// disk itself can change a file without it.
func fileMark(path string) (string, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return "", &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	mark := strconv.AppendUint(nil, uint64(stat.Ino), 10) //nolint:unconvert // shorter on some systems
	for _, n := range [...]int64{stat.Size, stat.Mtim.Nano(), stat.Ctim.Nano()} {
		mark = strconv.AppendInt(append(mark, ' '), n, 10)
	}
	return string(mark), nil
}

// sameFileSystem tells early what renaming dir would tell late.
func sameFileSystem(dir string) error {
	var here, above syscall.Stat_t
	if err := errors.Join(syscall.Stat(dir, &here), syscall.Stat(filepath.Dir(dir), &above)); err != nil {
		return fmt.Errorf("badger: %w", err)
	}
	if here.Dev != above.Dev {
		return fmt.Errorf("badger: %s is a file system of its own and cannot be replaced; a store in a folder below it can", dir)
	}
	return nil
}
