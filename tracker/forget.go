package tracker

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

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
