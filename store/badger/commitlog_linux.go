package badger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// With SyncWrites Badger syncs two files for every commit: the log of the table
// in memory, and the value log, in which nothing ever is. The second costs as
// much as the disk takes to flush its cache. So the log is synced here, see
// docs/decisions. Linux writes back with the file what was written through a
// mapping of it; elsewhere nobody promises that.
const badgerSyncs = false

// commitLog is the log that commits go to: that of the table in memory, which
// Badger begins anew with each table, under the next number.
type commitLog struct {
	dir    string
	most   int64 // bytes of a log that one commit may take
	number int
	file   *os.File
}

func newCommitLog(dir string, opts Options) *commitLog {
	return &commitLog{dir: dir, most: opts.MemTableBytes / 4} // a commit is at most 15 %, see commitLimits
}

func (l *commitLog) path(number int) string {
	return filepath.Join(l.dir, fmt.Sprintf("%05d%s", number, commitLogSuffix))
}

// find takes the newest log. Badger has begun it.
func (l *commitLog) find() error {
	names, err := filepath.Glob(filepath.Join(l.dir, "*"+commitLogSuffix))
	if err != nil {
		return fmt.Errorf("badger: %w", err)
	}
	newest := -1
	for _, name := range names {
		if n, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(name), commitLogSuffix)); err == nil {
			newest = max(newest, n)
		}
	}
	if newest < 0 {
		return fmt.Errorf("badger: %s has no log of a table in memory", l.dir)
	}
	return l.take(newest)
}

// take goes over to a log; it fails with fs.ErrNotExist when there is none of
// that number.
func (l *commitLog) take(number int) error {
	file, err := os.OpenFile(l.path(number), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("badger: log of the table in memory: %w", err)
	}
	if l.file != nil {
		_ = l.file.Close() // it is synced
	}
	l.file, l.number = file, number
	return nil
}

// sync makes durable what was committed since the last one, a single commit
// that wrote key. It is in one log as a whole; the first that did not fit into
// one begins the next.
func (l *commitLog) sync(key []byte) error {
	for {
		if err := l.datasync(); err != nil {
			return fmt.Errorf("badger: sync %s: %w", l.file.Name(), err)
		}
		switch err := l.take(l.number + 1); {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		}
		if err := l.holds(key); err != nil {
			return err
		}
		// Its name, too: syncing a file does not promise that.
		if err := syncDir(l.dir); err != nil {
			return err
		}
	}
}

func (l *commitLog) datasync() error {
	for {
		if err := unix.Fdatasync(int(l.file.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// holds says that a log which was just begun is the one that the commit went
// to. Nothing would be durable any more if Badger came to keep its log
// elsewhere.
func (l *commitLog) holds(key []byte) error {
	part := make([]byte, 64<<10)
	for at := int64(0); at < l.most; at += int64(len(part) - len(key)) {
		n, err := l.file.ReadAt(part, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("badger: read %s: %w", l.file.Name(), err)
		}
		if bytes.Contains(part[:n], key) {
			return nil
		}
	}
	return fmt.Errorf("badger: %s is not where commits go: this version of Badger is not known", l.file.Name())
}

func (l *commitLog) close() {
	if l.file != nil {
		_ = l.file.Close() // all that was acknowledged is synced
	}
}
