//go:build linux

package badger

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// BenchmarkGroupCommit stores events as the tracker does, two keys each: the
// event, and the hot record of its person, read and rewritten. What a disk
// gives changes by the minute, so a bare file with grouped fdatasync takes
// turns with the store, and the metric that means something is "of-file": the
// median of the store's rate over the file's in the same moment.
//
//	go test -bench GroupCommit -benchtime 3x ./store/badger
func BenchmarkGroupCommit(b *testing.B) {
	for _, clients := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			file := newBareFile(b)
			s, err := Open(b.TempDir(), Options{BallastBytes: -1})
			require.NoError(b, err)
			defer s.Close()
			var ratios, rates []float64
			for n := uint64(0); b.Loop(); n++ {
				bare := rate(clients, func(i uint64) error { return file.append(i) })
				stored := rate(clients, func(i uint64) error { return storeEvent(s, n<<32|i) })
				rates = append(rates, stored)
				ratios = append(ratios, stored/bare)
			}
			b.ReportMetric(median(ratios), "of-file")
			b.ReportMetric(median(rates), "events/s")
			stats := s.Stats()
			b.ReportMetric(stats.BatchRequests.Sum/float64(stats.BatchRequests.Count), "events/commit")
		})
	}
}

// rate is how many calls of fn a second that many clients make, over a turn
// long enough for some hundred syncs.
func rate(clients int, fn func(i uint64) error) float64 {
	const turn = 400 * time.Millisecond
	var count, failed atomic.Uint64
	var wg sync.WaitGroup
	start := time.Now()
	for range clients {
		wg.Go(func() {
			for time.Since(start) < turn {
				if fn(count.Add(1)) != nil {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if failed.Load() > 0 {
		return 0
	}
	return float64(count.Load()) / time.Since(start).Seconds()
}

const (
	people     = 20_000
	eventBytes = 230
	hotBytes   = 120
)

func storeEvent(s store.Store, i uint64) error {
	hot := binary.BigEndian.AppendUint64([]byte("P\x00\x01personid"), i*2654435761%people)
	event := binary.BigEndian.AppendUint64(append([]byte("E"), hot[1:]...), i)
	eventValue, hotValue := make([]byte, eventBytes), make([]byte, hotBytes)
	binary.BigEndian.PutUint64(eventValue, i)
	binary.BigEndian.PutUint64(hotValue, i)
	return s.Update(context.Background(), func(tx store.Tx) error {
		if _, err := tx.Get(hot); err != nil {
			return err
		}
		if err := tx.Put(event, eventValue); err != nil {
			return err
		}
		return tx.Put(hot, hotValue)
	})
}

// bareFile is the physical limit: one writer appends what waits and syncs once.
type bareFile struct {
	queue chan chan error
	file  *os.File
}

func newBareFile(b *testing.B) *bareFile {
	file, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	require.NoError(b, err)
	f := &bareFile{queue: make(chan chan error, 4096), file: file}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		f.loop()
	}()
	b.Cleanup(func() {
		close(f.queue)
		<-stopped
		file.Close()
	})
	return f
}

func (f *bareFile) loop() {
	record := make([]byte, eventBytes+hotBytes+60)
	var waiting []chan error
	var buffer []byte
	for first := range f.queue {
		waiting, buffer = append(waiting[:0], first), append(buffer[:0], record...)
		for more := true; more && len(waiting) < 500; {
			select {
			case next, open := <-f.queue:
				if more = open; open {
					waiting, buffer = append(waiting, next), append(buffer, record...)
				}
			default:
				more = false
			}
		}
		_, err := f.file.Write(buffer)
		if err == nil {
			err = syscall.Fdatasync(int(f.file.Fd()))
		}
		for _, w := range waiting {
			w <- err
		}
	}
}

func (f *bareFile) append(uint64) error {
	done := make(chan error, 1)
	f.queue <- done
	return <-done
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
