// Package badger keeps a store in Badger, embedded in the process. What is
// durable, which files there are and what happens when the disk is full stands
// in docs/storage.md.
package badger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// ErrBehind is returned by Open when the log ends before the last commit that
// was acknowledged: a flipped bit or a lost file took commits away. Nothing was
// changed. Restore a backup, or open with AcceptLoss.
var ErrBehind = errors.New("badger: acknowledged commits are missing")

// Store is a store in a directory.
type Store struct {
	*store.Group
	engine *bdb
}

// Open opens the store in dir, which is made if it does not exist. Another
// process that holds it makes it fail with store.ErrLocked, an almost full disk
// with store.ErrUnavailable, lost commits with ErrBehind, damage with ErrDamaged.
func Open(dir string, opts Options) (*Store, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("badger: %w", err)
	}
	warnAccess(dir, opts.Logger)
	b := &bdb{dir: dir, opts: opts, log: opts.Logger, readers: newReaders(), stop: make(chan struct{}), verified: make(chan struct{})}
	b.purgeEvery.Store(int64(opts.PurgeInterval))
	if err := b.open(); err != nil {
		return nil, err
	}
	group := store.NewGroup(b, store.GroupOptions{
		Queue: opts.Queue, Batch: opts.Batch, Cache: int(opts.RecordCacheBytes), Now: opts.Now,
	})
	b.forget.Store(new(group.Forget))
	return &Store{Group: group, engine: b}, nil
}

// warnAccess tells when other users of the machine can read the directory, and
// with it what is kept about people: Badger's files do not prevent it. And when
// it is another user's, as where root runs a command on the server's store.
func warnAccess(dir string, log *slog.Logger) {
	info, err := os.Stat(dir)
	if err != nil {
		return
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		log.Warn("other users of this machine can enter the store's directory: chmod 700 keeps them out",
			slog.String("directory", dir), slog.String("mode", info.Mode().Perm().String()))
	}
	if owner, known := ownerOf(info); known && owner != os.Geteuid() {
		log.Warn("the store's directory belongs to another user, who may not be able to open the files that are made now",
			slog.String("directory", dir), slog.Int("owner", owner), slog.Int("user", os.Geteuid()))
	}
}

// bdb is the engine below the Group.
type bdb struct {
	dir  string
	opts Options
	log  *slog.Logger
	db   *engine.DB

	committed atomic.Uint64 // number of the last commit that was synced
	broken    atomic.Bool   // a commit failed, see fail
	headless  atomic.Bool   // and left Badger without a table in memory
	damaged   atomic.Bool   // a table does not have the content that was written
	side      *sideFile
	commitLog *commitLog
	verified  chan struct{} // closed once every table was read since Open
	disk      *watchdog
	presence  *presence
	giveUp    *giveUp
	readers   *readers

	writing    sync.Mutex   // held while something is committed
	purging    sync.Mutex   // held while a purge is under way
	purgeEvery atomic.Int64 // time.Duration, see Options.PurgeInterval
	purges     atomic.Uint64

	// verifiedAt is when every table was last read, the note's until it is done
	// again. It belongs to the job that reads, and to Open and Close.
	verifiedAt time.Time

	forget atomic.Pointer[func()] // empties the Group's cache, once there is one

	stop chan struct{} // closed by Close
	jobs sync.WaitGroup
}

func (b *bdb) open() (err error) {
	b.disk = newWatchdog(b.dir, b.opts)
	b.presence = &presence{dir: b.dir, log: b.log}
	b.giveUp = &giveUp{lost: &b.presence.lost}
	if err := b.disk.open(); err != nil {
		return err
	}
	if err := b.verify(); err != nil {
		return err
	}
	err = guarded(func() (err error) { // it reads its logs in this goroutine
		b.db, err = engine.Open(b.opts.engineOptions(b.dir).WithLogger(logger{b.log, b.giveUp}))
		return err
	})
	if err != nil {
		return b.cause(openError(b.dir, err))
	}
	defer func() {
		if err != nil {
			_ = b.db.Close()
			b.commitLog.close()
		}
	}()
	b.commitLog = newCommitLog(b.dir, b.opts)
	if err = b.commitLog.find(); err != nil {
		return err
	}
	if err = b.checkCommits(); err != nil {
		return b.cause(err)
	}
	if err = b.presence.own(b.side.file); err != nil {
		return errors.Join(err, b.side.close())
	}
	b.disk.keepBallast() // after the lock on the directory is ours
	b.start()
	return nil
}

// cause looks for one in the tables if they were not read before. Badger cannot
// open what is damaged at its end, and what looks like a commit that is missing
// may be a block that is.
func (b *bdb) cause(err error) error {
	if b.isVerified() || errors.Is(err, store.ErrLocked) {
		return err
	}
	tables, listErr := liveTables(b.dir, b.opts.engineOptions(b.dir))
	return cmp.Or(listErr, b.readAll(tables), err)
}

// openError names the directory where it is held by another process. Badger
// tells that by its text only.
func openError(dir string, err error) error {
	if strings.Contains(err.Error(), "Cannot acquire directory lock") {
		return fmt.Errorf("%w: %s", store.ErrLocked, dir)
	}
	return fmt.Errorf("badger: open %s: %w", dir, err)
}

// Limits implements store.Engine.
func (b *bdb) Limits() store.CommitLimits { return b.opts.commitLimits() }

// Snapshot implements store.Engine.
func (b *bdb) Snapshot(context.Context) (store.Snapshot, error) {
	if err := b.presence.err(); err != nil {
		return nil, err
	}
	if b.headless.Load() {
		return nil, errReopen
	}
	over := b.readers.begin()
	return &snapshot{txn: b.db.NewTransaction(false), over: over}, nil
}

// Begin implements store.Engine.
func (b *bdb) Begin() (store.Batch, error) {
	if err := b.presence.err(); err != nil {
		return nil, err
	}
	if err := b.disk.err(); err != nil {
		return nil, err
	}
	if b.broken.Load() {
		return nil, errReopen
	}
	over := b.readers.begin()
	return &batch{snapshot: snapshot{txn: b.db.NewTransaction(false), over: over}, b: b}, nil
}

var errReopen = fmt.Errorf("%w: an earlier write to the disk failed, the store has to be opened again", store.ErrUnavailable)

// fail ends writing until the store is opened again. After a write or a sync
// that failed the system may have thrown the pages away, and the next sync
// succeeds without them; Badger may hold half of the commit in memory. Opening
// reads what the disk really has.
func (b *bdb) fail(err error) error {
	if strings.Contains(err.Error(), "cannot create new mem table") {
		b.headless.Store(true) // reading panics from now on, it begins with that table
	}
	if !b.broken.Swap(true) && !b.presence.look() {
		b.log.Error("write failed: updates are refused until the store is opened again",
			slog.String("directory", b.dir), slog.Any("error", err))
	}
	return fmt.Errorf("%w, %w: %w", store.ErrUnavailable, store.ErrUnknown, err)
}

// Close implements store.Engine. It ends, with an error, also when Badger can
// write no more: what was acknowledged is in its log then, as after a crash. A
// Badger whose directory was replaced is left alone until the process ends.
func (b *bdb) Close() error {
	close(b.stop)
	b.jobs.Wait()
	b.purging.Lock() // one that somebody asked for
	defer b.purging.Unlock()
	b.presence.look()
	if !b.presence.closable() {
		b.commitLog.close()
		return errors.Join(fmt.Errorf("not closed: %w", b.presence.err()), b.side.close())
	}
	b.giveUp.closing.Store(true)
	if b.disk.full.Load() {
		b.disk.dropBallast() // closing writes tables
	}
	err := b.db.Close()
	b.commitLog.close()
	// The log now ends where it was acknowledged to end.
	err = errors.Join(b.presence.err(), err, b.side.write(b.committed.Load()), b.side.close())
	if err == nil && !b.broken.Load() && !b.damaged.Load() && !b.verifiedAt.IsZero() {
		b.leaveNote()
	}
	return err
}
