package store

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// GroupOptions configure a Group. Zero values stand for the defaults.
type GroupOptions struct {
	// Queue is how many Updates may wait; more get ErrUnavailable. Default 4096.
	Queue int
	// Batch is how many Updates share one commit at most. Default 500: more
	// makes the batch, and with it everybody's wait, longer without saving
	// syncs that matter.
	Batch int
	// Cache is how many bytes of lately read records are kept for Updates. Only
	// for an engine that no other process writes. Default 0, no cache.
	Cache int
	// Now is the clock of the metrics. Default time.Now.
	Now func() time.Time
}

// Group is a Store over an engine: one writer takes whatever Updates wait, runs
// each in an overlay of its own, commits them together and answers all of them.
// There is no timer: a batch is what came while the one before was synced.
type Group struct {
	engine Engine
	opts   GroupOptions
	limits CommitLimits

	mu      sync.RWMutex // closed and the sends to queue
	closed  bool
	queue   chan *request
	stopped chan struct{} // closed when the writer is done
	views   sync.WaitGroup
	once    sync.Once
	err     error // of closing

	w     writer
	stats groupStats
}

var _ Store = (*Group)(nil)

// NewGroup starts the writer of engine, which belongs to the Group from now on.
func NewGroup(engine Engine, opts GroupOptions) *Group {
	if opts.Queue <= 0 {
		opts.Queue = 4096
	}
	if opts.Batch <= 0 {
		opts.Batch = 500
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	g := &Group{
		engine:  engine,
		opts:    opts,
		limits:  engine.Limits(),
		queue:   make(chan *request, opts.Queue),
		stopped: make(chan struct{}),
	}
	if opts.Cache > 0 {
		g.w.cache = newCache(opts.Cache)
	}
	go g.loop()
	return g
}

// request is one waiting Update.
type request struct {
	fn    func(Tx) error
	state atomic.Int32 // who decides about it: see the constants
	done  chan struct{}
	lost  int // races, of this request alone

	// The outcome, written by the writer before it sends to done.
	err    error
	panic  *Panic
	goexit bool
}

const (
	stateWaiting int32 = iota
	stateTaken         // by the writer, which will answer
	stateGivenUp       // by its caller, before it was taken
)

var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

// Panic is what Update panics with when its function panicked.
type Panic struct {
	Value any    // what the function panicked with
	Stack []byte // of the goroutine it ran on
}

func (p *Panic) String() string {
	return fmt.Sprintf("%v\n\nin the function given to Update:\n%s", p.Value, p.Stack)
}

// Error makes the panic readable where it is printed as an error.
func (p *Panic) Error() string { return p.String() }

// Unwrap returns the value of the panic if it was an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// View implements Store.
func (g *Group) View(ctx context.Context, fn func(Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.RLock()
	if g.closed {
		g.mu.RUnlock()
		return ErrClosed
	}
	g.views.Add(1)
	g.mu.RUnlock()
	defer g.views.Done()

	snapshot, err := g.engine.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snapshot.Discard()
	return fn(checkedReader{snapshot})
}

// Update implements Store.
func (g *Group) Update(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := requests.Get().(*request)
	r.fn = fn
	r.state.Store(stateWaiting)
	if err := g.enqueue(r); err != nil {
		r.release()
		return err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(stateWaiting, stateGivenUp) {
			return ctx.Err() // the writer drops r when it meets it
		}
		<-r.done
	}
	err, caught, goexit := r.err, r.panic, r.goexit
	r.release()
	switch {
	case caught != nil:
		panic(caught)
	case goexit:
		runtime.Goexit() // as fn did: a test that failed inside it ends here
	}
	return err
}

// Forget empties the cache, which costs the next Updates a look into the
// engine: for a time in which nobody needs it. It waits for the Updates before
// it, unless too many are waiting.
func (g *Group) Forget() {
	if g.opts.Cache <= 0 {
		return
	}
	_ = g.Update(context.Background(), func(Tx) error { // it runs where the cache belongs to it
		g.w.cache.clear()
		return nil
	})
}

func (g *Group) enqueue(r *request) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return ErrClosed
	}
	select {
	case g.queue <- r:
		return nil
	default:
		g.stats.rejected.Add(1)
		return fmt.Errorf("%w: %d updates are waiting already", ErrUnavailable, cap(g.queue))
	}
}

func (r *request) release() {
	r.fn, r.err, r.panic, r.goexit, r.lost = nil, nil, nil, false, 0
	requests.Put(r)
}

// answer hands the outcome to the waiting caller, who owns r from then on.
func (r *request) answer() { r.done <- struct{}{} }

// Close implements Store.
func (g *Group) Close() error {
	first := false
	g.once.Do(func() {
		first = true
		g.mu.Lock()
		g.closed = true
		close(g.queue)
		g.mu.Unlock()
		<-g.stopped
		g.views.Wait()
		g.err = g.engine.Close()
	})
	if first {
		return g.err
	}
	return nil
}
