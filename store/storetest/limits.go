package storetest

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

var limits = map[string]func(*testing.T, store.Store){
	"ok/everything at its limit": func(t *testing.T, s store.Store) {
		long := bytes.Repeat([]byte("x"), store.MaxKeyBytes)
		big := bytes.Repeat([]byte("y"), store.MaxValueBytes)
		put(t, s, long, big)
		assert.Equal(t, big, get(t, s, long))
		// As many bytes as one update takes.
		update(t, s, func(tx store.Tx) error {
			left := store.MaxWriteBytes
			for i := 0; left > 0; i++ {
				n := min(left, len(key(i))+store.MaxValueBytes)
				if err := tx.Put(key(i), big[:n-len(key(i))]); err != nil {
					return err
				}
				left -= n
			}
			return nil
		})
		// As many keys as one update takes; writing one twice is one.
		update(t, s, func(tx store.Tx) error {
			for range 2 {
				for i := range store.MaxWrites {
					if err := tx.Put(key(i), value(i)); err != nil {
						return err
					}
				}
			}
			return nil
		})
	},
	"fail/too many writes": func(t *testing.T, s store.Store) {
		for _, write := range []func(tx store.Tx, i int) error{
			func(tx store.Tx, i int) error { return tx.Put(key(i), value(i)) },
			func(tx store.Tx, i int) error { return tx.Delete(key(i)) },
			func(tx store.Tx, i int) error { return tx.Lock(key(i)) },
		} {
			tooLarge(t, s, func(tx store.Tx) error {
				for i := range store.MaxWrites {
					if err := write(tx, i); err != nil {
						t.Errorf("write %d: %v", i, err)
					}
				}
				return write(tx, store.MaxWrites)
			})
		}
		assert.Empty(t, scan(t, s, store.Range{Limit: 1}))
	},
	"fail/too many bytes": func(t *testing.T, s store.Store) {
		big := bytes.Repeat([]byte("y"), store.MaxValueBytes)
		tooLarge(t, s, func(tx store.Tx) error {
			for i := range store.MaxWriteBytes/store.MaxValueBytes + 1 {
				if err := tx.Put(key(i), big); err != nil {
					return err
				}
			}
			return nil
		})
		assert.Empty(t, scan(t, s, store.Range{Limit: 1}))
	},
	"fail/key, value or scan too large": func(t *testing.T, s store.Store) {
		long := bytes.Repeat([]byte("x"), store.MaxKeyBytes+1)
		tooLarge(t, s, func(tx store.Tx) error { return tx.Put(long, value(1)) })
		tooLarge(t, s, func(tx store.Tx) error { return tx.Delete(long) })
		tooLarge(t, s, func(tx store.Tx) error { return tx.Lock(long) })
		tooLarge(t, s, func(tx store.Tx) error { _, err := tx.Get(long); return err })
		tooLarge(t, s, func(tx store.Tx) error { _, err := tx.Scan(store.Range{Limit: store.MaxScan + 1}); return err })
		tooLarge(t, s, func(tx store.Tx) error { return tx.Put(key(1), make([]byte, store.MaxValueBytes+1)) })
	},
	"fail/an error that fn swallows": func(t *testing.T, s store.Store) {
		err := s.Update(context.Background(), func(tx store.Tx) error {
			if err := tx.Put(key(1), value(1)); err != nil {
				return err
			}
			assert.Error(t, tx.Put(key(2), make([]byte, store.MaxValueBytes+1)))
			return nil
		})
		require.ErrorIs(t, err, store.ErrTooLarge)
		assert.Nil(t, get(t, s, key(1)), "half of an update was written")
	},
	"fail/invalid keys and ranges": func(t *testing.T, s store.Store) {
		ctx := context.Background()
		for _, bad := range [][]byte{nil, {}, {0}, []byte("\x00commit")} {
			for name, err := range map[string]error{
				"put":    s.Update(ctx, func(tx store.Tx) error { return tx.Put(bad, value(1)) }),
				"delete": s.Update(ctx, func(tx store.Tx) error { return tx.Delete(bad) }),
				"lock":   s.Update(ctx, func(tx store.Tx) error { return tx.Lock(bad) }),
				"get":    s.Update(ctx, func(tx store.Tx) error { _, err := tx.Get(bad); return err }),
				"view":   s.View(ctx, func(r store.Reader) error { _, err := r.Get(bad); return err }),
			} {
				require.ErrorIs(t, err, store.ErrInvalid, "%s %q", name, bad)
			}
		}
		for _, limit := range []int{0, -1} {
			assert.ErrorIs(t, s.View(ctx, func(r store.Reader) error { _, err := r.Scan(store.Range{Limit: limit}); return err }), store.ErrInvalid)
		}
	},
}

func tooLarge(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	require.ErrorIs(t, s.Update(context.Background(), fn), store.ErrTooLarge)
}
