// Package storetest says what a store must do, whatever engine is below it.
package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Run checks the store that open makes. Each test opens an empty one and closes
// it; open leaves no other trace after the test.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, group := range []map[string]func(*testing.T, store.Store){basics, scans, limits, races, outcomes, closing} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				s := open(t)
				t.Cleanup(func() { require.NoError(t, s.Close()) })
				test(t, s)
			})
		}
	}
}

// key makes keys that sort as their numbers do.
func key(n int) []byte { return fmt.Appendf(nil, "k%06d", n) }

func value(n int) []byte { return fmt.Appendf(nil, "v%d", n) }

func update(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	require.NoError(t, s.Update(context.Background(), fn))
}

func put(t *testing.T, s store.Store, key, value []byte) {
	t.Helper()
	update(t, s, func(tx store.Tx) error { return tx.Put(key, value) })
}

func get(t *testing.T, s store.Store, key []byte) []byte {
	t.Helper()
	var got []byte
	require.NoError(t, s.View(context.Background(), func(r store.Reader) (err error) {
		got, err = r.Get(key)
		return err
	}))
	return got
}

func scan(t *testing.T, s store.Store, r store.Range) []store.Entry {
	t.Helper()
	var got []store.Entry
	require.NoError(t, s.View(context.Background(), func(reader store.Reader) (err error) {
		got, err = reader.Scan(r)
		return err
	}))
	return got
}

// fill puts key(0) to key(n-1).
func fill(t *testing.T, s store.Store, n int) {
	t.Helper()
	for from := 0; from < n; from += store.MaxWrites {
		update(t, s, func(tx store.Tx) error {
			for i := from; i < min(n, from+store.MaxWrites); i++ {
				if err := tx.Put(key(i), value(i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
