package tracker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// sweepEvery is how often deadlines are looked at: well under the 5 s within
// which the end of a session is recorded (B11).
const sweepEvery = time.Second

// A pass of the sweeper settles some kinds of deadline, several at a time, each
// in a transaction of its own: the store commits together what waits, and calls
// that come meanwhile wait for no more than that.
type pass struct {
	ends   bool // the kinds of deadline that end sessions, or all others
	atOnce int
}

var (
	// ends are small, and there may be very many of them at once: sessions that
	// began together, or that were due during a downtime. While one lot is
	// synced the next one waits already, and the fewer syncs they share, the
	// sooner all are recorded.
	ends = pass{ends: true, atOnce: 256}
	// expiry cannot be taken back, and the deletion of a visitor may take many
	// large transactions. So it is a pass of its own: it waits where a clock may
	// be wrong, and no session waits for its end behind it.
	expiry = pass{atOnce: 8}
)

// sweepScan is how many deadlines are read at a time.
const sweepScan = store.MaxScan

// Run ends sessions and deletes visitors when their time comes, until ctx is
// done, and then returns nil. Several may run on one store at once: the guard
// of each record decides which of them acts.
func (s *Service) Run(ctx context.Context) error {
	first := &round{pass: ends, further: s.keepWatch}
	s.try(ctx, first) // what was due before the start has the machine to itself
	var passes sync.WaitGroup
	passes.Go(func() {
		s.repeat(ctx, &round{pass: expiry, further: s.forgetOld})
	})
	s.repeat(ctx, first)
	passes.Wait()
	return nil
}

// round is what is done once a second: a pass, and further things behind it.
type round struct {
	pass
	further     func(ctx context.Context, now time.Time) error
	since, full time.Time // the last time, and the last time that all was read
}

// forgetOld removes what was erased, and what nobody needs any more.
func (s *Service) forgetOld(ctx context.Context, now time.Time) error {
	if _, err := s.jobs(ctx); err != nil || s.clock.Caution() != nil {
		return err
	}
	if err := s.forgetDay(ctx, now); err != nil {
		return err
	}
	_, err := s.forgetEvents(ctx, now)
	return err
}

// keepWatch looks after what calls look after as well, but nobody may call for
// long.
func (s *Service) keepWatch(ctx context.Context, now time.Time) error {
	s.tellClock(ctx)
	if err := s.noteAlive(ctx, now); err != nil {
		return fmt.Errorf("noting that the store is in use: %w", err)
	}
	_, err := s.knownAccounts(ctx)
	return err
}

// repeat does a round once a second.
func (s *Service) repeat(ctx context.Context, r *round) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		s.try(ctx, r)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) try(ctx context.Context, r *round) {
	if err := s.once(ctx, r); err != nil && ctx.Err() == nil {
		s.log.LogAttrs(ctx, sweepLevel(err), "sweeping deadlines failed", slog.Any("error", err))
	}
}

func (s *Service) once(ctx context.Context, r *round) error {
	if err := s.watchLayout(ctx); err != nil {
		return err
	}
	if err := s.compareClock(ctx); err != nil {
		return err
	}
	now := s.now()
	if now.Sub(r.full) >= fullSweep || now.Before(r.since) {
		r.since, r.full = time.Time{}, now
	}
	var err error
	if s.waits(r.pass) {
		r.since = time.Time{} // what is over meanwhile is settled when all goes on
	} else if err = s.sweepOnce(ctx, r.pass, r.since, now); !Unavailable(err) {
		r.since = now.Add(-sweepOverlap) // what cannot be settled is tried again with the next full sweep
	}
	return errors.Join(err, r.further(ctx, now))
}

// waits says whether the clock keeps a pass from being done (B36).
func (s *Service) waits(p pass) bool {
	if !p.ends {
		return s.clock.Caution() != nil
	}
	if s.clock.Doubt() == nil {
		return false
	}
	s.swept.Store(0)
	return true
}

// What is before the last sweep was done by it, and scanning it again would
// read the tombstones of everything that was ever due. Deadlines are never
// queued further back than the clocks of those who queue them are apart, and
// once an hour all is read in case one was.
const (
	sweepOverlap = time.Minute
	fullSweep    = time.Hour
)

// sweepLevel keeps a store that is away, of which enough is said elsewhere,
// from filling the log once a second.
func sweepLevel(err error) slog.Level {
	if Unavailable(err) || errors.Is(err, ErrNewer) {
		return slog.LevelDebug
	}
	return slog.LevelError
}

// Sweep does everything that is due now, once, and removes all that was erased.
// While the clocks are in doubt nothing is due.
func (s *Service) Sweep(ctx context.Context) error {
	if err := s.compareClock(ctx); err != nil {
		return err
	}
	s.tellClock(ctx)
	now := s.now()
	for _, p := range []pass{ends, expiry} {
		if s.waits(p) {
			continue
		}
		if err := s.sweepOnce(ctx, p, time.Time{}, now); err != nil {
			return err
		}
	}
	if err := s.finishJobs(ctx); err != nil || s.waits(expiry) {
		return err
	}
	if err := s.forgetDay(ctx, now); err != nil {
		return err
	}
	for {
		if again, err := s.forgetEvents(ctx, now); err != nil || !again {
			return err
		}
	}
}

// sweepOnce settles what became due since then, oldest first in each shard.
// What cannot be settled, a damaged record for one, keeps nothing else from it.
func (s *Service) sweepOnce(ctx context.Context, p pass, since, now time.Time) error {
	lot := newLot(p.atOnce)
	for shard := range byte(queueShards) {
		from, to := queueRange(shard, max(0, millis(since)), millis(now)+1)
		for from != nil && ctx.Err() == nil && !lot.stopped() {
			due, next, err := s.dueEntries(ctx, p, from, to)
			lot.failed(err)
			for _, entry := range due {
				lot.do(func() error { return s.settleWhole(ctx, entry, now) })
			}
			from = next
		}
	}
	err := errors.Join(lot.wait(), ctx.Err())
	if p.ends {
		s.noteSwept(since, now, err)
	}
	return err
}

// noteSwept notes before which deadline no session is open any more. One that
// could not be ended may be anywhere, until a pass over all has ended it.
func (s *Service) noteSwept(since, now time.Time, err error) {
	switch {
	case err != nil:
		s.swept.Store(0)
	case since.IsZero() || s.swept.Load() != 0:
		s.swept.Store(max(0, millis(now.Add(-sweepOverlap))))
	}
}

// dueEntries are the deadlines of a pass among the next ones, and where to go on,
// nil at the end.
func (s *Service) dueEntries(ctx context.Context, p pass, from, to []byte) (due []store.Entry, next []byte, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		next = nil
		if due, err = r.Scan(store.Range{From: from, To: to, Limit: sweepScan}); len(due) == sweepScan {
			next = append(due[len(due)-1].Key, 0)
		}
		return err
	})
	due = slices.DeleteFunc(due, func(entry store.Entry) bool {
		_, kind, _, err := parseQueueKey(entry.Key)
		return err == nil && deadlines[kind].ends != p.ends
	})
	return due, next, err
}

// settleWhole settles one deadline. What needs several rounds, as the deletion
// of a long timeline does, is repeated until it is done.
func (s *Service) settleWhole(ctx context.Context, entry store.Entry, now time.Time) error {
	for again := true; again; {
		ids, err := newIDSource(s.random)
		if err != nil {
			return err
		}
		err = s.store.Update(ctx, func(tx store.Tx) error {
			ids.restart()
			again, err = s.settleOne(tx, ids, entry, now)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settleOne handles one deadline in a transaction; again says that there is
// more of it to do.
func (s *Service) settleOne(tx store.Tx, ids *idSource, entry store.Entry, now time.Time) (again bool, err error) {
	key := entry.Key
	_, kind, ref, err := parseQueueKey(key)
	if err != nil {
		return false, err
	}
	d, known := deadlines[kind]
	if !known {
		return false, fmt.Errorf("queue entry of unknown kind %q", kind)
	}
	account := Account(binary.BigEndian.Uint16(ref))
	config, _ := s.configOf(account) // one that is no longer configured is swept as well
	w := newWork(s, tx, &Request{Account: account, ReceivedAt: now}, config, ids)
	if err := w.lookAt(entry.Value); err != nil {
		return false, err
	}
	if is, err := d.stands(w, key, ref); err != nil || !is {
		return false, err // somebody else was first
	}
	again, err = d.settle(w, key, ref)
	if err != nil {
		return false, err
	}
	return again, w.flush()
}
