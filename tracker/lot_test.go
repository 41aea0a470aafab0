package tracker

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

func TestLotKeepsToItsRoom(t *testing.T) {
	const room, all = 3, 30
	l := newLot(room)
	var under, most, done atomic.Int64
	full, fill := make(chan struct{}), sync.Once{}
	for range all {
		l.do(func() error {
			now := under.Add(1)
			if now == room {
				fill.Do(func() { close(full) })
			}
			<-full // all the room is used, before anything is done
			for range room {
				runtime.Gosched() // whoever should wait may come
			}
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			under.Add(-1)
			done.Add(1)
			return nil
		})
	}
	require.NoError(t, l.wait())
	assert.EqualValues(t, all, done.Load())
	assert.EqualValues(t, room, most.Load())
}

// However much is damaged, a log line has an end.
func TestLotTellsSomeErrors(t *testing.T) {
	l := newLot(1)
	for n := range toldErrors + 7 {
		l.do(func() error { return fmt.Errorf("record %d", n) })
	}
	err := l.wait()
	assert.ErrorContains(t, err, "record 0\n")
	assert.ErrorContains(t, err, "and 7 more")
	assert.NotContains(t, err.Error(), fmt.Sprint("record ", toldErrors))
}

// B34: when the store is away the rest is left alone, and any other error stops
// nothing.
func TestB34LotStopsWhenTheStoreIsAway(t *testing.T) {
	l := newLot(1)
	done := 0
	l.do(func() error { done++; return errors.New("damaged") })
	l.do(func() error { done++; return store.ErrUnavailable })
	l.slots <- struct{}{} // the one before is over
	<-l.slots
	l.do(func() error { done++; return nil })
	require.ErrorIs(t, l.wait(), store.ErrUnavailable)
	assert.Equal(t, 2, done)
	assert.True(t, l.stopped())
}
