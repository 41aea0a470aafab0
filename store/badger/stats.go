package badger

import "github.com/livechat-people/caddy-people-tracking/store"

// Stats are the figures of a Store.
type Stats struct {
	store.Stats
	Commit     uint64 // number of the last commit
	TableBytes int64  // sorted tables on disk; the logs beside them take 50 MB at most
	DiskFree   uint64 // bytes, as of the last check
	DiskFull   bool   // updates are refused
	Lost       bool   // the directory was removed or replaced: nothing is answered until the store is opened again
	Broken     bool   // a write failed: updates are refused until the store is opened again
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
	}
	for _, level := range b.db.Levels() {
		stats.TableBytes += level.Size
	}
	return stats
}
