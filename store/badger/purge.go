package badger

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// What is deleted can be read no more, but its bytes stay: in the table in
// memory and its log until that is full, in the tables on disk until a
// compaction happens to meet both the key and its deletion. A purge makes that
// happen for everything that was deleted before it.

var (
	// flushKey is there during a purge only. Dropping it is the one way to have
	// Badger write the table in memory to disk without closing.
	flushKey = []byte("\x00flush")
	// purgedKey holds when the last purge ended, in seconds since 1970.
	purgedKey = []byte("\x00purged")
)

// Purge removes the bytes of everything that was deleted until now from the
// files. Updates wait for some tenths of a second, and views go on. It rewrites
// a large part of the store, for which it needs as much free space, and it waits
// for the views that are open when it begins, a backup for instance, and for the
// check of all tables that follows a fast Open.
func (s *Store) Purge() error { return s.engine.purge() }

// SetPurgeInterval changes Options.PurgeInterval.
func (s *Store) SetPurgeInterval(interval time.Duration) { s.engine.purgeEvery.Store(int64(interval)) }

// purgeIfDue is called now and then.
func (b *bdb) purgeIfDue() {
	interval := time.Duration(b.purgeEvery.Load())
	if interval <= 0 || !b.isVerified() || b.broken.Load() || b.presence.lost.Load() || b.disk.full.Load() {
		return
	}
	last, err := b.purgedAt()
	if err == nil && last.IsZero() { // a new store
		err = b.notePurge()
	} else if err == nil && b.opts.Now().Sub(last) >= interval {
		err = b.purge()
	}
	if err != nil {
		b.log.Warn("deleted data not purged from the files", slog.Any("error", err))
	}
}

func (b *bdb) purge() error {
	b.purging.Lock() // until it is over, also against Close
	defer b.purging.Unlock()
	if err := b.presence.err(); err != nil {
		return err
	}
	// It rewrites tables, and drops what it cannot read.
	select {
	case <-b.verified:
	case <-b.stop:
	}
	if b.closing() {
		return store.ErrClosed
	}
	start := time.Now()
	if err := b.markPurge(); err != nil {
		return fmt.Errorf("badger: purge: %w", err)
	}
	// Badger keeps what an open snapshot may read.
	b.readers.renew().Wait()
	if err := b.flush(); err != nil {
		return fmt.Errorf("badger: purge: %w", err)
	}
	if err := b.db.Flatten(1); err != nil {
		return fmt.Errorf("badger: purge: %w", err)
	}
	if left := b.stale(); len(left) > 0 {
		b.log.Info("some deleted data stays until the next purge", slog.Int("tables", len(left)))
	}
	b.purges.Add(1)
	b.log.Debug("deleted data purged from the files", slog.Duration("took", time.Since(start)))
	return b.notePurge()
}

func (b *bdb) closing() bool {
	select {
	case <-b.stop:
		return true
	default:
		return false
	}
}

// markPurge writes a deletion into the range of each table that holds deleted
// data although nothing is left to be merged with it, so that it is rewritten.
//
// Badger discards what is older than a snapshot that was closed and has no
// older one open. Between the two commits there is one that nobody else has.
func (b *bdb) markPurge() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	if b.broken.Load() {
		return errReopen
	}
	touch := [][]byte{}
	for _, t := range b.stale() {
		key, err := b.unused(t.Left)
		if err != nil {
			return err
		}
		touch = append(touch, key)
	}
	for len(touch) > 0 {
		some := min(len(touch), store.MaxWrites)
		if err := b.mark(touch[:some]); err != nil {
			return err
		}
		touch = touch[some:]
	}
	if err := b.mark(nil); err != nil {
		return err
	}
	b.db.NewTransaction(false).Discard()
	return b.mark(nil)
}

func (b *bdb) mark(touch [][]byte) error {
	txn := b.db.NewTransaction(true)
	defer txn.Discard()
	err := txn.Set(flushKey, []byte{1})
	for _, key := range touch {
		err = errors.Join(err, txn.Delete(key))
	}
	if err != nil {
		return err
	}
	return b.commit(txn, flushKey)
}

// stale are the tables at the bottom that hold deleted data.
func (b *bdb) stale() (tables []engine.TableInfo) {
	bottom := 0
	for _, t := range b.db.Tables() {
		if t.Level > bottom {
			bottom, tables = t.Level, tables[:0]
		}
		if t.Level == bottom && t.StaleDataSize > 0 {
			tables = append(tables, t)
		}
	}
	return tables
}

// unused is a key directly behind the first of a table, and one that nobody has.
func (b *bdb) unused(left []byte) ([]byte, error) {
	const version = 8 // bytes at the end of Badger's own form of keys
	if len(left) < version {
		return nil, errors.New("a table begins with no key")
	}
	txn := b.db.NewTransaction(false)
	defer txn.Discard()
	for key := append([]byte(nil), left[:len(left)-version]...); ; {
		key = append(key, 0)
		if _, err := txn.Get(key); errors.Is(err, engine.ErrKeyNotFound) {
			return key, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// flush writes the table in memory to disk and begins a new log. Badger refuses
// commits meanwhile, which would be taken for a broken disk.
func (b *bdb) flush() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	if b.broken.Load() {
		return errReopen
	}
	if err := b.db.DropPrefix(flushKey); err != nil {
		return b.fail(err)
	}
	if err := errors.Join(b.commitLog.find(), syncDir(b.dir)); err != nil {
		return b.fail(err)
	}
	return nil
}

func (b *bdb) purgedAt() (time.Time, error) {
	txn := b.db.NewTransaction(false)
	defer txn.Discard()
	value, err := (&snapshot{txn: txn}).Get(purgedKey)
	if err != nil || value == nil {
		return time.Time{}, err
	}
	seconds, err := decodeNumber(value)
	return time.Unix(int64(seconds), 0), err //nolint:gosec // written by notePurge
}

func (b *bdb) notePurge() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	txn := b.db.NewTransaction(true)
	defer txn.Discard()
	if err := txn.Set(purgedKey, encodeNumber(uint64(max(0, b.opts.Now().Unix())))); err != nil { //nolint:gosec // not negative
		return err
	}
	return b.commit(txn, purgedKey)
}

// readers counts the open snapshots, so that a purge can wait for those of
// before it.
type readers struct {
	mu   sync.RWMutex
	open *sync.WaitGroup
}

func newReaders() *readers { return &readers{open: new(sync.WaitGroup)} }

// begin notes a snapshot before it is taken; whoever closes it says Done.
func (r *readers) begin() *sync.WaitGroup {
	r.mu.RLock()
	defer r.mu.RUnlock()
	r.open.Add(1)
	return r.open
}

// renew returns those that began until now.
func (r *readers) renew() *sync.WaitGroup {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.open
	r.open = new(sync.WaitGroup)
	return before
}
