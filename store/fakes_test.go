package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// fakeEngine is the engine in memory with a will of its own.
type fakeEngine struct {
	*memory.Engine
	inRounds bool
	limits   store.CommitLimits
	// onBegin and onCommit may refuse; both see the number of the call, from 1.
	onBegin  func(n int) error
	onCommit func(n int, writes []store.Write) error

	mu      sync.Mutex
	begins  int
	commits []int // writes of each commit that was tried
	fetches [][]int
	closed  int
	reads   atomic.Int64
	// doubt makes commits end without an outcome; doubtful carries them out.
	doubt, doubtful bool
}

func newFake() *fakeEngine {
	return &fakeEngine{Engine: memory.NewEngine(), limits: memory.NewEngine().Limits()}
}

func (f *fakeEngine) Limits() store.CommitLimits { return f.limits }

func (f *fakeEngine) Close() error {
	f.closed++
	return nil
}

func (f *fakeEngine) Begin() (store.Batch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begins++
	if f.onBegin != nil {
		if err := f.onBegin(f.begins); err != nil {
			return nil, err
		}
	}
	batch, err := f.Engine.Begin()
	if err != nil {
		return nil, err
	}
	fake := &fakeBatch{Batch: batch, engine: f}
	if f.inRounds {
		return fakeFetcher{fake}, nil
	}
	return fake, nil
}

type fakeBatch struct {
	store.Batch
	engine *fakeEngine
}

func (b *fakeBatch) Get(key []byte) ([]byte, error) {
	b.engine.reads.Add(1)
	return b.Batch.Get(key)
}

func (b *fakeBatch) Commit(writes []store.Write) error {
	f := b.engine
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits = append(f.commits, len(writes))
	if f.onCommit != nil {
		if err := f.onCommit(len(f.commits), writes); err != nil {
			return err
		}
	}
	if f.doubt {
		if f.doubtful {
			_ = b.Batch.Commit(writes)
		}
		return fmt.Errorf("%w, %w", store.ErrUnavailable, store.ErrUnknown)
	}
	return b.Batch.Commit(writes)
}

// fakeFetcher reads in rounds what the engine in memory has.
type fakeFetcher struct{ *fakeBatch }

func (b fakeFetcher) Get([]byte) ([]byte, error) { panic("a batch in rounds is read by Fetch") }

func (b fakeFetcher) Scan(store.Range) ([]store.Entry, error) {
	panic("a batch in rounds is read by Fetch")
}

func (b fakeFetcher) Fetch(keys [][]byte, ranges []store.Range) ([][]byte, [][]store.Entry, error) {
	b.engine.fetches = append(b.engine.fetches, []int{len(keys), len(ranges)})
	values := make([][]byte, len(keys))
	scans := make([][]store.Entry, len(ranges))
	var err error
	for i, key := range keys {
		if values[i], err = b.Batch.Get(key); err != nil {
			return nil, nil, err
		}
	}
	for i, r := range ranges {
		if scans[i], err = b.Batch.Scan(r); err != nil {
			return nil, nil, err
		}
	}
	return values, scans, nil
}

// together makes n updates wait while another one holds the writer, so that
// they are taken as one batch, and returns their outcomes.
func together(g *store.Group, n int, fn func(i int, tx store.Tx) error) []error {
	held, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = g.Update(context.Background(), func(store.Tx) error {
			once.Do(func() { close(held) })
			<-free
			return nil
		})
	})
	<-held
	out := make([]error, n)
	for i := range n {
		before := g.Stats().Queue
		wg.Go(func() {
			out[i] = g.Update(context.Background(), func(tx store.Tx) error { return fn(i, tx) })
		})
		for g.Stats().Queue == before {
			// Until it is queued, so that the order is known.
		}
	}
	close(free)
	wg.Wait()
	return out
}
