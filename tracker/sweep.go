package tracker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// sweepEvery is how often deadlines are looked at: well under the 5 s within
// which the end of a session is recorded (B11).
const sweepEvery = time.Second

// A pass of the sweeper settles some kinds of deadline, several at a time, each
// in a transaction of its own: the store commits them together, and calls wait
// little for them.
type pass struct {
	kinds  string // of deadline
	atOnce int
}

var (
	// ends are small, and there may be very many of them at once: sessions that
	// began together, or that were due during a downtime. The fewer syncs they
	// share, the sooner all are recorded.
	ends = pass{string([]byte{dueSession, dueLate, dueChat, dueGrave, dueTomb, dueInvalid}), 256}
	// deletions may each take many large transactions. They are a pass of their
	// own, so that no session waits for its end behind them.
	deletions = pass{string([]byte{dueVisitor}), 8}
)

// sweepScan is how many deadlines are read at a time.
const sweepScan = 256

// Run ends sessions and deletes visitors when their time comes, until ctx is
// done, and then returns nil. Several may run on one store at once: the guard
// of each record decides which of them acts.
func (s *Service) Run(ctx context.Context) error {
	var passes sync.WaitGroup
	passes.Go(func() {
		s.repeat(ctx, &round{pass: deletions, further: s.forgetOld})
	})
	s.repeat(ctx, &round{pass: ends, further: s.keepWatch})
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
	if _, err := s.jobs(ctx); err != nil || s.clock.Doubt() != nil {
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
func (s *Service) keepWatch(ctx context.Context, _ time.Time) error {
	s.tellClock(ctx)
	_, err := s.knownAccounts(ctx)
	return err
}

// repeat does a round once a second.
func (s *Service) repeat(ctx context.Context, r *round) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.once(ctx, r); err != nil && ctx.Err() == nil {
			s.log.LogAttrs(ctx, sweepLevel(err), "sweeping deadlines failed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
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
	if s.clock.Doubt() != nil {
		r.since = time.Time{} // what is over meanwhile is settled when all goes on
	} else if err = s.sweepOnce(ctx, r.pass, r.since, now); !Unavailable(err) {
		r.since = now.Add(-sweepOverlap) // what cannot be settled is tried again with the next full sweep
	}
	return errors.Join(err, r.further(ctx, now))
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
	if s.clock.Doubt() != nil {
		return s.finishJobs(ctx)
	}
	now := s.now()
	for _, p := range []pass{ends, deletions} {
		if err := s.sweepOnce(ctx, p, time.Time{}, now); err != nil {
			return err
		}
	}
	if err := s.forgetDay(ctx, now); err != nil {
		return err
	}
	if err := s.finishJobs(ctx); err != nil {
		return err
	}
	for {
		if again, err := s.forgetEvents(ctx, now); err != nil || !again {
			return err
		}
	}
}

// sweepOnce settles what became due since then. What cannot be settled, a
// damaged record for one, keeps nothing else from it.
func (s *Service) sweepOnce(ctx context.Context, p pass, since, now time.Time) error {
	var errs []error
	for shard := range byte(queueShards) {
		err := s.sweepShard(ctx, p, shard, since, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("sweeping shard %d: %w", shard, err))
		}
		if Unavailable(err) || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// sweepShard works through the deadlines of one shard that are due, oldest
// first.
func (s *Service) sweepShard(ctx context.Context, p pass, shard byte, since, now time.Time) error {
	from, to := queueRange(shard, max(0, millis(since)), millis(now)+1)
	var errs []error
	for ctx.Err() == nil {
		keys, next, err := s.dueKeys(ctx, p, from, to)
		for some := range slices.Chunk(keys, p.atOnce) {
			err = errors.Join(err, s.settle(ctx, some, now))
		}
		if err != nil {
			errs = append(errs, err)
		}
		if next == nil || Unavailable(err) {
			return errors.Join(errs...)
		}
		from = next
	}
	return ctx.Err()
}

// dueKeys are the deadlines of a pass among the next ones, and where to go on,
// nil at the end.
func (s *Service) dueKeys(ctx context.Context, p pass, from, to []byte) (keys [][]byte, next []byte, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		keys, next = nil, nil
		due, err := r.Scan(store.Range{From: from, To: to, Limit: sweepScan, KeysOnly: true})
		for _, entry := range due {
			if _, kind, _, err := parseQueueKey(entry.Key); err != nil || strings.IndexByte(p.kinds, kind) >= 0 {
				keys = append(keys, entry.Key)
			}
		}
		if len(due) == sweepScan {
			next = append(due[len(due)-1].Key, 0)
		}
		return err
	})
	return keys, next, err
}

// settle does what some deadlines ask for.
func (s *Service) settle(ctx context.Context, due [][]byte, now time.Time) error {
	errs := make([]error, len(due))
	var all sync.WaitGroup
	for i, key := range due {
		all.Go(func() { errs[i] = s.settleWhole(ctx, key, now) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// settleWhole settles one deadline. What needs several rounds, as the deletion
// of a long timeline does, is repeated until it is done.
func (s *Service) settleWhole(ctx context.Context, key []byte, now time.Time) error {
	for again := true; again; {
		ids, err := newIDSource(s.random)
		if err != nil {
			return err
		}
		err = s.store.Update(ctx, func(tx store.Tx) error {
			ids.restart()
			again, err = s.settleOne(tx, ids, key, now)
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
func (s *Service) settleOne(tx store.Tx, ids *idSource, key []byte, now time.Time) (again bool, err error) {
	_, kind, ref, err := parseQueueKey(key)
	if err != nil {
		return false, err
	}
	still, err := tx.Get(key)
	if err != nil || len(still) == 0 {
		return false, err // somebody else was first
	}
	account := Account(binary.BigEndian.Uint16(ref))
	config, _ := s.configOf(account) // one that is no longer configured is swept as well
	w := newWork(s, tx, &Request{Account: account, ReceivedAt: now}, config, ids)
	switch kind {
	case dueSession:
		err = w.sessionDue(key, ref)
	case dueLate:
		err = w.lateDue(key, ref)
	case dueVisitor:
		again, err = w.visitorDue(key, ref)
	case dueChat:
		err = w.chatDue(key, ref)
	case dueGrave:
		err = w.graveDue(key, ref)
	case dueTomb:
		err = w.tombDue(key, ref)
	case dueInvalid:
		err = w.invalidationDue(ref)
	default:
		err = fmt.Errorf("queue entry of unknown kind %q", kind)
	}
	if err != nil {
		return false, err
	}
	return again, w.flush()
}

// sessionDue ends the open session of a profile, unless activity went on.
func (w *work) sessionDue(key, ref []byte) error {
	_, i, err := parseIDRef(ref)
	if err != nil {
		return err
	}
	p, err := w.load(i)
	if err != nil {
		return err
	}
	if p == nil || p.open.id.zero() {
		return w.tx.Delete(key)
	}
	if at, err := w.erasedAt(i); at != 0 || err != nil {
		p.open, p.dirty = openSession{}, true
		return errors.Join(err, w.tx.Delete(key))
	}
	end := p.open.last + w.timeout
	if end <= millis(w.now) {
		if err := w.endOpen(p); errors.Is(err, errGone) {
			p.open, p.dirty = openSession{}, true // nothing is left to be ended
		} else if err != nil {
			return err
		}
		return w.tx.Delete(key)
	}
	if err := w.tx.Delete(key); err != nil {
		return err
	}
	p.open.queued, p.dirty = end, true
	return w.tx.Put(queueKey(end, dueSession, ref), present)
}

// lateDue ends a back-dated session when no more of its events came (B13),
// at the latest where the next session of its timeline begins.
func (w *work) lateDue(key, ref []byte) error {
	if err := w.tx.Delete(key); err != nil {
		return err
	}
	record := append([]byte{tableSession}, ref...)
	value, err := w.tx.Get(record)
	if err != nil || len(value) == 0 {
		return err
	}
	s, err := decodeSession(w.req.Account, record, value)
	if err != nil || s.end != 0 {
		return err
	}
	// The guard of the timeline keeps an event that joins at this moment from
	// being lost: it reads and writes it too.
	home, err := w.load(s.home)
	if err != nil || home == nil {
		return err
	}
	if at, err := w.erasedAt(s.home); at != 0 || err != nil {
		return err
	}
	home.dirty = true
	w.sessions[s.ref()] = s
	if s.due > millis(w.now) {
		s.queued = s.due
		return w.tx.Put(queueKey(s.due, dueLate, ref), present)
	}
	s.end = s.last + w.timeout
	after := appendTime(idKey(tableSession, s.account, s.home), s.start+1)
	next, err := w.tx.Scan(store.Range{From: after, To: prefixEnd(idKey(tableSession, s.account, s.home)), Limit: 1})
	if err != nil {
		return err
	}
	if len(next) == 1 {
		if _, start, _, err := parseSessionKey(next[0].Key); err == nil {
			s.end = max(s.last, min(s.end, start))
		}
	}
	return w.conclude(s.home, s)
}

// chatDue ends a Live Chat session nobody uses any more (B7).
func (w *work) chatDue(key, ref []byte) error {
	if err := w.tx.Delete(key); err != nil {
		return err
	}
	_, i, err := parseIDRef(ref)
	if err != nil {
		return err
	}
	c, err := w.loadChat(i)
	if err != nil || c == nil || c.ended != 0 {
		return err
	}
	end := w.chatEnd(c)
	if end > millis(w.now) {
		c.queued, c.dirty = end, true
		return w.tx.Put(queueKey(end, dueChat, ref), present)
	}
	c.queued = 0
	return w.end(c, end)
}

// graveDue forgets an ended cookie value, or an ended session itself, after
// its 400 days.
func (w *work) graveDue(key, ref []byte) error {
	if err := w.tx.Delete(key); err != nil {
		return err
	}
	const session = 2 + 16 + 16
	if len(ref) == session {
		var i id
		copy(i[:], ref[2:])
		c, err := w.loadChat(i)
		if err != nil || c == nil {
			return err
		}
		delete(w.chats, i)
		return w.remove(idKey(tableChat, c.account, i), referenceKey(c.account, c.profile, tableChat, i[:]))
	}
	var hash digest
	if copy(hash[:], ref[2+16:]) != len(hash) {
		return errMalformed
	}
	return w.tx.Delete(hashKey(tableCookie, w.req.Account, hash))
}

// forgetDay drops the client ids of the oldest day that may still be kept,
// some at a time (B26).
func (s *Service) forgetDay(ctx context.Context, now time.Time) error {
	horizon := dayOf(now.Add(-(dedupeDays + 1) * lateLimit))
	from := binary.BigEndian.AppendUint16([]byte{tableDedupe}, 1)
	to := binary.BigEndian.AppendUint16([]byte{tableDedupe}, horizon)
	var old []store.Entry
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		old, err = r.Scan(store.Range{From: from, To: to, Limit: maxForget, KeysOnly: true})
		return err
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return s.store.Update(ctx, func(tx store.Tx) error {
		for _, entry := range old {
			if err := forget(tx, entry.Key, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// maxForget bounds the deletions of one transaction.
const maxForget = 200

// forget drops one client id from its day and from where it is found. It may
// also stand for a spilled window, which goes unless its tab was heard of again
// since.
func forget(tx store.Tx, key []byte, now time.Time) error {
	if err := tx.Delete(key); err != nil {
		return err
	}
	const client = 1 + 2 + 2 + 16
	if len(key) <= client {
		return nil
	}
	spill := append([]byte{tableDedupe, 0, 0}, key[3:]...)
	if key[client] != spillMark[0] {
		return tx.Delete(spill)
	}
	value, err := tx.Get(spill)
	if err != nil || len(value) == 0 {
		return err
	}
	var at int64
	if err := decodeValue(value, func(f field) {
		if f.number == 4 {
			at = f.int()
		}
	}); err != nil {
		return err
	}
	if now.Sub(fromMillis(at)) < dedupeDays*lateLimit {
		return nil
	}
	return tx.Delete(spill)
}
