package storetest

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

var basics = map[string]func(*testing.T, store.Store){
	"ok/absent key is nil": func(t *testing.T, s store.Store) {
		assert.Nil(t, get(t, s, key(1)))
	},
	"ok/put, get, overwrite, delete": func(t *testing.T, s store.Store) {
		put(t, s, key(1), value(1))
		assert.Equal(t, value(1), get(t, s, key(1)))
		put(t, s, key(1), value(2))
		assert.Equal(t, value(2), get(t, s, key(1)))
		update(t, s, func(tx store.Tx) error { return tx.Delete(key(1)) })
		assert.Nil(t, get(t, s, key(1)))
	},
	"ok/delete of an absent key": func(t *testing.T, s store.Store) {
		update(t, s, func(tx store.Tx) error { return tx.Delete(key(1)) })
		assert.Nil(t, get(t, s, key(1)))
	},
	"ok/empty value is an absent key": func(t *testing.T, s store.Store) {
		put(t, s, key(1), value(1))
		put(t, s, key(1), []byte{})
		put(t, s, key(2), nil)
		assert.Nil(t, get(t, s, key(1)))
		assert.Empty(t, scan(t, s, store.Range{Limit: 10}))
		update(t, s, func(tx store.Tx) error {
			require.NoError(t, tx.Put(key(3), nil))
			got, err := tx.Get(key(3))
			require.NoError(t, err)
			assert.Nil(t, got)
			entries, err := tx.Scan(store.Range{Limit: 10})
			assert.Empty(t, entries)
			return err
		})
	},
	"ok/lock leaves what is there": func(t *testing.T, s store.Store) {
		put(t, s, key(1), value(1))
		update(t, s, func(tx store.Tx) error {
			if err := tx.Lock(key(1)); err != nil {
				return err
			}
			if err := tx.Lock(key(2)); err != nil {
				return err
			}
			for i, want := range [][]byte{1: value(1), 2: nil} {
				if i == 0 {
					continue
				}
				got, err := tx.Get(key(i))
				if err != nil {
					return err
				}
				assert.Equal(t, want, got)
			}
			entries, err := tx.Scan(store.Range{Limit: 10})
			if err != nil {
				return err
			}
			assert.Equal(t, []store.Entry{{Key: key(1), Value: value(1)}}, entries)
			return nil
		})
		assert.Equal(t, value(1), get(t, s, key(1)))
		assert.Nil(t, get(t, s, key(2)))
		assert.Len(t, scan(t, s, store.Range{Limit: 10}), 1)
	},
	"ok/lock after a write keeps the write": func(t *testing.T, s store.Store) {
		put(t, s, key(2), value(2))
		update(t, s, func(tx store.Tx) error {
			for _, step := range []func() error{
				func() error { return tx.Put(key(1), value(1)) },
				func() error { return tx.Lock(key(1)) },
				func() error { return tx.Delete(key(2)) },
				func() error { return tx.Lock(key(2)) },
				func() error { return tx.Lock(key(3)) },
				func() error { return tx.Put(key(3), value(3)) },
			} {
				if err := step(); err != nil {
					return err
				}
			}
			return nil
		})
		assert.Equal(t, value(1), get(t, s, key(1)))
		assert.Nil(t, get(t, s, key(2)))
		assert.Equal(t, value(3), get(t, s, key(3)))
	},
	"ok/own writes are read": func(t *testing.T, s store.Store) {
		put(t, s, key(1), value(1))
		update(t, s, func(tx store.Tx) error {
			if err := tx.Put(key(1), value(11)); err != nil {
				return err
			}
			if err := tx.Put(key(2), value(2)); err != nil {
				return err
			}
			if err := tx.Delete(key(2)); err != nil {
				return err
			}
			one, err := tx.Get(key(1))
			if err != nil {
				return err
			}
			two, err := tx.Get(key(2))
			assert.Equal(t, value(11), one)
			assert.Nil(t, two)
			return err
		})
	},
	"ok/slices belong to the caller": func(t *testing.T, s store.Store) {
		put(t, s, key(1), value(1))
		update(t, s, func(tx store.Tx) error {
			if err := tx.Put(key(2), value(2)); err != nil {
				return err
			}
			for i := 1; i <= 2; i++ {
				got, err := tx.Get(key(i))
				if err != nil {
					return err
				}
				clear(got)
			}
			entries, err := tx.Scan(store.Range{Limit: 10})
			for _, e := range entries {
				clear(e.Key)
				clear(e.Value)
			}
			return err
		})
		clear(get(t, s, key(1)))
		assert.Equal(t, []store.Entry{{Key: key(1), Value: value(1)}, {Key: key(2), Value: value(2)}}, scan(t, s, store.Range{Limit: 10}))
	},
	"ok/any byte in keys and values": func(t *testing.T, s store.Store) {
		odd := []byte{1, 0, 255, '%', '\'', '\\', 0xC3, 0x28, 0}
		put(t, s, odd, append([]byte{0}, odd...))
		assert.True(t, bytes.Equal(append([]byte{0}, odd...), get(t, s, odd)))
	},
	"ok/a view is a snapshot while others write": func(t *testing.T, s store.Store) {
		fill(t, s, 10)
		require.NoError(t, s.View(context.Background(), func(r store.Reader) error {
			before, err := r.Scan(store.Range{Limit: 100})
			if err != nil {
				return err
			}
			update(t, s, func(tx store.Tx) error {
				for i := range 5 {
					if err := tx.Delete(key(2 * i)); err != nil {
						return err
					}
				}
				if err := tx.Put(key(1), value(100)); err != nil {
					return err
				}
				return tx.Put(key(50), value(50))
			})
			after, err := r.Scan(store.Range{Limit: 100})
			if err != nil {
				return err
			}
			assert.Equal(t, before, after)
			got, err := r.Get(key(1))
			assert.Equal(t, value(1), got)
			return err
		}))
		assert.Len(t, scan(t, s, store.Range{Limit: 100}), 6)
	},
}
