//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/postgres"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// promised is when a session has to be recorded as ended at the latest (B11).
const promised = 5 * time.Second

// patience is how much longer is waited for sessions that do not end.
const patience = 2 * time.Minute

// measureEnds opens sessions evenly over a while, so that they end evenly over
// a while as long, keeps events arriving from other browsers all the time, and
// watches how late each end is on disk. After a downtime all end at once, when
// the store is opened again, and the events arrive from then on.
func measureEnds(ctx context.Context, o options, dir string, out io.Writer) (err error) {
	r := &endsRun{options: o, dir: filepath.Join(dir, "ends")}
	if err := r.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	seen, err := r.watch(ctx)
	if err != nil {
		return err
	}
	if err := r.stop(); err != nil {
		return err
	}
	_, err = io.WriteString(out, describeEnds(o, seen, r.watched.late))
	return err
}

// endsRun is a server, which stops and starts again where there is a downtime.
type endsRun struct {
	options
	dir string

	watched *endings
	service *tracker.Service
	others  *traffic

	cancel     context.CancelFunc // nil while it is stopped
	background sync.WaitGroup
	swept      error
}

func (r *endsRun) start(ctx context.Context) error {
	st, err := r.open(ctx)
	if err != nil {
		return err
	}
	r.watched, r.others = &endings{Store: st}, &traffic{}
	r.cancel = func() {} // nothing is under way yet
	r.service, err = newService(r.watched, r.timeout)
	return err
}

func (r *endsRun) open(ctx context.Context) (store.Store, error) {
	if r.postgres != "" {
		return postgres.Open(ctx, r.postgres, postgres.Options{})
	}
	return badger.Open(r.dir, badger.Options{})
}

// serve lets events arrive and sessions end.
func (r *endsRun) serve(ctx context.Context) (err error) {
	ctx, r.cancel = context.WithCancel(ctx)
	if r.others, err = newTraffic(ctx, r.service, r.rate, r.timeout); err != nil {
		return err
	}
	r.watched.from(time.Now())
	r.background.Go(func() { r.swept = r.service.Run(ctx) })
	r.background.Go(func() { r.others.run(ctx) })
	return nil
}

func (r *endsRun) stop() error {
	if r.cancel == nil {
		return nil
	}
	r.cancel()
	r.cancel = nil
	r.background.Wait()
	return errors.Join(r.swept, r.others.failed(), r.watched.Close())
}

// seen is what the other browsers met in the phases of a run.
type seen struct {
	opened                 time.Duration // how long opening took
	opening, rest, endings []time.Duration
	processor              time.Duration // what the last phase took of it
}

func (r *endsRun) watch(ctx context.Context) (seen, error) {
	var s seen
	if !r.down {
		if err := r.serve(ctx); err != nil {
			return s, err
		}
	}
	began := time.Now()
	if err := openSessions(ctx, r.service, r.options); err != nil {
		return s, err
	}
	s.opened, s.opening = time.Since(began), r.others.cut()
	if err := sleep(ctx, time.Until(began.Add(r.timeout))); err != nil {
		return s, err
	}
	s.rest = r.others.cut()
	last := began.Add(s.opened + r.timeout)
	if r.down {
		if err := r.sleepThrough(ctx, last); err != nil {
			return s, err
		}
	}
	var err error
	s.processor, err = processorOf(func() error { return r.untilEnded(ctx, last) }, r.profile)
	s.endings = r.others.cut()
	return s, err
}

// sleepThrough is a downtime until all sessions are over, and the start after.
func (r *endsRun) sleepThrough(ctx context.Context, last time.Time) error {
	if err := r.stop(); err != nil {
		return err
	}
	if err := sleep(ctx, time.Until(last)); err != nil {
		return err
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	return r.serve(ctx)
}

func (r *endsRun) untilEnded(ctx context.Context, last time.Time) error {
	for r.watched.count() < r.sessions && time.Since(last) < patience {
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// processorOf is the processor time of this process while something is done,
// with a profile of it in a file if that is named.
func processorOf(do func() error, profile string) (took time.Duration, err error) {
	if profile != "" {
		file, err := os.Create(profile)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		if err := pprof.StartCPUProfile(file); err != nil {
			return 0, err
		}
		defer pprof.StopCPUProfile()
	}
	before, err := measured.Processor()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := measured.Processor()
	return after - before, err
}

// openSessions makes new browsers look at a page each, evenly over -within.
func openSessions(ctx context.Context, service *tracker.Service, o options) error {
	began := time.Now()
	return inParallel(o.sessions, func(i int) error {
		at := began.Add(o.within * time.Duration(i) / time.Duration(o.sessions))
		if err := sleep(ctx, time.Until(at)); err != nil {
			return err
		}
		return newBrowser(service).view(ctx)
	})
}

// inParallel does n things, many at a time, in about their order.
func inParallel(n int, do func(i int) error) error {
	const workers = 128
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, workers)
	for w := range errs {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[w] == nil; i = int(next.Add(1)) - 1 {
				errs[w] = do(i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
