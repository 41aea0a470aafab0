package badger

import (
	"os"
	"path/filepath"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Stats are the figures of a Store.
type Stats struct {
	store.Stats
	Commit     uint64 // number of the last commit
	TableBytes int64  // sorted tables on disk
	DiskFree   uint64 // bytes, as of the last check
	DiskFull   bool   // updates are refused
	Lost       bool   // the directory was removed or replaced: nothing is answered until the store is opened again
	Broken     bool   // a write failed: updates are refused until the store is opened again
	Damaged    bool   // a table was found damaged since the store was opened
	LogBytes   int64  // sizes of the logs, which are set in advance; the directory is read for it
	Purges     uint64 // since the store was opened
	// PurgeInterval is the time between two purges, never when negative.
	PurgeInterval time.Duration
}

// Stats returns the figures since Open.
func (s *Store) Stats() Stats {
	b := s.engine
	stats := Stats{
		Stats:    s.Group.Stats(),
		Commit:   b.committed.Load(),
		DiskFree: b.disk.free.Load(),
		DiskFull: b.disk.full.Load(),
		Lost:     b.presence.lost.Load(),
		Broken:   b.broken.Load(),
		Damaged:  b.damaged.Load(),
		LogBytes: logBytes(b.dir),
		Purges:   b.purges.Load(),

		PurgeInterval: time.Duration(b.purgeEvery.Load()),
	}
	for _, level := range b.db.Levels() {
		stats.TableBytes += level.Size
	}
	return stats
}

// logBytes is 0 where the directory cannot be read.
func logBytes(dir string) (total int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, entry := range entries {
		switch filepath.Ext(entry.Name()) {
		case ".mem", ".vlog":
			if info, err := entry.Info(); err == nil {
				total += info.Size()
			}
		}
	}
	return total
}
