package store

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Stats are the figures of a Group since it was started.
type Stats struct {
	Queue         int       // updates waiting now
	QueueCapacity int       // updates that may wait
	Requests      uint64    // updates answered
	Rejected      uint64    // updates refused because the queue was full
	Retries       uint64    // batches run again after a lost race, or by halves
	Failed        uint64    // batches that ended with an engine's error
	BatchRequests Histogram // updates in one commit
	BatchWrites   Histogram // keys in one commit
	CommitSeconds Histogram // time of one commit, sync included
}

// Histogram counts values by upper bounds: Counts[i] of them were at most
// Bounds[i], and those above every bound are in Count only. Counts are
// cumulative, as Prometheus has them.
type Histogram struct {
	Bounds []float64
	Counts []uint64
	Count  uint64
	Sum    float64
}

var (
	sizeBounds = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000}
	timeBounds = []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}
)

type groupStats struct {
	requests, rejected, retries, failed atomic.Uint64

	mu                       sync.Mutex
	batches, writes, commits histogram
}

type histogram struct {
	counts []uint64
	count  uint64
	sum    float64
}

func (h *histogram) observe(bounds []float64, value float64) {
	if h.counts == nil {
		h.counts = make([]uint64, len(bounds))
	}
	if i, _ := slices.BinarySearch(bounds, value); i < len(bounds) {
		h.counts[i]++
	}
	h.count++
	h.sum += value
}

func (h *histogram) read(bounds []float64) Histogram {
	out := Histogram{Bounds: slices.Clone(bounds), Counts: make([]uint64, len(bounds)), Count: h.count, Sum: h.sum}
	total := uint64(0)
	for i, n := range h.counts {
		total += n
		out.Counts[i] = total
	}
	return out
}

// commit notes one commit of the engine that succeeded.
func (s *groupStats) commit(took time.Duration, requests, writes int, err error) {
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches.observe(sizeBounds, float64(requests))
	s.writes.observe(sizeBounds, float64(writes))
	s.commits.observe(timeBounds, took.Seconds())
}

// Stats returns the figures of the Group.
func (g *Group) Stats() Stats {
	s := &g.stats
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Queue:         len(g.queue),
		QueueCapacity: cap(g.queue),
		Requests:      s.requests.Load(),
		Rejected:      s.rejected.Load(),
		Retries:       s.retries.Load(),
		Failed:        s.failed.Load(),
		BatchRequests: s.batches.read(sizeBounds),
		BatchWrites:   s.writes.read(sizeBounds),
		CommitSeconds: s.commits.read(timeBounds),
	}
}
