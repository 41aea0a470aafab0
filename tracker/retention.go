package tracker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// MinEventRetention is the shortest time events can be kept for: everything
// younger may still be joined by calls that come late (B13).
const MinEventRetention = 48 * time.Hour

// retentionPass is how often old events are looked for, and profilesAtOnce how
// many profiles one transaction looks at.
const (
	retentionPass  = time.Hour
	profilesAtOnce = 50
)

// retention is how far old events are forgotten. It stands in the store, so
// that several proxies, and a process after the other, share one pass.
type retention struct {
	began  int64  // when the present or last pass did
	cutoff int64  // what happened before is deleted, or about to be
	from   []byte // the profile that comes next, empty between two passes
}

func (v retention) encode() []byte {
	e := newEncoder(64)
	e.int(1, v.began)
	e.int(2, v.cutoff)
	e.bytes(3, v.from)
	return e.b
}

func decodeRetention(value []byte) (v retention, err error) {
	err = decodeValue(value, func(f field) {
		switch f.number {
		case 1:
			v.began = f.int()
		case 2:
			v.cutoff = f.int()
		case 3:
			v.from = slices.Clone(f.data)
		}
	})
	return v, err
}

func readRetention(r store.Reader) (retention, error) {
	value, err := r.Get(retentionKey)
	if err != nil || len(value) == 0 {
		return retention{}, err
	}
	return decodeRetention(value)
}

// forgetEvents deletes some of the events that are older than they are to be
// kept for; again says that the pass goes on. Persons, visitors and what is
// known of them stay.
func (s *Service) forgetEvents(ctx context.Context, now time.Time) (again bool, err error) {
	if s.retention == 0 {
		return false, nil
	}
	due := false
	err = s.store.View(ctx, func(r store.Reader) error {
		v, err := readRetention(r)
		due = len(v.from) > 0 || v.began == 0 || now.Sub(fromMillis(v.began)) >= retentionPass
		return err
	})
	if err != nil || !due {
		return false, err
	}
	err = s.store.Update(ctx, func(tx store.Tx) error {
		v, err := readRetention(tx)
		if err != nil {
			return err
		}
		if len(v.from) == 0 {
			v = retention{began: millis(now), cutoff: max(v.cutoff, millis(now.Add(-s.retention))), from: []byte{tableProfile}}
		}
		if v.from, err = forgetBefore(tx, v.cutoff, v.from); err != nil {
			return err
		}
		again = len(v.from) > 0
		return tx.Put(retentionKey, v.encode())
	})
	if err != nil {
		return false, fmt.Errorf("forgetting old events: %w", err)
	}
	return again, nil
}

// forgetBefore deletes what happened before cutoff to the profiles from a key
// on, and returns the key to go on with, nil when there is no further one.
func forgetBefore(tx store.Tx, cutoff int64, from []byte) (next []byte, err error) {
	profiles, err := tx.Scan(store.Range{From: from, To: []byte{tableProfile + 1}, Limit: profilesAtOnce, KeysOnly: true})
	if err != nil {
		return nil, err
	}
	left := maxExpire
	for _, entry := range profiles {
		a, i, err := parseIDRef(entry.Key[1:])
		if err != nil {
			return nil, err
		}
		events := idKey(tableEvent, a, i)
		old, err := tx.Scan(store.Range{From: events, To: appendTime(slices.Clone(events), cutoff), Limit: left, KeysOnly: true})
		if err != nil {
			return nil, err
		}
		for _, e := range old {
			if err := tx.Delete(e.Key); err != nil {
				return nil, err
			}
		}
		if left -= len(old); left == 0 {
			return entry.Key, nil
		}
		n, err := forgetSessions(tx, a, i, cutoff, left)
		if err != nil {
			return nil, err
		}
		if left -= n; left == 0 {
			return entry.Key, nil
		}
	}
	if len(profiles) < profilesAtOnce {
		return nil, nil
	}
	return append(slices.Clone(profiles[len(profiles)-1].Key), 0), nil
}

// forgetSessions deletes sessions that ended before cutoff. One that reaches
// beyond it stays as it was, with its count of all its activities.
func forgetSessions(tx store.Tx, a Account, i id, cutoff int64, most int) (deleted int, err error) {
	prefix := idKey(tableSession, a, i)
	old, err := tx.Scan(store.Range{From: prefix, To: appendTime(slices.Clone(prefix), cutoff), Limit: most})
	if err != nil {
		return 0, err
	}
	for _, e := range old {
		s, err := decodeSession(a, e.Key, e.Value)
		if err != nil {
			return 0, err
		}
		if s.end == 0 || s.end >= cutoff {
			continue
		}
		if err := tx.Delete(e.Key); err != nil {
			return 0, err
		}
		deleted++
	}
	return deleted, nil
}
