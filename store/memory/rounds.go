package memory

import (
	"context"

	"github.com/livechat-people/caddy-people-tracking/store"
)

type inRounds struct{ *Engine }

// Snapshot implements store.Engine.
func (e inRounds) Snapshot(context.Context) (store.Snapshot, error) { return fetcher{e.begin()}, nil }

// Begin implements store.Engine.
func (e inRounds) Begin() (store.Batch, error) { return fetcher{e.begin()}, nil }

// fetcher makes a batch a store.Fetcher.
type fetcher struct{ store.Batch }

func (f fetcher) Fetch(keys [][]byte, ranges []store.Range) (values [][]byte, scans [][]store.Entry, err error) {
	values, scans = make([][]byte, len(keys)), make([][]store.Entry, len(ranges))
	for i, key := range keys {
		if values[i], err = f.Get(key); err != nil {
			return nil, nil, err
		}
	}
	for i, r := range ranges {
		if scans[i], err = f.Scan(r); err != nil {
			return nil, nil, err
		}
	}
	return values, scans, nil
}
