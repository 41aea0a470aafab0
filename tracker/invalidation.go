package tracker

import (
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// invalidation says since when the sessions of a sid are over (B4, B7).
type invalidation struct {
	at  int64 // those of tokens issued until then
	due int64 // when it may be forgotten, 0 for one of a version that did not say
}

func (v invalidation) encode() []byte {
	e := newEncoder(24)
	e.int(1, v.at)
	e.int(2, v.due)
	return e.b
}

func decodeInvalidation(value []byte) (v invalidation, err error) {
	err = decodeValue(value, func(f field) {
		switch f.number {
		case 1:
			v.at = f.int()
		case 2:
			v.due = f.int()
		}
	})
	return v, err
}

// invalidationLife is how long an invalidation may matter: to a token, for as
// long as that lives; to a device that has not called since, for as long as its
// session would have lived; and for no shorter time than an ended cookie value
// stays ended, however short the lifetimes are now.
func (s *Service) invalidationLife() time.Duration {
	return max(tombstoneLife, s.chat, s.auth) + activeStep
}

// invalidationOf is what is known of a sid, the zero value when nothing is.
func invalidationOf(tx store.Tx, key []byte) (invalidation, error) {
	value, err := tx.Get(key)
	if err != nil || len(value) == 0 {
		return invalidation{}, err
	}
	return decodeInvalidation(value)
}

// dropInvalidation removes what is known of a sid and its deadline.
func dropInvalidation(tx store.Tx, key []byte) error {
	before, err := invalidationOf(tx, key)
	if err != nil {
		return err
	}
	if before.due != 0 {
		if err := tx.Delete(invalidationDeadline(key, before.due)); err != nil {
			return err
		}
	}
	return tx.Delete(key)
}

// putInvalidation replaces what is known of a sid.
func putInvalidation(tx store.Tx, key []byte, v invalidation) error {
	if err := dropInvalidation(tx, key); err != nil {
		return err
	}
	if err := tx.Put(invalidationDeadline(key, v.due), present); err != nil {
		return err
	}
	return tx.Put(key, v.encode())
}

// invalidationDeadline refers to the whole key but its table.
func invalidationDeadline(key []byte, due int64) []byte { return queueKey(due, dueInvalid, key[1:]) }

// invalidationDue forgets an invalidation that ends nothing any more, unless
// sessions live longer by now than when it was written.
func (w *work) invalidationDue(_, ref []byte) error {
	key := append([]byte{tableInvalid}, ref...)
	v, err := invalidationOf(w.tx, key)
	if err != nil {
		return err
	}
	if end := v.at + w.invalidationLife().Milliseconds(); end > millis(w.now) {
		return putInvalidation(w.tx, key, invalidation{v.at, end})
	}
	return dropInvalidation(w.tx, key)
}
