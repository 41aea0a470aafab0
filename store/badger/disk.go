package badger

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/livechat-people/caddy-people-tracking/store"
)

const ballastName = "BALLAST"

// watchdog refuses updates before the disk is full. Badger writes through
// mapped files: on a full disk that is SIGBUS, the end of the whole server and
// not only of the store.
type watchdog struct {
	dir      string
	log      *slog.Logger
	diskFree func(string) (uint64, error)

	low      uint64 // below: unavailable
	resume   uint64 // from here on: available again
	critical uint64 // below: the ballast is dropped
	least    uint64 // below: the store is not even opened
	ballast  int64

	full  atomic.Bool
	free  atomic.Uint64
	blind bool // the free space could not be told last time
}

func newWatchdog(dir string, o Options) *watchdog {
	low := uint64(max(o.MinFreeBytes, 0))
	return &watchdog{
		dir: dir, log: o.Logger, diskFree: o.DiskFree,
		low:    low,
		resume: low + low/4,
		// Compactions go on while updates are refused, and write new tables
		// before they delete the old ones; others may be filling the disk too.
		critical: low / 2,
		least:    uint64(4 * o.MemTableBytes), // logs, and a table of each
		ballast:  o.BallastBytes,
	}
}

// open checks the disk before Badger maps its files. On a disk that is almost
// full the ballast makes room to open the store for reading.
func (w *watchdog) open() error {
	w.check()
	if w.blind || w.free.Load() >= w.least {
		return nil
	}
	return fmt.Errorf("%w: %d bytes free in %s, %d are needed to open the store", store.ErrUnavailable, w.free.Load(), w.dir, w.least)
}

// err is nil while there is room to write.
func (w *watchdog) err() error {
	if !w.full.Load() {
		return nil
	}
	return fmt.Errorf("%w: %d bytes free on the disk, %d are needed", store.ErrUnavailable, w.free.Load(), w.resume)
}

// check reads the free space and decides. It logs when the answer changes.
func (w *watchdog) check() {
	free, ok := w.read()
	if !ok {
		return
	}
	if free < w.critical && w.dropBallast() {
		if free, ok = w.read(); !ok {
			return
		}
	}
	switch full := w.full.Load(); {
	case !full && free < w.low:
		w.full.Store(true)
		w.log.Error("disk almost full: updates are refused", w.place(), slog.Uint64("free", free), slog.Uint64("resumes_at", w.resume))
	case full && free >= w.resume:
		w.full.Store(false)
		w.log.Info("disk has room again: updates are accepted", w.place(), slog.Uint64("free", free))
		w.keepBallast()
	}
}

func (w *watchdog) read() (uint64, bool) {
	free, err := w.diskFree(w.dir)
	if err != nil {
		if !w.blind {
			w.log.Warn("free disk space unknown: a full disk will not be noticed", w.place(), slog.Any("error", err))
		}
		w.blind = true
		return 0, false
	}
	w.blind = false
	w.free.Store(free)
	return free, true
}

func (w *watchdog) dropBallast() bool {
	if os.Remove(w.ballastPath()) != nil {
		return false
	}
	w.log.Error("disk full: ballast dropped", w.place())
	return true
}

// keepBallast writes the ballast if it is missing and leaves room enough.
func (w *watchdog) keepBallast() {
	if w.ballast <= 0 || w.blind || w.free.Load() < w.resume+uint64(w.ballast) {
		return
	}
	if info, err := os.Stat(w.ballastPath()); err == nil && info.Size() == w.ballast {
		return
	}
	if err := writeZeros(w.ballastPath(), w.ballast); err != nil {
		w.log.Warn("ballast not written", w.place(), slog.Any("error", err))
	}
}

func (w *watchdog) place() slog.Attr { return slog.String("directory", w.dir) }

func (w *watchdog) ballastPath() string { return filepath.Join(w.dir, ballastName) }

// writeZeros writes real blocks: a file that is only sized takes no space.
func writeZeros(path string, size int64) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}()
	block := make([]byte, 1<<20)
	for size > 0 {
		n, err := file.Write(block[:min(size, int64(len(block)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}
