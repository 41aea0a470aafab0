package tracker

import (
	"flag"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// go test ./tracker -run TestModel -model.ops 1000000 -model.seed 7
var (
	modelSeed  = flag.Uint64("model.seed", 1, "seed of the first world of the model-based test: the same worlds each time, unless told otherwise")
	modelOps   = flag.Int("model.ops", 10_000, "operations of the model-based test in all")
	modelWorld = flag.Int("model.world", 500, "operations in one world")
)

// safeReader is a repeatable source that several goroutines may read.
type safeReader struct {
	sync.Mutex
	from *rand.ChaCha8
}

func (r *safeReader) Read(p []byte) (int, error) {
	r.Lock()
	defer r.Unlock()
	return r.from.Read(p)
}

// newSim makes a world; everything that happens in it follows from the seed.
func newSim(t testing.TB, st store.Store, seed uint64, calm bool) *sim {
	s := &sim{rng: rand.New(rand.NewPCG(seed, 1)), oracle: newOracle(), calm: calm} //nolint:gosec // repeatable on purpose
	var random [32]byte
	random[0], random[1], random[2], random[3] = byte(seed), byte(seed>>8), byte(seed>>16), byte(seed>>24)
	s.oracle.absorbs, s.rare = seed%3 == 0, seed%5 < 2
	s.odd = seed%7 > 0 && seed%7%2 == 0
	s.oracle.asks = s.odd && seed%11 < 5
	st = struct{ store.Store }{st} // whose clock knows nothing of the time here
	s.world = newWorldOn(t, st, func(c *Config) {
		c.AbsorbLeads = s.oracle.absorbs
		if s.rare {
			s.clock = NewClock(s.setClock())
			c.Clock = s.clock
		}
		c.Random = &safeReader{from: rand.NewChaCha8(random)}
		s.restart = func(s *sim) {
			service, err := New(s.store, *c)
			if err != nil {
				s.fail("restart: %v", err)
				return
			}
			s.service = service
			s.note("the service starts again")
		}
	})
	skews := []int64{0, 3 * oHour, -2 * oDay, 12 * oMinute}
	if !calm {
		skews = append(skews, 4000, -9000)
	}
	for i := range 4 {
		b := &simBrowser{name: string(rune('A' + i)), skew: pick(s, skews)}
		s.newBoot(b)
		s.browsers = append(s.browsers, b)
	}
	return s
}

// run operates and checks; every is how many operations lie between checks.
func (s *sim) run(ops, every int) {
	for s.step < ops && s.violation == nil {
		s.operate()
		if s.step%every == 0 {
			s.check()
		}
	}
	s.check()
	s.checkAnswers()
	s.now = s.now.Add(26 * time.Hour) // every session's time is over
	s.sweep()
	s.checkSwept()
	s.checkAnswers()
}

// shortest replays a failed world with a check after every operation, which
// finds the first one that is wrong.
func shortest(t *testing.T, open func() store.Store, seed uint64, calm bool, ops int) *sim {
	st := open()
	defer func() { require.NoError(t, st.Close()) }()
	s := newSim(t, st, seed, calm)
	for s.step < ops && s.violation == nil {
		s.operate()
		s.check()
		s.checkAnswers()
	}
	return s
}

func (s *sim) report(t *testing.T, seed uint64) {
	t.Helper()
	t.Fatalf("seed %d, calm %v, operation %d: %v\n\nWhat led to it:\n%s", seed, s.calm, s.step, s.violation, strings.Join(s.log, "\n"))
}

// TestModel lets browsers do at random what browsers do, and holds the service
// against the oracle after it (B1–B19, B26, B30, B33, B36).
func TestModel(t *testing.T) {
	of, known := modelStores[*modelStore]
	require.True(t, known, "-model.store=%s", *modelStore)
	runModel(t, of(t), *modelOps)
}

// Worlds in which something was wrong once.
func TestModelOfBefore(t *testing.T) {
	for name, seed := range map[string]uint64{
		"B3: a visitor who shows our cookie of one session and the site's of another":    39,
		"B7: a cookie of the site's that has ended, and is replaced on another browser":  1052,
		"B2: a call in the last moment of a cookie, whose answer was lost":               886977,
		"B8: a cookie in the place of which the browser never got its successor's":       2000363,
		"B12: a call of before a merge, in the session left with its visitor":            883608,
		"B18: a merge is undone when what it had left with its visitor is over":          3000296,
		"B18: a merge is undone that bridged two activities of one side by half an hour": 884859,
	} {
		t.Run(name, func(t *testing.T) {
			s := shortest(t, func() store.Store { return memory.New() }, seed, seed%2 == 0, 500)
			if s.violation != nil {
				s.report(t, seed)
			}
		})
	}
}

// runModel operates on worlds of their own, each in a store that open returns.
func runModel(t *testing.T, open func() store.Store, all int) {
	started, ops, worlds := time.Now(), 0, uint64(0)
	for ; ops < all; worlds++ {
		seed, calm := *modelSeed+worlds, (*modelSeed+worlds)%2 == 0
		func() {
			st := open()
			defer func() { require.NoError(t, st.Close()) }()
			s := newSim(t, st, seed, calm)
			s.run(min(*modelWorld, all-ops), 100)
			ops += s.step
			if s.violation == nil {
				return
			}
			if first := shortest(t, open, seed, calm, s.step); first.violation != nil {
				s = first
			}
			s.report(t, seed)
		}()
	}
	t.Logf("seeds %d to %d, %d operations, %.0f a second", *modelSeed, *modelSeed+worlds-1, ops, float64(ops)/time.Since(started).Seconds())
}
