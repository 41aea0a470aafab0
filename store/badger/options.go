package badger

import (
	"fmt"
	"log/slog"
	"time"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Sizes of the defaults. Badger's own are made for machines that do nothing
// else: hundreds of megabytes of memory before the first byte is stored.
const (
	minMemTable   = 8 << 20 // a transaction takes 15 %: below, store.MaxWriteBytes would not fit
	tableSize     = 4 << 20
	minFree       = 256 << 20
	valueLogSize  = 16 << 20
	valueInTables = 1 << 20 // above any value, so that none goes to the value log
)

// Options configure Open. The zero value is what a site should run with.
type Options struct {
	// Logger gets what the store and Badger have to say. Default: nothing is logged.
	Logger *slog.Logger
	// MemTableBytes is the size of a table in memory, of which there are two.
	// Default and minimum 8 MiB; 16 MiB gives some more throughput.
	MemTableBytes int64
	// RecordCacheBytes bounds the records kept for updates, which mostly read
	// what another one wrote a moment ago. Default 8 MiB, none when negative.
	RecordCacheBytes int64
	// BallastBytes is the size of a file that is deleted when the disk runs
	// full, so that the engine can finish what it is doing. Default 64 MiB,
	// none when negative.
	BallastBytes int64
	// MinFreeBytes is the free disk space below which updates are refused.
	// Default 256 MiB, or ten tables in memory if that is more; never when
	// negative.
	MinFreeBytes int64
	// GCInterval is the time between two collections of the value log. Default
	// 10 minutes, never when negative.
	GCInterval time.Duration
	// VerifyInterval is the time between two checks of all tables. Open makes one
	// as well, or begins one that goes on while the store is in use, if the store
	// was closed without a fault within this time since the last. Default 24
	// hours; none while it is in use when negative, so that Open makes it always.
	VerifyInterval time.Duration
	// PurgeInterval is the time between two purges, each of which takes the bytes
	// of what was deleted before it out of the files. It is counted from the last
	// purge on, over restarts. Default 24 hours, never when negative.
	PurgeInterval time.Duration
	// AcceptLoss opens a store whose log ends before the last commit that was
	// acknowledged, or has a damaged table: what is missing was lost, for
	// instance to a flipped bit.
	AcceptLoss bool
	// Queue and Batch bound how many updates wait and share a commit; see
	// store.GroupOptions.
	Queue, Batch int

	// DiskFree tells the free bytes of the file system that holds a directory.
	// Default: the system's answer. Tests replace it.
	DiskFree func(dir string) (uint64, error)
	// Now is the clock of metrics, purges and checks. Default time.Now.
	Now func() time.Time
	// tick is the interval of the watchdog, replaced by tests.
	tick time.Duration
	// commit is the engine's, replaced by tests.
	commit func(*engine.Txn) error
	// readTable compares a table with its checksums, fileMark tells a file from
	// another one and from what it was; both are replaced by tests.
	readTable func(liveTable) error
	fileMark  func(path string) (string, error)
	// unsynced leaves syncing to the system, to show what that loses.
	unsynced bool
}

func (o Options) withDefaults() (Options, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = minMemTable
	}
	if o.MemTableBytes < minMemTable {
		return o, fmt.Errorf("badger: a table in memory of %d bytes is too small for a transaction, at least %d", o.MemTableBytes, minMemTable)
	}
	setDefault(&o.RecordCacheBytes, 8<<20)
	setDefault(&o.BallastBytes, 64<<20)
	setDefault(&o.MinFreeBytes, max(minFree, 10*o.MemTableBytes))
	setDefault(&o.GCInterval, 10*time.Minute)
	setDefault(&o.VerifyInterval, 24*time.Hour)
	setDefault(&o.PurgeInterval, 24*time.Hour)
	setDefault(&o.tick, time.Second)
	if o.DiskFree == nil {
		o.DiskFree = diskFree
	}
	if o.commit == nil {
		o.commit = (*engine.Txn).Commit
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.readTable == nil {
		o.readTable = readTable
	}
	if o.fileMark == nil {
		o.fileMark = fileMark
	}
	return o, nil
}

func setDefault[T int64 | time.Duration](value *T, fallback T) {
	if *value == 0 {
		*value = fallback
	}
}

// engineOptions are Badger's. What each is for, and what was measured with it,
// stands in docs/storage.md.
func (o Options) engineOptions(dir string) engine.Options {
	sized := engine.DefaultOptions(dir)
	// Tables of one size on all levels. A builder takes a buffer of twice that from
	// a pool, and the pool keeps up to eight of them, whatever they have grown to,
	// while anything is written. 8 MiB serve also for a table from memory; Badger's
	// growing tables would need 16 MiB and more on the lowest level of some gigabytes.
	sized.BaseTableSize, sized.TableSizeMultiplier = tableSize, 1
	return sized.
		WithLogger(logger{to: o.Logger}).
		WithSyncWrites(badgerSyncs && !o.unsynced).
		// The one writer of store.Group is the only one: there is nobody to
		// conflict with, and the directory lock keeps other processes out.
		WithDetectConflicts(false).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithCompactL0OnClose(true).
		WithMemTableSize(o.MemTableBytes).
		WithNumMemtables(2).
		// Compression takes buffers as large as all others. Blocks are read where they
		// lie in mapped tables, which takes less than a look into a cache.
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0). // Badger asks it for nothing but encrypted indexes
		WithNumCompactors(2).
		WithValueLogFileSize(valueLogSize).
		WithValueThreshold(valueInTables).
		WithMetricsEnabled(false).
		WithNumVersionsToKeep(1)
}

// commitLimits leave room for what Badger adds to each write and for the commit
// number. A commit is at most 15 % of a table in memory.
func (o Options) commitLimits() store.CommitLimits {
	const (
		writes   = 4000
		perWrite = 24 // version, meta and Badger's own margin
	)
	return store.CommitLimits{Writes: writes, Bytes: int(o.MemTableBytes*15/100) - (writes+2)*perWrite}
}
