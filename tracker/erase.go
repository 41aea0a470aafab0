package tracker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Erasure is the record of an erased profile. It tells nothing to whoever does
// not have the profile already.
type Erasure struct {
	Profile [sha256.Size]byte // a hash of account and profile
	At      time.Time
}

// Ledger keeps the record of erasures outside the store, so that a backup of
// before does not bring anybody back (B33). Append returns once it is on disk;
// what is appended twice counts once.
type Ledger interface {
	Append(erasures []Erasure) error
}

// erasureHash is how a ledger knows a profile.
func erasureHash(a Account, i id) digest {
	return sha256.Sum256(append([]byte("profile "), idRef(a, i)...))
}

// Erase hides a person at once and for good, and has everything removed that
// names it: properties, sessions, events, merged visitors, devices, cookies and
// indexes, by Sweep or Run, in pieces (B33). It returns once that is on disk
// and in the ledger. ErrNotFound is the answer for a visitor and for a person
// that is erased already.
func (s *Service) Erase(ctx context.Context, a Account, personID string) error {
	i, ok := parseID(personID)
	if !ok {
		return ErrNotFound
	}
	if err := s.hide(ctx, a, i, s.now(), (*profile).person); err != nil {
		return fmt.Errorf("erasing a person: %w", err)
	}
	s.live.forget(a, i)
	if err := s.recordErasure(ctx, a, i); err != nil {
		return fmt.Errorf("the person is hidden, but the erasure is not recorded yet: %w", err)
	}
	return nil
}

// hide begins the erasure of a profile for which is holds.
func (s *Service) hide(ctx context.Context, a Account, i id, at time.Time, is func(*profile) bool) error {
	ids, err := newIDSource(s.random)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx store.Tx) error {
		config, _ := s.configOf(a) // nothing of it is needed to remove
		w := newWork(s, tx, &Request{Account: a, ReceivedAt: s.now()}, config, ids)
		p, err := w.load(i)
		if err != nil {
			return err
		}
		if p == nil || p.erasing != 0 || !is(p) {
			return ErrNotFound
		}
		if err := w.hide(p, millis(at)); err != nil {
			return err
		}
		return w.flush()
	})
}

// hide makes a profile unfindable, ends its session without a trace and leaves
// the job that removes it. Everything that is done for the profile reads its
// record, and stops at the mark.
func (w *work) hide(p *profile, at int64) error {
	ref := idRef(p.account, p.id)
	if err := w.unlist(p, p.platformType()); err != nil {
		return err
	}
	if !p.open.id.zero() {
		if err := w.tx.Delete(queueKey(p.open.queued, dueSession, ref)); err != nil {
			return err
		}
	}
	if p.expiry != 0 {
		if err := w.tx.Delete(queueKey(p.expiry, dueVisitor, ref)); err != nil {
			return err
		}
	}
	p.erasing, p.open, p.expiry, p.dirty = at, openSession{}, 0, true
	if err := w.tx.Put(erasedKey(erasureHash(p.account, p.id)), tombstone{at: at}.encode()); err != nil {
		return err
	}
	return w.tx.Put(jobKey(jobProfile, p.account, p.id), job{at: at}.encode())
}

// membersAtOnce is how many merged visitors are recorded together.
const membersAtOnce = 200

// recordErasure writes a hidden profile and what was merged into it to the
// ledger, and lets the removal begin. Nothing is merged into it any more.
func (s *Service) recordErasure(ctx context.Context, a Account, i id) error {
	key := jobKey(jobProfile, a, i)
	page := prefixKeys(idKey(tableMember, a, i), membersAtOnce)
	profiles := []id{i}
	for {
		var j job
		var members []store.Entry
		err := s.store.View(ctx, func(r store.Reader) (err error) {
			if j, err = readJob(r, key); err == nil && !j.recorded && j.at != 0 {
				members, err = r.Scan(page)
			}
			return err
		})
		if err != nil || j.recorded || j.at == 0 {
			return err
		}
		for _, member := range members {
			profiles = append(profiles, lastID(member.Key))
		}
		if profiles, err = s.withInner(ctx, a, i, profiles); err != nil {
			return err
		}
		last := len(members) < page.Limit
		if err := s.ledgerAdd(a, profiles, j.at); err != nil {
			return err
		}
		err = s.store.Update(ctx, func(tx store.Tx) error { return markErased(tx, a, profiles, key, last) })
		if err != nil || last {
			return err
		}
		page.From = append(members[len(members)-1].Key, 0)
		profiles = nil
	}
}

// withInner adds the members of absorbed leads.
func (s *Service) withInner(ctx context.Context, a Account, person id, profiles []id) ([]id, error) {
	all := profiles
	err := s.store.View(ctx, func(r store.Reader) error {
		all = profiles
		for _, i := range profiles {
			if i == person {
				continue
			}
			inner, err := membersOf(r, a, i, 0)
			if err != nil {
				return err
			}
			for _, m := range inner {
				all = append(all, m.visitor)
			}
		}
		return nil
	})
	return all, err
}

func (s *Service) ledgerAdd(a Account, profiles []id, at int64) error {
	if s.ledger == nil || len(profiles) == 0 {
		return nil
	}
	erasures := make([]Erasure, len(profiles))
	for n, i := range profiles {
		erasures[n] = Erasure{erasureHash(a, i), fromMillis(at)}
	}
	if err := s.ledger.Append(erasures); err != nil {
		return fmt.Errorf("recording an erasure: %w", err)
	}
	return nil
}

// markErased keeps the erasures in the store too, from where they get into
// every later backup.
func markErased(tx store.Tx, a Account, profiles []id, key []byte, last bool) error {
	j, err := readJob(tx, key)
	if err != nil || j.at == 0 {
		return err
	}
	for _, i := range profiles {
		if err := tx.Put(erasedKey(erasureHash(a, i)), tombstone{at: j.at}.encode()); err != nil {
			return err
		}
	}
	j.recorded = last
	return tx.Put(key, j.encode())
}
