package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/livechat-people/caddy-people-tracking/store"
)

const racers = 24

// race runs fn at the same time in many goroutines.
func race(t *testing.T, fn func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		wg.Go(func() {
			<-start
			assert.NoError(t, fn(i))
		})
	}
	close(start)
	wg.Wait()
}

var errTaken = errors.New("taken")

var races = map[string]func(*testing.T, store.Store){
	"ok/one of many creates an absent key": func(t *testing.T, s store.Store) {
		for round := range 5 {
			won := make([]bool, racers)
			race(t, func(i int) error {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					if taken, err := tx.Get(key(round)); err != nil || taken != nil {
						return errors.Join(err, errTaken)
					}
					return tx.Put(key(round), value(i))
				})
				won[i] = err == nil
				if errors.Is(err, errTaken) {
					return nil
				}
				return err
			})
			winners := 0
			for i, w := range won {
				if w {
					winners++
					assert.Equal(t, value(i), get(t, s, key(round)))
				}
			}
			assert.Equal(t, 1, winners)
		}
	},
	"ok/no increment is lost": func(t *testing.T, s store.Store) {
		// Each also learns the number it made, set from scratch in every run.
		seen := make([]uint64, racers)
		race(t, func(i int) error {
			return s.Update(context.Background(), func(tx store.Tx) error {
				n, err := increment(tx, key(0))
				seen[i] = n
				return err
			})
		})
		distinct := map[uint64]bool{}
		for _, n := range seen {
			distinct[n] = true
		}
		assert.Len(t, distinct, racers)
		assert.EqualValues(t, racers, binary.BigEndian.Uint64(get(t, s, key(0))))
	},
	// Each adds an entry of its own and counts those there: a scan alone sees no
	// phantoms, the guard that all lock makes it right.
	"ok/a locked guard protects what is scanned": func(t *testing.T, s store.Store) {
		for name, guard := range map[string][]byte{"absent": []byte("g1"), "present": []byte("g2")} {
			if name == "present" {
				put(t, s, guard, value(1))
			}
			counted := make([]int, racers)
			race(t, func(i int) error {
				return s.Update(context.Background(), func(tx store.Tx) error {
					if _, err := tx.Get(guard); err != nil {
						return err
					}
					if err := tx.Lock(guard); err != nil {
						return err
					}
					entries, err := tx.Scan(store.Range{From: []byte("m" + name), To: []byte("n"), Limit: store.MaxScan, KeysOnly: true})
					if err != nil {
						return err
					}
					counted[i] = len(entries)
					return tx.Put(fmt.Appendf(nil, "m%s%d", name, i), value(i))
				})
			})
			assert.ElementsMatch(t, numbers(racers), counted, name)
			update(t, s, func(tx store.Tx) error { return clearAll(tx, "m") })
		}
	},
	"ok/a guard that is deleted and made again": func(t *testing.T, s store.Store) {
		// Moves of one token between two keys: never both, never none.
		put(t, s, key(0), value(7))
		race(t, func(i int) error {
			return s.Update(context.Background(), func(tx store.Tx) error {
				for from := range 2 {
					token, err := tx.Get(key(from))
					if err != nil {
						return err
					}
					if token == nil {
						continue
					}
					if err := tx.Delete(key(from)); err != nil {
						return err
					}
					return tx.Put(key(1-from), token)
				}
				return errors.New("the token is lost")
			})
		})
		assert.Len(t, scan(t, s, store.Range{Limit: 9}), 1)
	},
	"ok/updates on different keys": func(t *testing.T, s store.Store) {
		race(t, func(i int) error {
			for range 5 {
				err := s.Update(context.Background(), func(tx store.Tx) error { _, err := increment(tx, key(i)); return err })
				if err != nil {
					return err
				}
			}
			return nil
		})
		for i := range racers {
			assert.EqualValues(t, 5, binary.BigEndian.Uint64(get(t, s, key(i))))
		}
	},
	// A transfer keeps the sum; every view must see it.
	"ok/views never see half of an update": func(t *testing.T, s store.Store) {
		update(t, s, func(tx store.Tx) error {
			return errors.Join(tx.Put(key(1), encode(1000)), tx.Put(key(2), encode(1000)))
		})
		race(t, func(i int) error {
			if i%2 == 0 {
				return s.Update(context.Background(), func(tx store.Tx) error { return transfer(tx, uint64(i)) })
			}
			return s.View(context.Background(), func(r store.Reader) error {
				one, err := r.Get(key(1))
				if err != nil {
					return err
				}
				two, err := r.Get(key(2))
				if err == nil && binary.BigEndian.Uint64(one)+binary.BigEndian.Uint64(two) != 2000 {
					err = fmt.Errorf("sum of %x and %x", one, two)
				}
				return err
			})
		})
	},
}

func increment(tx store.Tx, key []byte) (uint64, error) {
	got, err := tx.Get(key)
	if err != nil {
		return 0, err
	}
	n := uint64(1)
	if got != nil {
		n += binary.BigEndian.Uint64(got)
	}
	return n, tx.Put(key, encode(n))
}

func transfer(tx store.Tx, amount uint64) error {
	one, err := tx.Get(key(1))
	if err != nil {
		return err
	}
	two, err := tx.Get(key(2))
	if err != nil {
		return err
	}
	if err := tx.Put(key(1), encode(binary.BigEndian.Uint64(one)-amount)); err != nil {
		return err
	}
	return tx.Put(key(2), encode(binary.BigEndian.Uint64(two)+amount))
}

func encode(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func clearAll(tx store.Tx, prefix string) error {
	entries, err := tx.Scan(store.Range{From: []byte(prefix), To: []byte(prefix + "\xff"), Limit: store.MaxScan, KeysOnly: true})
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := tx.Delete(e.Key); err != nil {
			return err
		}
	}
	return nil
}
