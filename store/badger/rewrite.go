package badger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// ErrNoStore is returned where a directory that should hold a store holds none.
var ErrNoStore = errors.New("badger: there is no store")

// Exists returns nil when dir holds a store, ErrNoStore when it does not, or
// why that cannot be told. It opens nothing.
func Exists(dir string) error {
	_, err := os.Stat(filepath.Join(dir, engine.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w in %s", ErrNoStore, dir)
	}
	return err
}

// Rewritten is what Rewrite did.
type Rewritten struct {
	Entries       uint64
	Before, After int64 // bytes on disk, without the ballast
}

// rewriteSuffix is added to the name of the directory while the fresh one is
// written, and to the old one while it is deleted.
const rewriteSuffix = ".rewriting"

// Rewrite puts a copy of the store in dir in its place. Nothing of what was
// deleted from the store is in the files afterwards. Nobody may have the store
// open (store.ErrLocked). There must be room for the copy beside the original,
// which stays untouched until the copy was read again and compared. A copy
// that an interrupted Rewrite left behind is thrown away.
func Rewrite(ctx context.Context, dir string, log *slog.Logger, progress store.Progress) (done Rewritten, err error) {
	if err := Exists(dir); err != nil {
		return done, err
	}
	fresh := dir + rewriteSuffix
	if err := sameFileSystem(dir); err != nil {
		return done, err
	}
	if err := os.RemoveAll(fresh); err != nil {
		return done, fmt.Errorf("badger: what an earlier rewrite left behind: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(fresh)
		}
	}()
	mark, entries, err := copyInto(ctx, dir, fresh, log, progress)
	if err != nil {
		return done, err
	}
	done.Entries = entries
	if done.Before, err = bytesOf(dir); err != nil {
		return done, err
	}
	if done.After, err = bytesOf(fresh); err != nil {
		return done, err
	}
	if err := swap(dir, fresh, mark); err != nil {
		return done, err
	}
	return done, os.RemoveAll(fresh) // the old one by now
}

// copyInto copies the store in dir into the new directory fresh, and reads it
// again. It returns the number of the last commit in dir.
func copyInto(ctx context.Context, dir, fresh string, log *slog.Logger, progress store.Progress) (mark, entries uint64, err error) {
	from, err := Open(dir, aside(log))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := Open(fresh, aside(log))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	sum, err := store.Copy(ctx, from, to, progress)
	if err != nil {
		return 0, 0, err
	}
	again, err := store.SumOf(ctx, to, nil)
	if err == nil && again != sum {
		err = errors.New("badger: the copy does not hold what was written to it; the disk or the memory is faulty")
	}
	return from.Stats().Commit, sum.Entries, err
}

// aside opens a store without anything that runs beside its use.
func aside(log *slog.Logger) Options {
	return Options{Logger: log, BallastBytes: -1, GCInterval: -1, VerifyInterval: -1, PurgeInterval: -1}
}

// swap puts fresh in the place of dir and the other way round. Nobody can open
// either meanwhile, and nobody has written to dir since the commit mark.
func swap(dir, fresh string, mark uint64) error {
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	side, last, err := openSide(filepath.Join(dir, sideName))
	if err != nil {
		return err
	}
	if err := side.close(); err != nil {
		return err
	}
	if last != mark {
		return fmt.Errorf("%w: it was opened and changed while it was copied: %s", store.ErrLocked, dir)
	}
	if err := exchange(dir, fresh); err != nil {
		return fmt.Errorf("badger: put the copy in the place of %s: %w", dir, err)
	}
	return syncDir(filepath.Dir(dir))
}

// exchangeByRenames is what systems do that cannot exchange two names at once. If
// the process ends between the two, dir is missing and stands beside it.
func exchangeByRenames(dir, fresh string) error {
	aside := dir + ".before"
	if err := os.Rename(dir, aside); err != nil {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return errors.Join(err, os.Rename(aside, dir))
	}
	return os.Rename(aside, fresh)
}

func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("badger: %w", err)
	}
	defer func() { _ = file.Close() }()
	if err := file.Sync(); err != nil {
		return fmt.Errorf("badger: sync %s: %w", dir, err)
	}
	return nil
}

// bytesOf is what a directory takes on the disk. The logs are larger by their
// names than on the disk.
func bytesOf(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == ballastName {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += diskBytes(info)
		}
		return err
	})
	return total, err
}
