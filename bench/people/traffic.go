//go:build linux

package main

import (
	"context"
	"sync"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// traffic are browsers whose events arrive at a steady rate, whatever the
// answers take: an answer that comes late is counted from when its event was
// due.
type traffic struct {
	rate int
	idle chan *browser

	mu   sync.Mutex
	took []time.Duration
	err  error // the first
}

// newTraffic makes as many browsers as keep their sessions open by their share
// of the events.
func newTraffic(ctx context.Context, service *tracker.Service, rate int, timeout time.Duration) (*traffic, error) {
	const events = 4 // of a browser within a timeout
	browsers := min(rate, rate*int(timeout/time.Millisecond)/events/1000)
	t := &traffic{rate: rate, idle: make(chan *browser, browsers)}
	err := inParallel(cap(t.idle), func(int) error {
		b := newBrowser(service)
		defer func() { t.idle <- b }()
		return b.view(ctx)
	})
	return t, err
}

func (t *traffic) run(ctx context.Context) {
	var under sync.WaitGroup
	defer under.Wait()
	began := time.Now()
	for i := 0; t.rate > 0; i++ {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(t.rate))
		if sleep(ctx, time.Until(due)) != nil {
			return
		}
		var b *browser
		select {
		case b = <-t.idle:
		case <-ctx.Done():
			return
		}
		under.Go(func() {
			err := b.act(ctx)
			t.note(ctx, time.Since(due), err)
			t.idle <- b
		})
	}
}

func (t *traffic) note(ctx context.Context, took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.took = append(t.took, took)
	case ctx.Err() == nil && t.err == nil:
		t.err = err
	}
}

// cut returns what was measured since the last time.
func (t *traffic) cut() []time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	took := t.took
	t.took = nil
	return took
}

func (t *traffic) failed() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}
