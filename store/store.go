// Package store is the contract between the tracker and whatever keeps its
// bytes: an ordered key-value store with transactions, small enough that an
// embedded engine and a networked database can both keep it.
//
// # What a caller may rely on
//
//   - View reads one snapshot. Update is atomic and durable: when it returns
//     nil, the writes are synced to disk.
//   - The function given to View or Update is pure and repeatable. It may run
//     several times, so ids, times and random numbers are made before it, and
//     nothing outside is changed by it except variables it sets from scratch.
//     It may run on another goroutine than its caller's, and it never calls
//     Update itself. A panic in it comes back as a panic of Update with a
//     *Panic as its value; its writes are dropped and the store goes on.
//   - An error from a Tx method is passed on by the function (wrapped with %w
//     or bare), never swallowed: engines that fetch reads in rounds use such an
//     error to ask for another run.
//   - A key that was read in an Update, present or absent, is protected when
//     the same transaction writes or locks it. A Scan gives a snapshot and no
//     protection from phantoms: no invariant may rest on a range. Every
//     aggregate has a guard key that each operation on it reads and writes.
//   - An empty value is the same as an absent key.
//   - Keys have at least one byte; those that start with a zero byte belong to
//     the engine and are refused (ErrInvalid).
package store

import (
	"context"
	"errors"
)

// Limits of one Update, the same for every engine so that code which works on
// one works on all (the tightest is Badger's transaction size with a small
// memtable).
const (
	MaxWrites     = 1000      // distinct keys put, deleted and locked in one Update
	MaxWriteBytes = 1 << 20   // their keys and values together
	MaxKeyBytes   = 1000      // one key
	MaxValueBytes = 64 * 1000 // one value
	MaxScan       = 1000      // entries one Scan returns at most
)

var (
	// ErrTooLarge is returned when an Update, a key or a value is over a limit.
	// Nothing was written; the same call fails again.
	ErrTooLarge = errors.New("store: transaction, key or value over the limit")
	// ErrInvalid is returned for a key that is empty or the engine's own, and
	// for a scan limit below 1.
	ErrInvalid = errors.New("store: invalid key or range")
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("store: closed")
	// ErrUnavailable is returned while the store cannot answer (disk almost
	// full, database unreachable, queue full). Nothing was written unless the
	// error is also ErrUnknown; the call may be repeated.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrUnknown is returned, always together with ErrUnavailable, when a commit
	// was sent and its outcome was not learnt. The call may be repeated, because
	// every operation is idempotent by its ids.
	ErrUnknown = errors.New("outcome of the commit unknown")
	// ErrLocked is returned by Open when another process holds the directory.
	// The message names the path.
	ErrLocked = errors.New("store: locked by another process")
	// ErrConflict is an engine's answer to a lost race. Update retries it; a
	// caller of Store never sees it.
	ErrConflict = errors.New("store: conflict")
)

// Entry is one key with its value. Both belong to the caller.
type Entry struct {
	Key   []byte
	Value []byte
}

// Range is what Scan reads: keys in [From, To), ascending, or descending when
// Reverse is set. A nil From starts at the first key, a nil To ends after the
// last. Limit is between 1 and MaxScan.
type Range struct {
	From, To []byte
	Reverse  bool
	Limit    int
	KeysOnly bool // leave Value nil, which is cheaper on every engine
}

// Reader reads one snapshot.
type Reader interface {
	// Get returns the value, or nil when the key is absent or empty. The slice
	// belongs to the caller.
	Get(key []byte) ([]byte, error)
	// Scan returns at most r.Limit entries in order.
	Scan(r Range) ([]Entry, error)
}

// Tx reads a snapshot and its own writes, and writes.
type Tx interface {
	Reader
	// Put sets key to value. The engine copies neither before commit: the
	// caller does not change them afterwards.
	Put(key, value []byte) error
	// Delete removes key; an absent key is no error.
	Delete(key []byte) error
	// Lock protects key, present or absent, without changing what Get says.
	Lock(key []byte) error
}

// Store is what the tracker works on. All methods are safe for concurrent use.
type Store interface {
	// View runs fn on one snapshot. It may show an Update that is still being
	// synced, so nothing is promised to anybody on what was only viewed.
	View(ctx context.Context, fn func(Reader) error) error
	// Update runs fn until it commits, and returns nil once that is durable.
	// An error of fn drops its writes and is returned as it is. When ctx ends
	// before fn was taken up, nothing is written and ctx.Err() is returned;
	// once it is being committed, Update waits for the outcome.
	Update(ctx context.Context, fn func(Tx) error) error
	// Close waits for what was accepted, then releases the engine. Further
	// calls return nil.
	Close() error
}
