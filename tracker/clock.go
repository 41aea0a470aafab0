package tracker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// The bounds of B36.
const (
	// clockStep is how far clocks may be apart before none of them is believed.
	clockStep = 5 * time.Minute
	// clockAgree is how long they have to agree until they are again.
	clockAgree = time.Hour
	// clockSame is what two readings of agreeing clocks may differ by, drift
	// within clockAgree included.
	clockSame = 5 * time.Second
	// clockLeap is how long a store may not have been in use before the clock is
	// doubted for what cannot be taken back: longer than a restart takes, shorter
	// than what a wrong clock is mostly off by.
	clockLeap = 24 * time.Hour
	// clockAsk is how often the store is asked for its time.
	clockAsk = 10 * time.Second
)

// Clock tells the time that sessions and visitors live by: the earliest that
// any clock involved gives (B36). Those are the system's; the system's as it
// was set before it was set last, carried on by the monotonic clock; and the
// database's, where there is one. After an hour without a change, what the
// system's clock was set to before no longer counts.
//
// When they come more than five minutes apart the Clock is in doubt until they
// have agreed for an hour, or Accept is called. One Clock serves all services
// of a process, so that reloads do not make it forget. What was before the
// process began the store tells, see alive.go.
type Clock struct {
	read     func() (wall time.Time, at time.Duration) // at by the monotonic clock, since start
	start    time.Time
	lonesome bool // there is nothing to compare it with

	mu      sync.Mutex
	settled time.Duration // by how much the clock was set since start, as was agreed last
	current time.Duration // likewise now
	since   time.Duration // when the clocks began to agree
	doubted bool
	doubt   time.Time // since when
	told    trust     // what news said last

	alive    time.Time     // until when the store was in use at least, when that contradicts the clock
	recalled time.Duration // when it told so
	gap      time.Duration // by how much the clock was ahead of that then, negative when behind

	stored         bool          // the store was asked
	asked          time.Duration // when
	storeLo        time.Duration // how far the store's clock is ahead of start carried on, at least
	storeHi        time.Duration // and at most: it was read between two moments
	storeTolerated time.Duration // the difference that Accept took for granted
}

// NewClock returns a Clock that reads wall, and compares it with monotonic,
// which counts from any moment. Nil wall stands for the system's clocks. Nil
// monotonic leaves the comparison to what wall's own readings carry, and the
// store's clock aside: time that a test lets go by is nobody else's.
func NewClock(wall func() time.Time, monotonic func() time.Duration) *Clock {
	c := &Clock{lonesome: wall != nil && monotonic == nil}
	if wall == nil {
		wall = time.Now
	}
	first := wall()
	c.start = first.Round(0)
	c.read = func() (time.Time, time.Duration) { // one reading has both
		now := wall()
		return now.Round(0), now.Sub(first)
	}
	if monotonic != nil {
		began := monotonic()
		c.read = func() (time.Time, time.Duration) { return wall().Round(0), monotonic() - began }
	}
	return c
}

// Now is the earliest time that the clocks give.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.look().earliest()
}

// Ahead is how far the system's clock is ahead of Now. What others made by
// right clocks, such as tokens, is held against the system's.
func (c *Clock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.look().ahead
}

// Doubt says in words why nothing is ended or expired at present, nil when all
// goes on.
func (c *Clock) Doubt() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.words(c.look())
}

// Accept ends the doubt: the clocks are right as they are. What they differ by
// is no reason for another one. The earliest still counts where the store has
// one of its own.
func (c *Clock) Accept() {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.look()
	c.settle(l)
	c.storeTolerated = l.fromStore
}

// instant is one reading of the clocks, and what it says about them.
type instant struct {
	wall      time.Time
	at        time.Duration
	set       time.Duration // by how much the clock was set since the start
	ahead     time.Duration // of the earliest clock
	fromStore time.Duration // how far the clock is ahead of the store's, negative when behind
}

func (l instant) earliest() time.Time { return l.wall.Add(-l.ahead) }

func (c *Clock) look() instant {
	wall, at := c.read()
	l := instant{wall: wall, at: at, set: wall.Sub(c.start) - at}
	if c.stored {
		l.fromStore = l.set - c.storeLo
	}
	if (l.set - c.current).Abs() > clockSame {
		c.current, c.since = l.set, at
	}
	if l.fromStore.Abs() <= clockStep {
		c.storeTolerated = 0
	} else if (l.fromStore - c.storeTolerated).Abs() > clockStep {
		c.since = at
	}
	if at-c.since >= clockAgree || c.vouched(l) {
		c.settle(l)
	}
	l.ahead = max(0, l.set-c.settled, l.fromStore)
	if !c.doubted && ((l.set-c.settled).Abs() > clockStep || c.apart(l)) {
		c.doubted, c.doubt = true, l.earliest()
	}
	return l
}

// apart says that the store's clock and this one differ, and nobody took that
// for granted.
func (c *Clock) apart(l instant) bool {
	return l.fromStore.Abs() > clockStep && (l.fromStore-c.storeTolerated).Abs() > clockStep
}

// settle takes the clock as it is set.
func (c *Clock) settle(l instant) {
	c.settled, c.current, c.since, c.doubted, c.gap = l.set, l.set, l.at, false, 0
}

func (c *Clock) words(l instant) error {
	if !c.doubted {
		return nil
	}
	why := "the clocks disagreed"
	if set := l.set - c.settled; set.Abs() > clockStep {
		way := "forward"
		if set < 0 {
			way = "back"
		}
		why = fmt.Sprintf("the clock was set %s %s", set.Abs().Round(time.Second), way)
	} else if l.fromStore.Abs() > clockStep {
		way := "ahead of"
		if l.fromStore < 0 {
			way = "behind"
		}
		why = fmt.Sprintf("the clock is %s %s that of the database", l.fromStore.Abs().Round(time.Second), way)
	} else if c.gap < 0 {
		why = fmt.Sprintf("the clock is %s behind the time at which the store was last in use", c.gap.Abs().Round(time.Second))
	}
	return fmt.Errorf("%s (since %s): sessions do not end and nothing expires until the clocks agree for %s more, or are accepted",
		why, c.doubt.UTC().Format(time.RFC3339), c.remaining(l))
}

// remaining is how long the clocks have to agree yet.
func (c *Clock) remaining(l instant) time.Duration {
	return (clockAgree - (l.at - c.since)).Round(time.Second)
}

// trust is what may be done by a clock.
type trust int

const (
	believed trust = iota
	cautious       // sessions end, and what cannot be taken back waits
	doubted        // nothing ends or expires
)

// news is what is to be logged: how the clock stands, whether that has changed
// since the last time, and why, in words.
func (c *Clock) news() (now trust, changed bool, words error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.look()
	if words = c.words(l); words != nil {
		now = doubted
	} else if words = c.caution(l); words != nil {
		now = cautious
	}
	changed = now != c.told
	c.told = now
	return now, changed, words
}

// storeClock is a store with a clock of its own, as a database has; the zero
// time means that it has none.
type storeClock interface {
	Time(ctx context.Context) (time.Time, error)
}

// compare asks a store for its time, unless it was asked lately.
func (c *Clock) compare(ctx context.Context, st storeClock) error {
	if c.lonesome {
		return nil
	}
	c.mu.Lock()
	before := c.look().at
	lately := c.stored && before-c.asked < clockAsk
	c.mu.Unlock()
	if lately {
		return nil
	}
	theirs, err := st.Time(ctx)
	if err != nil {
		return fmt.Errorf("asking the store for its time: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if theirs.IsZero() {
		c.stored = false
		return nil
	}
	after := c.look().at
	c.hear(theirs.Sub(c.start), before, after)
	return nil
}

// hear takes in the store's time. What readings have in common is more exact
// than each, and does not go to and fro with the time they take.
func (c *Clock) hear(theirs, before, after time.Duration) {
	lo, hi := theirs-after, theirs-before
	if c.stored && lo <= c.storeHi && hi >= c.storeLo {
		lo, hi = max(lo, c.storeLo), min(hi, c.storeHi)
	}
	c.stored, c.asked, c.storeLo, c.storeHi = true, after, lo, hi
	c.look()
}

// compareClock holds the clock against the store's, and once against the time
// at which the store was last in use. A service does so before it ends or
// expires anything.
func (s *Service) compareClock(ctx context.Context) error {
	if st, ok := s.store.(storeClock); ok {
		if err := s.clock.compare(ctx, st); err != nil {
			return err
		}
	}
	if s.compared.Load() {
		return nil
	}
	if err := s.recallClock(ctx); err != nil {
		return err
	}
	s.compared.Store(true)
	return nil
}

// moment is now, once the store's clock is known.
func (s *Service) moment(ctx context.Context) (time.Time, error) {
	if !s.compared.Load() {
		if err := s.compareClock(ctx); err != nil {
			return time.Time{}, err
		}
	}
	return s.now(), nil
}

// tellClock logs how the clock stands, whenever that changes.
func (s *Service) tellClock(ctx context.Context) {
	now, changed, words := s.clock.news()
	switch {
	case !changed:
	case now == doubted:
		s.log.ErrorContext(ctx, "the clock is in doubt", slog.Any("reason", words))
	case now == cautious:
		s.log.WarnContext(ctx, "the clock may be wrong", slog.Any("reason", words))
	default:
		s.log.InfoContext(ctx, "the clocks are believed again: sessions are ended and what is old expires")
	}
}
