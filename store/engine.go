package store

import "context"

// Engine keeps the bytes below a Group, which gives it order, limits and
// grouping. Get and Scan of its snapshots return slices that belong to the
// caller, never report an empty value, and are only given arguments that are
// within the limits. The engine is closed once, after the last batch and the
// last snapshot are over.
type Engine interface {
	// Snapshot opens a snapshot for one View. It is called concurrently.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Begin opens the snapshot of one batch of Updates. There is one batch at a
	// time in this process; others may write only if the engine tells conflicts.
	Begin() (Batch, error)
	// Limits says how much one Commit takes.
	Limits() CommitLimits
	Close() error
}

// CommitLimits bound one commit of an engine. They are at least MaxWrites and
// MaxWriteBytes.
type CommitLimits struct {
	Writes int // distinct keys
	Bytes  int // keys and values together
}

// Snapshot reads one state of the engine until it is discarded. One of an engine
// to which each read is a round trip has the Fetch of a Fetcher, see Ahead.
type Snapshot interface {
	Reader
	Discard()
}

// Batch is the snapshot that a batch of Updates reads, and their commit.
type Batch interface {
	Snapshot
	// Commit makes writes durable, all or none; their keys are distinct. It
	// returns ErrConflict when a key that the batch read and writes was changed
	// by another process, ErrTooLarge when fewer writes may succeed, and
	// ErrUnavailable, with ErrUnknown where that is so. Discard follows it.
	Commit(writes []Write) error
}

// Fetcher is a Batch that is read in rounds. The functions of the waiting
// Updates run until they need a key that was not fetched yet; what all of them
// need is then fetched at once, and they run again.
type Fetcher interface {
	Batch
	// Fetch reads keys and ranges and returns a value for each key, nil when
	// absent, and the entries of each range, in the order they were asked for.
	Fetch(keys [][]byte, ranges []Range) ([][]byte, [][]Entry, error)
}

// Op is what a Write does.
type Op uint8

// The kinds of writes.
const (
	OpPut    Op = iota + 1
	OpDelete    // the key is absent afterwards
	OpLock      // the key stays as it is, and conflicts as if it were written
)

// Write is one change of a commit. An engine changes neither slice.
type Write struct {
	Op    Op
	Key   []byte
	Value []byte // of OpPut, never empty
}
