//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// endings is a store that notes when each Session ended was on disk, and how
// long after the moment it tells of that was.
type endings struct {
	store.Store

	mu    sync.Mutex
	since time.Time // when the sweeper began to run: nothing is late before
	late  []time.Duration
}

func (e *endings) from(at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.since = at
}

func (e *endings) Update(ctx context.Context, fn func(store.Tx) error) error {
	noted := &noting{}
	err := e.Store.Update(ctx, func(tx store.Tx) error {
		noted.Tx, noted.ended = tx, noted.ended[:0] // fn may run again
		return fn(noted)
	})
	if err != nil || len(noted.ended) == 0 {
		return err
	}
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, at := range noted.ended {
		if at.Before(e.since) {
			at = e.since
		}
		e.late = append(e.late, now.Sub(at))
	}
	return nil
}

// count is how many have ended so far.
func (e *endings) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.late)
}

// noting looks for events that end a session in what a transaction writes.
type noting struct {
	store.Tx
	ended []time.Time
}

// The key of an event, see tracker/layout.go: table, account, profile, time,
// place within the time, id. The end of a session has the first place.
const (
	eventTable  = 'E'
	eventTimeAt = 1 + 2 + 16
	eventSeqAt  = eventTimeAt + 8
)

func (n *noting) Put(key, value []byte) error {
	if key[0] == eventTable && binary.BigEndian.Uint16(key[eventSeqAt:]) == 0 {
		n.ended = append(n.ended, time.UnixMilli(int64(binary.BigEndian.Uint64(key[eventTimeAt:])))) //nolint:gosec // milliseconds since 1970
	}
	return n.Tx.Put(key, value)
}
