package tracker

import (
	"context"
	"fmt"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// A machine that starts with a wrong clock has nothing to hold it against: the
// monotonic clock began with it, and Badger has none. So the store keeps a time
// at which it was in use. A clock that is behind it is wrong. One that is ahead
// of it by days may be right, after days without the server, or wrong; then
// sessions end as promised (B11), and what cannot be taken back waits until the
// clock has agreed with itself for an hour, which B15 allows (B36).

// aliveEvery is how old the time in the store gets: one small commit a minute.
const aliveEvery = time.Minute

// recall holds the clock against a time at which the store was in use.
func (c *Clock) recall(alive time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.look()
	gap := l.earliest().Sub(alive)
	if gap >= -clockStep && gap <= clockLeap {
		return
	}
	if c.gap != 0 && c.alive.Equal(alive) {
		return // it is known already: of a configuration before
	}
	c.alive, c.recalled, c.gap, c.since = alive, l.at, gap, l.at
	if gap < 0 && !c.doubted {
		c.doubted, c.doubt = true, l.earliest()
	}
}

// vouched says that a clock which contradicted the store was set right: it shows
// a time that may follow on that at which the store was in use.
func (c *Clock) vouched(l instant) bool {
	if c.gap == 0 || c.apart(l) {
		return false
	}
	since := l.wall.Sub(c.alive) - (l.at - c.recalled)
	return since >= -clockStep && since <= clockLeap
}

// Caution says in words why nothing expires at present, though sessions may end;
// nil when all goes on. A Doubt is a reason as well.
func (c *Clock) Caution() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.look()
	if err := c.words(l); err != nil {
		return err
	}
	return c.caution(l)
}

func (c *Clock) caution(l instant) error {
	if c.gap <= 0 {
		return nil
	}
	return fmt.Errorf("the store was last in use %s before the start, at %s: sessions end, but nothing expires until the clock was not set for %s more, or is accepted",
		c.gap.Round(time.Second), c.alive.UTC().Format(time.RFC3339), c.remaining(l))
}

// recallClock holds the clock against what the store tells.
func (s *Service) recallClock(ctx context.Context) error {
	if s.clock.lonesome {
		return nil
	}
	var told inUse
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		told, err = readInUse(r)
		return err
	})
	if err == nil && told.at != 0 {
		s.clock.recall(fromMillis(told.at))
	}
	return err
}

// noteAlive keeps the time in the store up to date, as long as it is believed.
// While it is not, what is known of before must last over another start.
func (s *Service) noteAlive(ctx context.Context, now time.Time) error {
	if s.clock.lonesome || s.waits(expiry) {
		return nil
	}
	if noted := s.noted.Load(); noted != 0 && now.Sub(fromMillis(noted)).Abs() < aliveEvery {
		return nil
	}
	err := s.store.Update(ctx, func(tx store.Tx) error {
		told, err := readInUse(tx)
		ahead := fromMillis(told.at).Sub(now)
		if err != nil || ahead > -aliveEvery && ahead <= clockStep {
			return err // another proxy was here
		}
		return tx.Put(aliveKey, inUse{millis(now)}.encode())
	})
	if err == nil {
		s.noted.Store(millis(now))
	}
	return err
}

// inUse is what the store tells of it.
type inUse struct{ at int64 }

func (v inUse) encode() []byte {
	e := newEncoder(8)
	e.int(1, v.at)
	return e.b
}

func decodeInUse(value []byte) (v inUse, err error) {
	err = decodeValue(value, func(f field) {
		if f.number == 1 {
			v.at = f.int()
		}
	})
	return v, err
}

// readInUse is zero where nothing is told yet.
func readInUse(r store.Reader) (inUse, error) {
	value, err := r.Get(aliveKey)
	if err != nil || len(value) == 0 {
		return inUse{}, err
	}
	return decodeInUse(value)
}
