package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// BenchmarkGroupCommit stores events as the tracker does: two records that
// depend on each other are read, one is rewritten and an event is added. The
// metric that means something is "of-single": the rate of the group over that
// of a commit for each update, taken in turns on the same synced server.
func BenchmarkGroupCommit(b *testing.B) {
	dsn := postgrestest.Start(b, "fsync=on").Database(b)
	for _, clients := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			grouped, err := Open(context.Background(), dsn, Options{})
			require.NoError(b, err)
			defer grouped.Close()
			single, err := Open(context.Background(), dsn, Options{Batch: 1, Table: "single"})
			require.NoError(b, err)
			defer single.Close()
			var ratios, rates []float64
			for n := uint64(0); b.Loop(); n++ {
				alone, together := rate(single, clients, n), rate(grouped, clients, n)
				rates = append(rates, together)
				ratios = append(ratios, together/alone)
			}
			slices.Sort(ratios)
			slices.Sort(rates)
			b.ReportMetric(ratios[len(ratios)/2], "of-single")
			b.ReportMetric(rates[len(rates)/2], "events/s")
		})
	}
}

// rate is how many updates a second that many clients make.
func rate(s store.Store, clients int, turn uint64) float64 {
	const length = 400 * time.Millisecond
	var count atomic.Uint64
	var wg sync.WaitGroup
	start := time.Now()
	for range clients {
		wg.Go(func() {
			for time.Since(start) < length {
				if storeEvent(s, turn<<32|count.Add(1)) != nil {
					count.Store(0) // a rate that cannot be taken for one
				}
			}
		})
	}
	wg.Wait()
	return float64(count.Load()) / time.Since(start).Seconds()
}

func storeEvent(s store.Store, i uint64) error {
	const people, eventBytes, hotBytes = 20_000, 230, 120
	hot := binary.BigEndian.AppendUint64([]byte("P"), i*2654435761%people)
	device := append([]byte("O"), hot[1:]...)
	event := binary.BigEndian.AppendUint64(append([]byte("E"), hot[1:]...), i)
	eventValue, hotValue := make([]byte, eventBytes), make([]byte, hotBytes)
	eventValue[0], hotValue[0] = 1, 1
	return s.Update(context.Background(), func(tx store.Tx) error {
		if _, err := tx.Get(device); err != nil {
			return err
		}
		if _, err := tx.Get(hot); err != nil {
			return err
		}
		if err := tx.Put(event, eventValue); err != nil {
			return err
		}
		return tx.Put(hot, hotValue)
	})
}
