package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// promised is when a session has to be recorded as ended at the latest (B11).
const promised = 5 * time.Second

// patience is how much longer is waited for sessions that do not end.
const patience = 2 * time.Minute

// measureEnds opens sessions evenly over a while, so that they end evenly over
// a while as long, keeps events arriving from other browsers all the time, and
// watches how late each end is on disk.
func measureEnds(ctx context.Context, o options, dir string, out io.Writer) (err error) {
	st, err := badger.Open(filepath.Join(dir, "ends"), badger.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	watched := &endings{Store: st}
	service, err := newService(watched, o.timeout)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	others, err := newTraffic(ctx, service, o.rate, o.timeout)
	if err != nil {
		stop()
		return err
	}
	var background sync.WaitGroup
	var swept error
	sweep := func() {
		watched.from(time.Now())
		background.Go(func() { swept = service.Run(ctx) })
	}
	if !o.down {
		sweep()
	}
	background.Go(func() { others.run(ctx) })
	seen, err := watchEnds(ctx, o, service, watched, others, sweep)
	stop()
	background.Wait()
	if err = errors.Join(err, swept, others.failed()); err != nil {
		return err
	}
	_, err = io.WriteString(out, describeEnds(o, seen, watched.late))
	return err
}

// seen is what the other browsers met in the phases of a run.
type seen struct {
	opened                 time.Duration // how long opening took
	opening, rest, endings []time.Duration
}

func watchEnds(ctx context.Context, o options, service *tracker.Service, watched *endings, others *traffic, sweep func()) (seen, error) {
	var s seen
	began := time.Now()
	if err := openSessions(ctx, service, o); err != nil {
		return s, err
	}
	s.opened, s.opening = time.Since(began), others.cut()
	if err := sleep(ctx, time.Until(began.Add(o.timeout))); err != nil {
		return s, err
	}
	s.rest = others.cut()
	last := began.Add(s.opened + o.timeout)
	if o.down {
		if err := sleep(ctx, time.Until(last)); err != nil {
			return s, err
		}
		sweep()
	}
	for watched.count() < o.sessions && time.Since(last) < patience {
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return s, err
		}
	}
	s.endings = others.cut()
	return s, nil
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
