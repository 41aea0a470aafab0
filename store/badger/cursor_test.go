package badger

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// TestScansAcrossTables: whatever was scanned before in a view, and over however
// many tables its iterators were opened, each scan finds what is in its range.
func TestScansAcrossTables(t *testing.T) {
	s := manyTables(t)
	var all []store.Entry
	for n := 0; n < tableKeys; n += 2 {
		all = append(all, store.Entry{Key: tableKey(n)})
	}
	random := rand.New(rand.NewPCG(7, 8))
	found := 0
	for range 30 {
		snap, err := s.engine.Snapshot(context.Background())
		require.NoError(t, err)
		for range 3 * mostNarrow {
			r := someRange(random)
			got, err := snap.Scan(r)
			require.NoError(t, err)
			require.Equal(t, within(all, r), got, "%q", r)
			found += len(got)
		}
		snap.Discard()
	}
	assert.Greater(t, found, 1000)
}

// TestNarrowIterators: a scan refers to few tables however many there are, and a
// view that goes on scanning does not go on opening iterators.
func TestNarrowIterators(t *testing.T) {
	s := manyTables(t)
	snap, err := s.engine.Snapshot(context.Background())
	require.NoError(t, err)
	defer snap.Discard()
	cursor := &snap.(*snapshot).forward
	random := rand.New(rand.NewPCG(9, 10))
	for n := range 50 * mostNarrow {
		key := tableKey(random.IntN(tableKeys))
		_, err := snap.Scan(store.Range{From: key, To: append(bytes.Clone(key), 0xff), Limit: 1})
		require.NoError(t, err)
		if n < mostNarrow {
			assert.Equal(t, string(key), string(cursor.prefix))
		}
	}
	assert.LessOrEqual(t, cursor.opened, mostNarrow+len(tableKey(0)))
	assert.Equal(t, "k", string(cursor.prefix), "what all of them share")
}

const tableKeys = 600

func tableKey(n int) []byte { return fmt.Appendf(nil, "k%03d", n) }

// manyTables gives a store whose keys lie in several tables on disk and in the
// one in memory. Every other key was deleted.
func manyTables(t *testing.T) *Store {
	dir := t.TempDir()
	s, err := Open(dir, Options{BallastBytes: -1})
	require.NoError(t, err)
	for n := range tableKeys {
		require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error { return tx.Put(tableKey(n), make([]byte, 40_000)) }))
	}
	require.NoError(t, s.Close())
	s, err = Open(dir, Options{BallastBytes: -1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.Greater(t, len(s.engine.db.Tables()), 3)
	for n := 1; n < tableKeys; n += 2 {
		require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error { return tx.Delete(tableKey(n)) }))
	}
	return s
}

// someRange is a range in either direction: of everything, between two keys, or
// what begins as a key does.
func someRange(random *rand.Rand) store.Range {
	r := store.Range{From: []byte{1}, Reverse: random.IntN(2) == 0, Limit: 1 + random.IntN(20), KeysOnly: true}
	switch random.IntN(8) {
	case 0:
		r.Limit = store.MaxScan
	case 1:
		r.From = tableKey(random.IntN(tableKeys))
	case 2, 3:
		r.From, r.To = tableKey(random.IntN(tableKeys)), tableKey(random.IntN(tableKeys))
	default:
		r.From = tableKey(random.IntN(tableKeys))[:2+random.IntN(3)]
		r.To = append(bytes.Clone(r.From), 0xff)
	}
	return r
}

// within are the entries of a range, in its order.
func within(all []store.Entry, r store.Range) (in []store.Entry) {
	for _, e := range all {
		if bytes.Compare(e.Key, r.From) >= 0 && (r.To == nil || bytes.Compare(e.Key, r.To) < 0) {
			in = append(in, e)
		}
	}
	if r.Reverse {
		slices.Reverse(in)
	}
	return in[:min(len(in), r.Limit)]
}
