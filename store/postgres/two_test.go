package postgres

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// two are two processes on one database, taking calls in turns.
type two struct {
	stores [2]store.Store
	turn   atomic.Uint32
}

func (s *two) next() store.Store { return s.stores[s.turn.Add(1)%2] }

func (s *two) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.next().View(ctx, fn)
}

func (s *two) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.next().Update(ctx, fn)
}

// Each implements storetest.Several.
func (s *two) Each() []store.Store { return s.stores[:] }

func (s *two) Close() error { return errors.Join(s.stores[0].Close(), s.stores[1].Close()) }
