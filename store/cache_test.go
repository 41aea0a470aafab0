package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/storetest"
)

// A cache so small that its generations change all the time, and one in which
// all fits.
func TestConformanceWithCache(t *testing.T) {
	for _, bytes := range []int{1, 1000, 1 << 20} {
		storetest.Run(t, func(*testing.T) store.Store {
			f := newFake()
			f.onCommit = func(n int, _ []store.Write) error {
				if n%5 == 0 {
					return store.ErrConflict
				}
				return nil
			}
			return store.NewGroup(f, store.GroupOptions{Cache: bytes})
		})
	}
}

func TestCacheSparesTheEngine(t *testing.T) {
	f := newFake()
	g := group(t, f, store.GroupOptions{Cache: 1 << 20})
	reads := func(fn func(tx store.Tx) error) int {
		before := f.reads.Load()
		require.NoError(t, g.Update(context.Background(), fn))
		return int(f.reads.Load() - before)
	}
	rewrite := func(tx store.Tx) error {
		if _, err := tx.Get(name(1)); err != nil {
			return err
		}
		return putName(1, tx)
	}
	assert.Equal(t, 1, reads(rewrite))
	assert.Equal(t, 0, reads(rewrite), "absent at first, then written")
	assert.Equal(t, 0, reads(func(tx store.Tx) error { return tx.Delete(name(1)) }))
	assert.Equal(t, 0, reads(func(tx store.Tx) error {
		got, err := tx.Get(name(1))
		assert.Nil(t, got)
		return err
	}))
	assert.Equal(t, 0, reads(func(tx store.Tx) error { return putName(2, tx) }))
	assert.Equal(t, 1, reads(func(tx store.Tx) error { _, err := tx.Get(name(2)); return err }), "written, not read")
}

func TestForgetEmptiesTheCache(t *testing.T) {
	f := newFake()
	g := group(t, f, store.GroupOptions{Cache: 1 << 20})
	read := func() int {
		before := f.reads.Load()
		require.NoError(t, g.Update(context.Background(), func(tx store.Tx) error { _, err := tx.Get(name(1)); return err }))
		return int(f.reads.Load() - before)
	}
	assert.Equal(t, 1, read())
	assert.Equal(t, 0, read())
	g.Forget()
	assert.Equal(t, 1, read())
	group(t, newFake(), store.GroupOptions{}).Forget() // nothing to forget
}

// Whether a commit that ended in doubt was carried out is read, not remembered.
func TestCacheForgetsACommitInDoubt(t *testing.T) {
	for _, happened := range []bool{true, false} {
		f := newFake()
		g := group(t, f, store.GroupOptions{Cache: 1 << 20})
		rewrite := func(value string) error {
			return g.Update(context.Background(), func(tx store.Tx) error {
				if _, err := tx.Get(name(1)); err != nil {
					return err
				}
				return tx.Put(name(1), []byte(value))
			})
		}
		require.NoError(t, rewrite("before"))
		f.doubt, f.doubtful = true, happened
		require.ErrorIs(t, rewrite("after"), store.ErrUnknown)
		f.doubt = false
		want := map[bool]string{true: "after", false: "before"}[happened]
		require.NoError(t, g.Update(context.Background(), func(tx store.Tx) error {
			got, err := tx.Get(name(1))
			assert.Equal(t, want, string(got))
			return err
		}))
	}
}

// Random updates, some of which fail, against a map.
func TestCacheAgreesWithAModel(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	g := group(t, newFake(), store.GroupOptions{Cache: 3000})
	model := map[string]string{}
	refused := errors.New("refused")
	for step := range 3000 {
		key, value, fails := name(random.IntN(40)), fmt.Sprint(step), random.IntN(5) == 0
		kind := random.IntN(3)
		err := g.Update(context.Background(), func(tx store.Tx) error {
			got, err := tx.Get(key)
			if err != nil {
				return err
			}
			assert.Equal(t, model[string(key)], string(got), "step %d", step)
			switch kind {
			case 0:
				err = tx.Put(key, []byte(value))
			case 1:
				err = tx.Delete(key)
			default:
				err = tx.Lock(key)
			}
			if fails {
				return refused
			}
			return err
		})
		if fails {
			require.ErrorIs(t, err, refused)
			continue
		}
		require.NoError(t, err)
		switch kind {
		case 0:
			model[string(key)] = value
		case 1:
			delete(model, string(key))
		}
	}
}
