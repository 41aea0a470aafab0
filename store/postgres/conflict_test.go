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
				if state == "absent" && first == "delete" {
					require.NoError(t, err, "what was read is still so: %s, %s, then %s", state, first, second)
					continue
				}
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
