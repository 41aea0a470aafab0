package tracker

import (
	"context"
	"errors"
	"fmt"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// The kinds of job. A job is done in pieces by whoever sweeps, and taken up
// where it stopped: what is left to do is what is still there.
const (
	jobProfile = 'p' // remove an erased profile (B33)
	jobDevice  = 'd' // forget a device whose visitor withdrew consent (B30)
)

// job is what is to be removed.
type job struct {
	at       int64 // since when it counts as removed
	recorded bool  // it stands in the ledger; nothing is removed before
}

func (j job) encode() []byte {
	e := newEncoder(16)
	e.int(1, j.at)
	e.bool(2, j.recorded)
	return e.b
}

func decodeJob(value []byte) (j job, err error) {
	err = decodeValue(value, func(f field) {
		switch f.number {
		case 1:
			j.at = f.int()
		case 2:
			j.recorded = f.bool()
		}
	})
	return j, err
}

// readJob reads a job, the zero one when there is none.
func readJob(r store.Reader, key []byte) (job, error) {
	value, err := r.Get(key)
	if err != nil || len(value) == 0 {
		return job{}, err
	}
	return decodeJob(value)
}

// Bounds of what one sweep does about jobs, so that the ends of sessions do
// not wait for the removal of a long life.
const (
	jobsAtOnce  = 16
	roundsOfJob = 8
)

// jobs goes on with what is to be removed; again says that some is left.
func (s *Service) jobs(ctx context.Context) (again bool, err error) {
	var waiting []store.Entry
	err = s.store.View(ctx, func(r store.Reader) (err error) {
		waiting, err = r.Scan(prefixKeys([]byte{tableJob}, jobsAtOnce))
		return err
	})
	var errs []error
	for _, entry := range waiting {
		more, err := s.job(ctx, entry.Key)
		again = again || more
		if err != nil {
			errs = append(errs, fmt.Errorf("removing what was erased: %w", err))
		}
	}
	return again || len(waiting) == jobsAtOnce, errors.Join(append(errs, err)...)
}

// finishJobs removes all that is to be removed.
func (s *Service) finishJobs(ctx context.Context) error {
	for {
		if again, err := s.jobs(ctx); err != nil || !again {
			return err
		}
	}
}

func (s *Service) job(ctx context.Context, key []byte) (again bool, err error) {
	kind, a, i, err := parseJobKey(key)
	if err != nil {
		return false, err
	}
	if kind == jobProfile {
		if err := s.recordErasure(ctx, a, i); err != nil {
			return false, err
		}
	}
	again = true
	for round := 0; again && round < roundsOfJob && err == nil; round++ {
		again, err = s.jobRound(ctx, key)
	}
	return again, err
}

// jobRound does one piece of a job in a transaction of its own.
func (s *Service) jobRound(ctx context.Context, key []byte) (again bool, err error) {
	kind, a, i, err := parseJobKey(key)
	if err != nil {
		return false, err
	}
	ids, err := newIDSource(s.random)
	if err != nil {
		return false, err
	}
	err = s.store.Update(ctx, func(tx store.Tx) error {
		ids.restart()
		config, _ := s.configOf(a) // nothing of it is needed to remove
		w := newWork(s, tx, &Request{Account: a, ReceivedAt: s.now()}, config, ids)
		j, err := readJob(tx, key)
		if again = j.at != 0; err != nil || !again {
			return err
		}
		r := &removal{work: w, at: j.at, left: maxExpire}
		switch kind {
		case jobProfile:
			again, err = r.person(i)
		case jobDevice:
			again, err = r.forget(i)
		default:
			err = fmt.Errorf("job of unknown kind %q", kind)
		}
		if err == nil && !again {
			err = tx.Delete(key)
		}
		if err != nil {
			return err
		}
		return w.flush()
	})
	return again, err
}
