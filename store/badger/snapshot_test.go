package badger

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// TestScanStopsAtItsEnd: deleted keys stay for long, and a scan does not walk
// over those behind its range in search of one that is there.
func TestScanStopsAtItsEnd(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	key := func(table string, n int) []byte { return fmt.Appendf(nil, "%s%04d", table, n) }
	const many = 500
	for _, table := range []string{"a", "c", "e"} {
		require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error {
			for n := range many {
				if err := tx.Put(key(table, n), []byte("v")); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for _, gone := range []string{"a", "e"} {
		require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error {
			for n := range many {
				if err := tx.Delete(key(gone, n)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for reverse, first := range map[bool]string{false: "e0000", true: "a0499"} {
		snap, err := s.engine.Snapshot(context.Background())
		require.NoError(t, err)
		got, err := snap.Scan(store.Range{From: []byte("c"), To: []byte("d"), Limit: store.MaxScan, Reverse: reverse})
		require.NoError(t, err)
		assert.Len(t, got, many)
		it := map[bool]cursor{false: snap.(*snapshot).forward, true: snap.(*snapshot).reverse}[reverse].it
		require.True(t, it.Valid())
		assert.Equal(t, first, string(it.Item().Key()), "it went no further, reverse %t", reverse)
		snap.Discard()
	}
}
