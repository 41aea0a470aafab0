package badger

import (
	"errors"

	"golang.org/x/sys/unix"
)

// exchange gives each of two directories the name of the other, at once where
// the file system can: there is a store under the name at any time.
func exchange(dir, fresh string) error {
	err := unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, fresh, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return exchangeByRenames(dir, fresh)
	}
	return err
}
