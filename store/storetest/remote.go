package storetest

import (
	"context"
	"sync/atomic"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Remote is an engine to which each read of a view is a round trip, and counts
// them.
type Remote struct {
	store.Engine
	trips atomic.Int64
}

// NewRemote makes an engine one that is reached over a network.
func NewRemote(e store.Engine) *Remote { return &Remote{Engine: e} }

// Trips is how often views have read since the engine was made.
func (e *Remote) Trips() int { return int(e.trips.Load()) }

// Snapshot implements store.Engine.
func (e *Remote) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s, err := e.Engine.Snapshot(ctx)
	return remoteSnapshot{s, e}, err
}

type remoteSnapshot struct {
	store.Snapshot
	engine *Remote
}

func (s remoteSnapshot) Get(key []byte) ([]byte, error) {
	s.engine.trips.Add(1)
	return s.Snapshot.Get(key)
}

func (s remoteSnapshot) Scan(r store.Range) ([]store.Entry, error) {
	s.engine.trips.Add(1)
	return s.Snapshot.Scan(r)
}

// Fetch reads in one round trip, as store.Fetcher has it.
func (s remoteSnapshot) Fetch(keys [][]byte, ranges []store.Range) (values [][]byte, scans [][]store.Entry, err error) {
	s.engine.trips.Add(1)
	values, scans = make([][]byte, len(keys)), make([][]store.Entry, len(ranges))
	for i, key := range keys {
		if values[i], err = s.Snapshot.Get(key); err != nil {
			return nil, nil, err
		}
	}
	for i, r := range ranges {
		if scans[i], err = s.Snapshot.Scan(r); err != nil {
			return nil, nil, err
		}
	}
	return values, scans, nil
}
