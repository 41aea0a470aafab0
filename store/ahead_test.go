package store_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
	"github.com/livechat-people/caddy-people-tracking/store/storetest"
)

func TestAhead(t *testing.T) {
	engine := storetest.NewRemote(memory.NewEngine())
	s := store.NewGroup(engine, store.GroupOptions{})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	ctx := context.Background()
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error {
		for i := range 9 {
			if err := putName(i, tx); err != nil {
				return err
			}
		}
		return nil
	}))
	some := store.Range{From: name(2), To: name(6), Reverse: true, Limit: 3}
	empty := store.Range{From: name(6), To: name(2), Limit: 3}
	require.NoError(t, s.View(ctx, func(r store.Reader) error {
		ahead, err := store.Ahead(r, func() ([][]byte, []store.Range) {
			return [][]byte{name(1), name(99), name(1)}, []store.Range{some, empty, some}
		})
		require.NoError(t, err)
		assert.Equal(t, 1, engine.Trips())
		for range 2 { // the second time shows that what was handed out is the caller's
			value, err := ahead.Get(name(1))
			require.NoError(t, err)
			require.Equal(t, "v", string(value))
			value[0] = '!'
			absent, err := ahead.Get(name(99))
			require.NoError(t, err)
			assert.Nil(t, absent)
			entries, err := ahead.Scan(some)
			require.NoError(t, err)
			require.Len(t, entries, 3)
			assert.Equal(t, string(name(5)), string(entries[0].Key))
			entries[0].Key[0] = '!'
			entries, err = ahead.Scan(empty)
			require.NoError(t, err)
			assert.Empty(t, entries)
		}
		assert.Equal(t, 1, engine.Trips())

		again, err := store.Ahead(ahead, func() ([][]byte, []store.Range) { return [][]byte{name(1)}, []store.Range{some} })
		require.NoError(t, err)
		assert.Equal(t, 1, engine.Trips(), "all of it was known")
		again, err = store.Ahead(again, func() ([][]byte, []store.Range) { return [][]byte{name(2)}, nil })
		require.NoError(t, err)
		_, err = again.Get(name(2))
		require.NoError(t, err)
		_, err = again.Scan(some)
		require.NoError(t, err)
		assert.Equal(t, 2, engine.Trips())

		other := some
		other.Limit++
		entries, err := again.Scan(other)
		require.NoError(t, err)
		assert.Len(t, entries, 4)
		value, err := again.Get(name(3))
		require.NoError(t, err)
		assert.Equal(t, "v", string(value))
		assert.Equal(t, 4, engine.Trips(), "what was not expected is read when it is asked for")
		return nil
	}))
}

func TestAheadRefusesWhatReadersRefuse(t *testing.T) {
	s := store.NewGroup(storetest.NewRemote(memory.NewEngine()), store.GroupOptions{})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.View(context.Background(), func(r store.Reader) error {
		_, err := store.Ahead(r, func() ([][]byte, []store.Range) { return [][]byte{{0}}, nil })
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = store.Ahead(r, func() ([][]byte, []store.Range) { return nil, []store.Range{{}} })
		require.ErrorIs(t, err, store.ErrInvalid)
		return nil
	}))
}

// TestAheadIsForViewsOfRemoteEngines: nothing is read twice where a read is no
// round trip, nor in an update, which has its own rounds.
func TestAheadIsForViewsOfRemoteEngines(t *testing.T) {
	never := func() ([][]byte, []store.Range) {
		assert.Fail(t, "nothing is to be read")
		return nil, nil
	}
	unchanged := func(r store.Reader) error {
		ahead, err := store.Ahead(r, never)
		assert.Equal(t, r, ahead)
		return err
	}
	near, far := memory.New(), memory.NewInRounds()
	t.Cleanup(func() { require.NoError(t, near.Close()) })
	t.Cleanup(func() { require.NoError(t, far.Close()) })
	require.NoError(t, near.View(context.Background(), unchanged))
	require.NoError(t, far.Update(context.Background(), func(tx store.Tx) error { return unchanged(tx) }))
}
