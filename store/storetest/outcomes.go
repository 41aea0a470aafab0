package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

var outcomes = map[string]func(*testing.T, store.Store){
	"fail/an error of fn drops its own writes only": func(t *testing.T, s store.Store) {
		odd := errors.New("odd")
		race(t, func(i int) error {
			err := s.Update(context.Background(), func(tx store.Tx) error {
				if err := tx.Put(key(i), value(i)); err != nil {
					return err
				}
				if i%2 == 1 {
					return odd
				}
				return nil
			})
			if i%2 == 1 {
				assert.Same(t, odd, err)
				return nil
			}
			return err
		})
		for i := range racers {
			if i%2 == 1 {
				assert.Nil(t, get(t, s, key(i)))
			} else {
				assert.Equal(t, value(i), get(t, s, key(i)))
			}
		}
	},
	"fail/an error of a view is returned as it is": func(t *testing.T, s store.Store) {
		own := errors.New("own")
		assert.Same(t, own, s.View(context.Background(), func(store.Reader) error { return own }))
	},
	"fail/a panic in fn comes back and harms nobody": func(t *testing.T, s store.Store) {
		race(t, func(i int) error {
			if i%3 > 0 {
				return s.Update(context.Background(), func(tx store.Tx) error { return tx.Put(key(i), value(i)) })
			}
			defer func() {
				caught, ok := recover().(*store.Panic)
				if assert.True(t, ok, "no panic") {
					assert.Equal(t, i, caught.Value)
				}
			}()
			return s.Update(context.Background(), func(tx store.Tx) error {
				if err := tx.Put(key(i), value(i)); err != nil {
					return err
				}
				panic(i)
			})
		})
		assert.Len(t, scan(t, s, store.Range{Limit: 100}), racers-racers/3)
	},
	"fail/a goroutine ended by fn ends the caller's": func(t *testing.T, s store.Store) {
		var wg sync.WaitGroup
		for i := range racers {
			wg.Go(func() {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					if i%5 == 0 {
						runtime.Goexit()
					}
					return tx.Put(key(i), value(i))
				})
				if err != nil || i%5 == 0 {
					t.Errorf("the goroutine of update %d went on: %v", i, err)
				}
			})
		}
		wg.Wait()
		assert.Len(t, scan(t, s, store.Range{Limit: 100}), racers-5)
	},
	"fail/a context that ended before": func(t *testing.T, s store.Store) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.ErrorIs(t, s.Update(ctx, func(tx store.Tx) error { return tx.Put(key(1), value(1)) }), context.Canceled)
		require.ErrorIs(t, s.View(ctx, func(store.Reader) error { return nil }), context.Canceled)
		assert.Nil(t, get(t, s, key(1)))
	},
	// While the writer is held by one update, those that wait can be given up.
	"fail/a context that ends while waiting": func(t *testing.T, s store.Store) {
		release := hold(t, s)
		ctx, cancel := context.WithCancel(context.Background())
		outcome := make(chan error)
		go func() {
			outcome <- s.Update(ctx, func(tx store.Tx) error { return tx.Put(key(1), value(1)) })
		}()
		cancel()
		require.ErrorIs(t, <-outcome, context.Canceled)
		require.NoError(t, release())
		put(t, s, key(2), value(2))
		assert.Nil(t, get(t, s, key(1)))
	},
	"ok/a context that ends once taken up changes nothing": func(t *testing.T, s store.Store) {
		ctx, cancel := context.WithCancel(context.Background())
		require.NoError(t, s.Update(ctx, func(tx store.Tx) error {
			cancel()
			return tx.Put(key(1), value(1))
		}))
		assert.Equal(t, value(1), get(t, s, key(1)))
	},
	"fail/a transaction used after its end": func(t *testing.T, s store.Store) {
		var kept store.Tx
		update(t, s, func(tx store.Tx) error { kept = tx; return nil })
		_, err := kept.Get(key(1))
		require.Error(t, err)
		require.Error(t, kept.Put(key(1), value(1)))
		put(t, s, key(2), value(2))
		assert.Nil(t, get(t, s, key(1)))
	},
}

// Several is a store that stands for those of several processes, each of which
// has a writer of its own.
type Several interface{ Each() []store.Store }

// hold keeps the writers of s busy from when it returns until release, which
// comes at the end of a test that failed, too: what waits would never end.
func hold(t *testing.T, s store.Store) (release func() error) {
	writers := []store.Store{s}
	if several, ok := s.(Several); ok {
		writers = several.Each()
	}
	var held sync.WaitGroup
	free, outcome := make(chan struct{}), make(chan error, len(writers))
	for i, writer := range writers {
		held.Add(1)
		begun := sync.OnceFunc(held.Done)
		go func() {
			defer begun() // where it fails
			outcome <- writer.Update(context.Background(), func(tx store.Tx) error {
				begun()
				<-free
				return tx.Put(fmt.Appendf(nil, "held%d", i), value(0))
			})
		}()
	}
	held.Wait()
	letGo := sync.OnceFunc(func() { close(free) })
	t.Cleanup(letGo)
	return func() (err error) {
		letGo()
		for range writers {
			err = errors.Join(err, <-outcome)
		}
		return err
	}
}

var closing = map[string]func(*testing.T, store.Store){
	"fail/everything after close": func(t *testing.T, s store.Store) {
		put(t, s, key(1), value(1))
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Update(context.Background(), func(store.Tx) error { return nil }), store.ErrClosed)
		require.ErrorIs(t, s.View(context.Background(), func(store.Reader) error { return nil }), store.ErrClosed)
		assert.NoError(t, s.Close())
	},
	"ok/close waits for what was accepted": func(t *testing.T, s store.Store) {
		release := hold(t, s)
		var wg sync.WaitGroup
		outcomes := make([]error, racers)
		for i := range racers {
			wg.Go(func() {
				outcomes[i] = s.Update(context.Background(), func(tx store.Tx) error { return tx.Put(key(i), value(i)) })
			})
		}
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		require.NoError(t, release())
		require.NoError(t, <-closed)
		wg.Wait()
		for _, err := range outcomes {
			if err != nil {
				assert.ErrorIs(t, err, store.ErrClosed)
			}
		}
	},
	"ok/close waits for views": func(t *testing.T, s store.Store) {
		put(t, s, key(1), value(1))
		closed := make(chan error, 1)
		require.NoError(t, s.View(context.Background(), func(r store.Reader) error {
			go func() { closed <- s.Close() }()
			for s.Update(context.Background(), func(store.Tx) error { return nil }) == nil {
				runtime.Gosched() // until the store is closing
			}
			select {
			case err := <-closed:
				t.Errorf("closed under a view: %v", err)
			default:
			}
			got, err := r.Get(key(1))
			assert.Equal(t, value(1), got)
			return err
		}))
		require.NoError(t, <-closed)
	},
}
