package badger

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// BenchmarkScans reads short ranges in one view, as the list of persons does
// for each of its fifty.
func BenchmarkScans(b *testing.B) {
	s, err := Open(b.TempDir(), Options{BallastBytes: -1})
	require.NoError(b, err)
	defer s.Close()
	key := func(i int) []byte { return binary.BigEndian.AppendUint64([]byte("A"), uint64(i)*2654435761) }
	const keys, scans = 100_000, 150
	for i := 0; i < keys; i += 500 {
		require.NoError(b, s.Update(context.Background(), func(tx store.Tx) error {
			for n := i; n < i+500; n++ {
				if err := tx.Put(key(n), make([]byte, 40)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		require.NoError(b, s.View(context.Background(), func(r store.Reader) error {
			for range scans {
				n++
				if _, err := r.Scan(store.Range{From: key(n % keys), Limit: 3}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}
