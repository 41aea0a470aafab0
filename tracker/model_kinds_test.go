package tracker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// TestModelOnBadger closes and opens the store wherever the model restarts.
func TestModelOnBadger(t *testing.T) {
	const worlds, ops = 2, 250
	for seed := *modelSeed; seed < *modelSeed+worlds; seed++ {
		dir := t.TempDir()
		opened, err := badger.Open(dir, badger.Options{})
		require.NoError(t, err)
		s := newSim(t, opened, seed, seed%2 == 0)
		again, restarts := s.restart, 0
		s.restart = func(s *sim) {
			require.NoError(t, opened.Close())
			opened, err = badger.Open(dir, badger.Options{})
			require.NoError(t, err)
			s.store = opened
			again(s)
			restarts++
		}
		s.restart(s)
		s.run(ops, 50)
		s.restart(s)
		s.check()
		s.checkAnswers()
		require.NoError(t, opened.Close())
		if s.violation != nil {
			s.report(t, seed)
		}
		t.Logf("seed %d: opened %d times", seed, 1+restarts)
	}
}

// crowd is several browsers at once on one service, with a clock that all see.
type crowd struct {
	*world
	clock atomic.Int64
	acked sync.Map // label → true, of activities that were acknowledged
}

func (c *crowd) time() time.Time { return time.UnixMilli(c.clock.Load()).UTC() }

// live is what one browser does, with two tabs that do not wait for each other.
func (c *crowd) live(b *browser, rng *rand.Rand, ops int) error {
	for n := range ops {
		b.now = c.time().Add(time.Duration(rng.IntN(10)) * time.Millisecond)
		label := fmt.Sprintf("%s-%d", b.tab, n)
		call := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": label}})
		calls := []Call{call}
		switch rng.IntN(12) {
		case 0:
			calls = append(calls, b.call(MethodChat, m{"state": chatStarted}))
		case 1:
			subject := fmt.Sprintf("c-%d", rng.IntN(3))
			calls = append(calls, b.call(MethodChat, m{"state": chatAuthenticated, "token": b.token("externalPersonId", subject)}))
		case 2:
			calls = append(calls, b.call(MethodChat, m{"state": chatEnded}))
		case 3:
			c.clock.Add(rng.Int64N(20 * oMinute))
		}
		for range 1 + rng.IntN(2) { // some requests twice
			response, err := b.service.Batch(context.Background(), b.request(calls...))
			if err != nil {
				return err
			}
			if response.Results[0].Err == nil {
				c.acked.Store(label, true)
			}
			b.take(response)
		}
	}
	return nil
}

// TestModelConcurrent lets browsers, tabs and sweepers race, and checks what
// must hold whatever came first (B19).
func TestModelConcurrent(t *testing.T) {
	st := memory.New()
	defer func() { require.NoError(t, st.Close()) }()
	c := &crowd{}
	c.world = newWorldOn(t, st, func(cfg *Config) { cfg.Now, cfg.AbsorbLeads = c.time, true })
	c.clock.Store(c.now.UnixMilli())
	const browsers, tabs, ops = 4, 2, 60
	var all sync.WaitGroup
	errs := make(chan error, browsers*tabs+1)
	for n := range browsers {
		first := c.browser(fmt.Sprintf("b%d", n))
		first.open()
		for tab := range tabs {
			own, world := *first, *c.world
			own.world, own.tab, own.n = &world, fmt.Sprintf("b%dt%d", n, tab), 0
			rng := rand.New(rand.NewPCG(*modelSeed, uint64(n*tabs+tab))) //nolint:gosec // repeatable on purpose
			all.Go(func() { errs <- c.live(&own, rng, ops) })
		}
	}
	done := make(chan struct{})
	sweeper := make(chan error, 1)
	go func() {
		for {
			if err := errors.Join(c.service.Sweep(context.Background()), c.decide()); err != nil {
				sweeper <- err
				return
			}
			select {
			case <-done:
				sweeper <- nil
				return
			default:
			}
		}
	}()
	all.Wait()
	close(done)
	require.NoError(t, <-sweeper)
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	c.settled(t)
}

func (c *crowd) settled(t *testing.T) {
	t.Helper()
	for _, wait := range []int64{oMinute, 26 * oHour} {
		c.clock.Add(wait)
		require.NoError(t, c.service.Sweep(context.Background()))
		k, err := takeStock(c.store, c.clock.Load())
		require.NoError(t, err)
		k.swept = true
		require.NoError(t, k.all(), "seed %d", *modelSeed)
		found := map[string]int{}
		for _, e := range k.events {
			found[e.label]++
		}
		c.acked.Range(func(label, _ any) bool {
			return assert.Equal(t, 1, found[label.(string)], "%s was acknowledged", label)
		})
		subjects := map[string]bool{}
		for _, p := range k.profiles {
			if p.kind == kindAuthenticated {
				assert.False(t, subjects[p.subject], "%s is two persons", p.subject)
				subjects[p.subject] = true
			}
		}
	}
}
