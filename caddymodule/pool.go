package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/postgres"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// stores holds every open store of the process. A reload starts the new
// configuration before it stops the old one, so both share what is here; the
// key is the place of the store alone, or any other changed option would open
// a directory a second time and fail on its lock.
var stores = caddy.NewUsagePool()

// The pauses between attempts to open a store on a cold start (B34), and how
// long the start waits for the first: a large store is read before it is opened
// after a crash, and the site must not wait for that.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
	openWait   = 10 * time.Second
)

// place is where a store keeps its bytes.
type place struct {
	key  string // the same for every way of writing it
	name string // for the log; tells no password
	open func(*slog.Logger) (store.Store, error)

	ledger tracker.LedgerFile // of erasures, beside a directory; "" where there is none
}

// erasures is where they are recorded outside the store, nil where they are not.
func (at place) erasures() tracker.Ledger {
	if at.ledger == "" {
		return nil
	}
	return at.ledger
}

// pooledStore is the store of a place, open or being retried.
type pooledStore struct {
	place
	logs *logRelay
	log  *slog.Logger // into logs

	mu      sync.RWMutex
	engine  store.Store // nil until it is open
	cause   error       // why it is not open
	closed  bool
	holders []*lease // newest last, whose configuration applies

	tried   chan struct{} // closed when the first attempt to open it is over
	stop    chan struct{} // closed by Destruct
	opening sync.WaitGroup
}

// newPooledStore begins to open the store; current tells how it went once the
// first attempt is over.
func newPooledStore(at place, log *slog.Logger) *pooledStore {
	p := &pooledStore{place: at, logs: newLogRelay(log), cause: errOpening, tried: make(chan struct{}), stop: make(chan struct{})}
	p.log = p.logs.logger()
	p.opening.Go(func() {
		p.try()
		close(p.tried)
	})
	return p
}

// try opens the store, or notes why it cannot be opened.
func (p *pooledStore) try() {
	engine, err := p.open(p.log)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause = err; err == nil {
		p.engine = engine
		p.tune()
	}
}

// hold applies the configuration of l, the newest one, to the store, as soon as
// that is open.
func (p *pooledStore) hold(l *lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holders = append(p.holders, l)
	p.tune()
}

// drop forgets l. If its configuration is the newest, it was rejected after it
// had begun to start: the one before it applies again.
func (p *pooledStore) drop(l *lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.Index(p.holders, l)
	p.holders = slices.Delete(p.holders, at, at+1)
	if at == len(p.holders) {
		p.tune()
	}
}

// tune applies the newest configuration. The lock is held.
func (p *pooledStore) tune() {
	if p.engine == nil || len(p.holders) == 0 {
		return
	}
	if apply := p.holders[len(p.holders)-1].tune; apply != nil {
		apply(p.engine)
	}
}

// current is the open engine, or why there is none.
func (p *pooledStore) current() (store.Store, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	switch {
	case p.closed:
		return nil, store.ErrClosed
	case p.engine == nil:
		return nil, p.cause
	}
	return p.engine, nil
}

// keepTrying opens the store in the background until it works or Destruct ends
// it. wait makes the pauses.
func (p *pooledStore) keepTrying(wait func(time.Duration) <-chan time.Time) {
	p.opening.Go(func() {
		<-p.tried
		for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
			_, err := p.current()
			if err == nil {
				p.log.Info("the store is open, tracking works from now on", slog.String("store", p.name))
				return
			}
			p.log.Error("the store cannot be opened: pages are served, but nothing is tracked",
				slog.String("store", p.name), slog.Duration("next_attempt", pause), slog.Any("error", err))
			select {
			case <-p.stop:
				return
			case <-wait(pause):
			}
			p.try()
		}
	})
}

// Destruct closes the store; the pool calls it when the last lease is gone.
func (p *pooledStore) Destruct() error {
	close(p.stop)
	p.opening.Wait()
	p.mu.Lock()
	engine := p.engine
	p.engine, p.closed = nil, true
	p.mu.Unlock()
	if engine == nil {
		return nil
	}
	if err := engine.Close(); err != nil {
		return fmt.Errorf("closing the store %s: %w", p.name, err)
	}
	return nil
}

// lease is one configuration's hold on a pooled store, and the store.Store that
// its service works on. It is taken by Start, or by a call that comes before
// it: Caddy starts apps in no particular order, so that the HTTP server may be
// up first. Without a lease taken, release gives nothing back: Caddy cleans up
// configurations that never started, and the pool belongs to the running one.
type lease struct {
	place
	reload bool // a configuration is running already
	log    *slog.Logger
	tune   func(store.Store)                    // applies the configuration to the open store; nil does nothing
	after  func(time.Duration) <-chan time.Time // the clock of pauses

	mu     sync.Mutex
	pooled *pooledStore // once taken
	err    error        // why it could not be taken
	ended  bool         // given back, or never to be taken
}

// errNotOpen is met by calls while the store of their configuration cannot be
// opened; it is a store.ErrUnavailable.
var errNotOpen = fmt.Errorf("%w: not open", store.ErrUnavailable)

// errOpening is why a store is not open while the first attempt is under way.
var errOpening = errors.New("it is being opened")

// take acquires the pooled store once and answers every later call alike. A
// store that cannot be opened is an error on a reload that names another one;
// on a cold start it is retried in the background, and not waited for longer
// than openWait (B34).
func (l *lease) take() (*pooledStore, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.pooled != nil || l.err != nil:
		// Also after release: a call in flight across a reload may still reach
		// the store, if the next configuration works on it.
		return l.pooled, l.err
	case l.ended:
		return nil, store.ErrClosed
	}
	value, loaded, err := stores.LoadOrNew(l.key, func() (caddy.Destructor, error) {
		return newPooledStore(l.place, l.log), nil
	})
	if err != nil {
		l.err = err
		return nil, err
	}
	pooled := value.(*pooledStore)
	switch {
	case loaded:
		pooled.logs.add(l.log)
	case l.reload:
		<-pooled.tried
		if _, err := pooled.current(); err != nil {
			_, closing := stores.Delete(l.key)
			l.err = errors.Join(fmt.Errorf("opening the store %s: %w", l.name, err), closing)
			return nil, l.err
		}
	default:
		l.await(pooled)
	}
	pooled.hold(l)
	l.pooled = pooled
	return pooled, nil
}

// await waits for the first attempt to open a store on a cold start, as long as
// the site can.
func (l *lease) await(p *pooledStore) {
	select {
	case <-p.tried:
		if _, err := p.current(); err == nil {
			return
		}
	case <-l.after(openWait):
		l.log.Warn("the store takes long to open: pages are served meanwhile, but nothing is tracked", slog.String("store", l.name))
	}
	p.keepTrying(l.after)
}

// release gives back what take acquired, once.
func (l *lease) release() error {
	l.mu.Lock()
	held := l.pooled != nil && !l.ended
	l.ended = true
	l.mu.Unlock()
	if !held {
		return nil
	}
	l.pooled.logs.drop(l.log)
	l.pooled.drop(l)
	_, err := stores.Delete(l.key)
	return err
}

// engine is the open store, or an error that says why there is none.
func (l *lease) engine() (store.Store, error) {
	pooled, err := l.take()
	if err != nil {
		return nil, unavailable(err)
	}
	engine, err := pooled.current()
	if err != nil {
		return nil, unavailable(err)
	}
	return engine, nil
}

// cause is why the store is not open, nil when it is.
func (l *lease) cause() error {
	pooled, err := l.take()
	if err == nil {
		_, err = pooled.current()
	}
	return err
}

// unavailable makes whatever keeps a store from being open an answer that may
// be repeated. The cause is in the log already.
func unavailable(err error) error {
	if errors.Is(err, store.ErrClosed) {
		return err
	}
	return errNotOpen
}

func (l *lease) View(ctx context.Context, fn func(store.Reader) error) error {
	engine, err := l.engine()
	if err != nil {
		return err
	}
	return engine.View(ctx, fn)
}

func (l *lease) Update(ctx context.Context, fn func(store.Tx) error) error {
	engine, err := l.engine()
	if err != nil {
		return err
	}
	return engine.Update(ctx, fn)
}

// Time is the clock of a database; the zero time when the store has none.
func (l *lease) Time(ctx context.Context) (time.Time, error) {
	engine, err := l.engine()
	if err != nil {
		return time.Time{}, err
	}
	if e, shared := engine.(*postgres.Store); shared {
		return e.Time(ctx)
	}
	return time.Time{}, nil
}

// Close is nothing that a service may do to a store others work on.
func (l *lease) Close() error { return nil }
