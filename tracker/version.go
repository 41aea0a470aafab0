package tracker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// layoutVersion says how keys and records are laid out. It rises when a program
// of before could not read what is written from then on, or would lose a part
// of a record by writing it again; a field that may get lost needs no new one.
// Since 2 the record of a living visitor stands within that of its device.
const layoutVersion = 2

// ErrNewer is returned for a store that a newer program has written to: one
// that this program would misread, or take something away from.
var ErrNewer = errors.New("tracker: the store was written by a newer version of this program, which has to be used from then on")

// Prepare notes in a store that it has this program's layout from now on: one of
// before is read as well, and what is written anew is written in the present one.
// It fails with ErrNewer where the layout is one this program does not know.
// Several processes may prepare one store at once. A store is prepared before a
// Service works on it.
func Prepare(ctx context.Context, st store.Store) error {
	var found uint64
	err := st.View(ctx, func(r store.Reader) (err error) {
		found, err = layoutOf(r)
		return err
	})
	if err != nil || found == layoutVersion {
		return err
	}
	return st.Update(ctx, func(tx store.Tx) error {
		if found, err := layoutOf(tx); err != nil || found == layoutVersion {
			return err
		}
		e := newEncoder(4)
		e.uint(1, layoutVersion)
		return tx.Put(layoutKey, e.b)
	})
}

// Unprepare takes back what Prepare noted, and that the store was in use, from
// one that holds nothing else: it is empty then, and another store's content can
// be put into it. A store that holds something is left as it is.
func Unprepare(ctx context.Context, st store.Store) error {
	return st.Update(ctx, func(tx store.Tx) error {
		held, err := tx.Scan(store.Range{Limit: 3, KeysOnly: true})
		if err != nil {
			return err
		}
		for _, entry := range held {
			if !bytes.Equal(entry.Key, layoutKey) && !bytes.Equal(entry.Key, aliveKey) {
				return nil
			}
		}
		for _, entry := range held {
			if err := tx.Delete(entry.Key); err != nil {
				return err
			}
		}
		return nil
	})
}

// CheckLayout fails with ErrNewer as Prepare does, in a store that may have
// been taken over by a newer program since.
func CheckLayout(r store.Reader) error {
	_, err := layoutOf(r)
	return err
}

// layoutOf is the version in the store, 0 when there is none.
func layoutOf(r store.Reader) (version uint64, err error) {
	value, err := r.Get(layoutKey)
	if err != nil || len(value) == 0 {
		return 0, err
	}
	err = decodeValue(value, func(f field) {
		if f.number == 1 {
			version = f.value
		}
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("reading the store's version: %w", err)
	case version > layoutVersion:
		return version, fmt.Errorf("%w: layout %d, this program knows %d", ErrNewer, version, layoutVersion)
	}
	return version, nil
}

// watchLayout notices a newer program that took the store over while this one
// is running, and refuses calls from then on.
func (s *Service) watchLayout(ctx context.Context) error {
	err := s.store.View(ctx, CheckLayout)
	if errors.Is(err, ErrNewer) && !s.outdated.Swap(true) {
		s.log.Error("nothing is recorded any more: upgrade this program", slog.Any("error", err))
	} else if err == nil && s.outdated.Swap(false) { // a backup was put back
		s.log.Info("the store has a known version again")
	}
	return err
}

// errOutdated is met by calls once the store belongs to a newer program.
var errOutdated = fmt.Errorf("%w: %w", store.ErrUnavailable, ErrNewer)
