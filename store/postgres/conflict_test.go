package postgres

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// testConflicts lets two transactions read one key and then write it, whatever
// that means: the second to commit has read what is no longer there.
func testConflicts(t *testing.T, dsn string) {
	e := open(t, dsn, Options{Table: "conflicts"}).engine
	key := []byte("k")
	does := map[string]store.Write{
		"put":    {Op: store.OpPut, Key: key, Value: []byte("v")},
		"delete": {Op: store.OpDelete, Key: key},
		"lock":   {Op: store.OpLock, Key: key},
	}
	before := map[string][]store.Write{
		"absent":     {does["delete"]},
		"present":    {does["put"]},
		"locked":     {does["lock"]}, // an empty value
		"overwrites": {{Op: store.OpPut, Key: key, Value: []byte("w")}},
	}
	begin := func() *batch {
		b, err := e.Begin()
		require.NoError(t, err)
		_, _, err = b.(*batch).Fetch([][]byte{key}, nil)
		require.NoError(t, err)
		return b.(*batch)
	}
	for state, setup := range before {
		for first, a := range does {
			for second, b := range does {
				for _, w := range [][]store.Write{{does["delete"]}, setup} {
					clean := begin()
					require.NoError(t, clean.Commit(w))
					clean.Discard()
				}
				one, two := begin(), begin()
				require.NoError(t, one.Commit([]store.Write{a}))
				one.Discard()
				err := two.Commit([]store.Write{b})
				two.Discard()
				assert.ErrorIs(t, err, store.ErrConflict, "%s, %s, then %s", state, first, second)
			}
		}
	}
}

// testBlindWrites commits writes of keys that were not read.
func testBlindWrites(t *testing.T, dsn string) {
	s := open(t, dsn, Options{Table: "blind"})
	for _, value := range []string{"a", "b", ""} {
		put(t, s, "k", value)
		assert.Equal(t, value, get(t, s, "k"))
	}
	put(t, s, "k", "c")
	b, err := s.engine.Begin()
	require.NoError(t, err)
	require.NoError(t, b.Commit([]store.Write{{Op: store.OpLock, Key: []byte("k")}, {Op: store.OpLock, Key: []byte("absent")}}))
	b.Discard()
	assert.Equal(t, "c", get(t, s, "k"))
	assert.Empty(t, get(t, s, "absent"))
}

// testMadeAndDeleted lets others make a key and delete it again while a batch
// that read it as absent is under way. When the batch writes, the key is absent
// as it was, and yet what it guards may have changed.
func testMadeAndDeleted(t *testing.T, dsn string) {
	e := open(t, dsn, Options{Table: "made_and_deleted"}).engine
	commit := func(writes ...store.Write) {
		b, err := e.Begin()
		require.NoError(t, err)
		defer b.Discard()
		for _, w := range writes {
			_, err := b.Get(w.Key)
			require.NoError(t, err)
		}
		require.NoError(t, b.Commit(writes))
	}
	for name, op := range map[string]store.Op{"put": store.OpPut, "delete": store.OpDelete, "lock": store.OpLock} {
		guard, guarded := []byte("guard of "+name), []byte("guarded by "+name)
		slow, err := e.Begin()
		require.NoError(t, err)
		for _, key := range [][]byte{guard, guarded} {
			value, err := slow.Get(key)
			require.NoError(t, err)
			require.Nil(t, value)
		}
		commit(store.Write{Op: store.OpPut, Key: guard, Value: []byte("v")}, store.Write{Op: store.OpPut, Key: guarded, Value: []byte("v")})
		commit(store.Write{Op: store.OpDelete, Key: guard})
		w := store.Write{Op: op, Key: guard}
		if op == store.OpPut {
			w.Value = []byte("w")
		}
		assert.ErrorIs(t, slow.Commit([]store.Write{w}), store.ErrConflict, name)
		slow.Discard()
	}
}
