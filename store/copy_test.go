package store_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

func TestCopy(t *testing.T) {
	for _, n := range []int{0, 1, 199, 200, 201, 3000} {
		s, to := filled(t, n), memory.New()
		var told []uint64
		sum, err := store.Copy(ctx, s, to, func(entries, _ uint64) { told = append(told, entries) })
		require.NoError(t, err)
		assert.EqualValues(t, n, sum.Entries)
		assert.Equal(t, everything(t, s), everything(t, to))
		of, err := store.SumOf(ctx, to, nil)
		require.NoError(t, err)
		assert.Equal(t, sum, of)
		assert.IsIncreasing(t, append([]uint64{0}, told...))
		if n > 0 {
			assert.EqualValues(t, n, told[len(told)-1])
		}
	}
}

func TestSumOfTellsStoresApart(t *testing.T) {
	sum := func(entries ...store.Entry) store.Sum {
		s := memory.New()
		for _, e := range entries {
			require.NoError(t, s.Update(ctx, func(tx store.Tx) error { return tx.Put(e.Key, e.Value) }))
		}
		of, err := store.SumOf(ctx, s, nil)
		require.NoError(t, err)
		return of
	}
	one := sum(store.Entry{Key: []byte("ab"), Value: []byte("c")})
	assert.Equal(t, one, sum(store.Entry{Key: []byte("ab"), Value: []byte("c")}))
	for _, other := range []store.Sum{
		sum(), sum(store.Entry{Key: []byte("a"), Value: []byte("bc")}), sum(store.Entry{Key: []byte("ab"), Value: []byte("d")}),
		sum(store.Entry{Key: []byte("a"), Value: []byte("b")}, store.Entry{Key: []byte("b"), Value: []byte("c")}),
	} {
		assert.NotEqual(t, one, other)
	}
}

// breaking fails all updates but the first ones.
type breaking struct {
	store.Store
	left int
}

var errBroken = errors.New("broken")

func (b *breaking) Update(ctx context.Context, fn func(store.Tx) error) error {
	if b.left--; b.left < 0 {
		return errBroken
	}
	return b.Store.Update(ctx, fn)
}

// What was interrupted is taken up where it stopped, from a store or a backup.
func TestCopyGoesOn(t *testing.T) {
	s := filled(t, 3000)
	whole := backup(t, 3000)
	for name, carryOn := range map[string]func(store.Store) (store.Sum, error){
		"copy":    func(to store.Store) (store.Sum, error) { return store.Copy(ctx, s, to, nil) },
		"restore": func(to store.Store) (store.Sum, error) { return store.Restore(ctx, to, bytes.NewReader(whole), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			to := &breaking{memory.New(), 2}
			_, err := carryOn(to)
			require.ErrorIs(t, err, errBroken)
			part := len(everything(t, to))
			require.Positive(t, part)
			require.Less(t, part, 3000)
			to.left = 1000
			sum, err := carryOn(to)
			require.NoError(t, err)
			of, err := store.SumOf(ctx, s, nil)
			require.NoError(t, err)
			assert.Equal(t, of, sum)
			assert.Equal(t, everything(t, s), everything(t, to))
			writes := 1000 - to.left
			_, err = carryOn(to)
			require.NoError(t, err)
			assert.Equal(t, 1000-writes, to.left, "nothing is written twice")
		})
	}
}

func TestCopyRefusesAStoreThatHoldsSomethingElse(t *testing.T) {
	to := filled(t, 2)
	require.NoError(t, to.Update(ctx, func(tx store.Tx) error { return tx.Put([]byte("00001"), []byte("other")) }))
	before := everything(t, to)
	_, err := store.Copy(ctx, filled(t, 300), to, nil)
	require.ErrorIs(t, err, store.ErrNotEmpty)
	assert.Equal(t, before, everything(t, to))
}

func TestCopyEndsWithItsContext(t *testing.T) {
	s := filled(t, 3000)
	ended, cancel := context.WithCancel(ctx)
	_, err := store.Copy(ended, s, memory.New(), func(uint64, uint64) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	_, err = store.SumOf(ended, s, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = store.VerifyBackup(ended, bytes.NewReader(backup(t, 3000)))
	require.ErrorIs(t, err, context.Canceled)
}
