package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/storetest"
)

func group(t *testing.T, f *fakeEngine, opts store.GroupOptions) *store.Group {
	g := store.NewGroup(f, opts)
	t.Cleanup(func() { assert.NoError(t, g.Close()) })
	return g
}

func name(i int) []byte { return fmt.Appendf(nil, "k%03d", i) }

func putName(i int, tx store.Tx) error { return tx.Put(name(i), []byte("v")) }

func TestConformanceInRounds(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store {
		f := newFake()
		f.inRounds = true
		return store.NewGroup(f, store.GroupOptions{})
	})
}

// Every third commit loses a race: nobody may notice.
func TestConformanceUnderConflicts(t *testing.T) {
	for _, inRounds := range []bool{false, true} {
		storetest.Run(t, func(*testing.T) store.Store {
			f := newFake()
			f.inRounds = inRounds
			f.onCommit = func(n int, _ []store.Write) error {
				if n%3 == 0 {
					return store.ErrConflict
				}
				return nil
			}
			return store.NewGroup(f, store.GroupOptions{})
		})
	}
}

// An engine that takes no more than one update a commit.
func TestConformanceWithSmallCommits(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store {
		f := newFake()
		f.limits = store.CommitLimits{Writes: store.MaxWrites, Bytes: store.MaxWriteBytes}
		return store.NewGroup(f, store.GroupOptions{Batch: 7})
	})
}

func TestGroupCommitsWhatWaitsAtOnce(t *testing.T) {
	f := newFake()
	g := group(t, f, store.GroupOptions{})
	for _, err := range together(g, 20, putName) {
		require.NoError(t, err)
	}
	assert.Equal(t, []int{20}, f.commits)
	stats := g.Stats()
	assert.EqualValues(t, 21, stats.Requests)
	assert.InDelta(t, 20, stats.BatchRequests.Sum, 0)
	assert.EqualValues(t, 1, stats.CommitSeconds.Count)
}

func TestGroupCutsBatches(t *testing.T) {
	for name, c := range map[string]struct {
		limits store.CommitLimits
		batch  int
		want   []int
	}{
		"ok/by requests": {store.CommitLimits{Writes: 5000, Bytes: 5 << 20}, 8, []int{8, 8, 4}},
		"ok/by writes":   {store.CommitLimits{Writes: 6, Bytes: 5 << 20}, 0, []int{6, 6, 6, 2}},
		"ok/by bytes":    {store.CommitLimits{Writes: 5000, Bytes: 5 * 9}, 0, []int{9, 9, 2}}, // 5 bytes each
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.limits = c.limits
			g := group(t, f, store.GroupOptions{Batch: c.batch})
			for _, err := range together(g, 20, putName) {
				require.NoError(t, err)
			}
			assert.Equal(t, c.want, f.commits)
		})
	}
}

// Where reads come in rounds, each round may make one more ready.
func TestGroupCutsBatchesThatAreReadInRounds(t *testing.T) {
	f := newFake()
	f.inRounds = true
	f.limits = store.CommitLimits{Writes: 3, Bytes: 5 << 20}
	g := group(t, f, store.GroupOptions{})
	for _, err := range together(g, 8, func(i int, tx store.Tx) error {
		for depth := range i {
			if _, err := tx.Get(name(100*i + depth)); err != nil {
				return err
			}
		}
		return putName(i, tx)
	}) {
		require.NoError(t, err)
	}
	assert.Equal(t, []int{3, 3, 2}, f.commits)
}

func TestGroupReadsForAllWaitingAtOnce(t *testing.T) {
	f := newFake()
	f.inRounds = true
	g := group(t, f, store.GroupOptions{})
	require.NoError(t, g.Update(context.Background(), func(tx store.Tx) error { return tx.Put([]byte("next"), []byte("deeper")) }))
	f.fetches = nil
	for _, err := range together(g, 10, func(i int, tx store.Tx) error {
		if _, err := tx.Get(name(i)); err != nil {
			return err
		}
		next, err := tx.Get([]byte("next"))
		if err != nil {
			return err
		}
		if _, err := tx.Scan(store.Range{From: next, Limit: 5}); err != nil {
			return err
		}
		return putName(i, tx)
	}) {
		require.NoError(t, err)
	}
	assert.Equal(t, [][]int{{10, 0}, {1, 0}, {0, 1}}, f.fetches)
}

// A function that asks for another key in each run must not hang the writer.
func TestGroupEndsRoundsOfAnUnrepeatableFunction(t *testing.T) {
	f := newFake()
	f.inRounds = true
	g := group(t, f, store.GroupOptions{})
	n := 0
	require.NoError(t, g.Update(context.Background(), func(tx store.Tx) error {
		n++
		_, err := tx.Get(name(n))
		return err
	}))
	assert.Less(t, n, 100)
}

// A function that hides why it failed is run again all the same.
func TestGroupSeesAMissThatIsHidden(t *testing.T) {
	for how, hide := range map[string]func(error) error{
		"replaced":  func(error) error { return errors.New("cannot read") },
		"swallowed": func(error) error { return nil },
		"panicked":  func(err error) error { panic(err) },
	} {
		f := newFake()
		f.inRounds = true
		g := group(t, f, store.GroupOptions{})
		require.NoError(t, g.Update(ctx, func(tx store.Tx) error {
			if _, err := tx.Get(name(1)); err != nil {
				return hide(err)
			}
			return putName(1, tx)
		}), how)
		assert.Equal(t, []int{1}, f.commits, how)
	}
}

func TestGroupHalvesWhatIsTooLarge(t *testing.T) {
	f := newFake()
	f.onCommit = func(_ int, writes []store.Write) error {
		for _, w := range writes {
			if len(writes) > 3 || bytes.Equal(w.Key, name(7)) {
				return store.ErrTooLarge
			}
		}
		return nil
	}
	g := group(t, f, store.GroupOptions{})
	for i, err := range together(g, 20, putName) {
		if i == 7 {
			assert.ErrorIs(t, err, store.ErrTooLarge)
		} else {
			assert.NoError(t, err)
		}
	}
}

func TestGroupGivesUpAfterManyConflicts(t *testing.T) {
	f := newFake()
	f.onCommit = func(_ int, writes []store.Write) error {
		for _, w := range writes {
			if bytes.Equal(w.Key, name(3)) {
				return store.ErrConflict
			}
		}
		return nil
	}
	g := group(t, f, store.GroupOptions{})
	for i, err := range together(g, 6, putName) {
		if i == 3 {
			require.ErrorIs(t, err, store.ErrUnavailable)
			assert.NotErrorIs(t, err, store.ErrConflict)
		} else {
			assert.NoError(t, err)
		}
	}
}

// A request that loses its races must not hold up those that come meanwhile.
func TestGroupServesOthersWhileOneLoses(t *testing.T) {
	f := newFake()
	var g *store.Group
	conflicts, others := 0, make(chan error, maxConflicts)
	f.onCommit = func(_ int, writes []store.Write) error {
		if !bytes.Equal(writes[0].Key, name(0)) {
			return nil
		}
		if conflicts == maxConflicts {
			return nil
		}
		conflicts++
		// Another one comes, and must be answered before this one wins.
		before := g.Stats().Queue
		go func() { others <- g.Update(ctx, func(tx store.Tx) error { return putName(1, tx) }) }()
		for g.Stats().Queue == before {
		}
		return store.ErrConflict
	}
	g = group(t, f, store.GroupOptions{})
	require.NoError(t, g.Update(ctx, func(tx store.Tx) error { return putName(0, tx) }))
	for range maxConflicts {
		require.NoError(t, <-others)
	}
	assert.Len(t, f.commits, 2*maxConflicts+1)
}

const maxConflicts = 5

// What a request read may have been written by one before it in the batch: if
// that is not committed, an answer that rests on it must not go out.
func TestGroupAnswersNobodyBeforeTheCommit(t *testing.T) {
	f := newFake()
	broken := fmt.Errorf("%w, %w", store.ErrUnavailable, store.ErrUnknown)
	f.onCommit = func(int, []store.Write) error { return broken }
	g := group(t, f, store.GroupOptions{})
	taken := errors.New("taken")
	for _, err := range together(g, 3, func(_ int, tx store.Tx) error {
		if got, err := tx.Get(name(1)); err != nil || got != nil {
			return errors.Join(err, taken)
		}
		return putName(1, tx)
	}) {
		require.ErrorIs(t, err, store.ErrUnknown)
		require.NotErrorIs(t, err, taken)
	}
	assert.EqualValues(t, 1, g.Stats().Failed)
}

func TestGroupIsUnavailableWhileTheEngineIs(t *testing.T) {
	f := newFake()
	f.onBegin = func(n int) error {
		if n < 3 {
			return store.ErrUnavailable
		}
		return nil
	}
	g := group(t, f, store.GroupOptions{})
	ctx := context.Background()
	fn := func(tx store.Tx) error { return putName(1, tx) }
	require.ErrorIs(t, g.Update(ctx, fn), store.ErrUnavailable)
	require.NoError(t, g.View(ctx, func(store.Reader) error { return nil }))
	require.ErrorIs(t, g.Update(ctx, fn), store.ErrUnavailable)
	assert.NoError(t, g.Update(ctx, fn))
}

func TestGroupRefusesWhenTheQueueIsFull(t *testing.T) {
	g := group(t, newFake(), store.GroupOptions{Queue: 4})
	held, free := make(chan struct{}), make(chan struct{})
	outcome := make(chan error)
	go func() {
		outcome <- g.Update(context.Background(), func(store.Tx) error { close(held); <-free; return nil })
	}()
	<-held
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	for range 4 {
		go func() { outcome <- g.Update(ctx, func(tx store.Tx) error { return putName(1, tx) }) }()
	}
	for g.Stats().Queue < 4 {
	}
	require.ErrorIs(t, g.Update(ctx, func(tx store.Tx) error { return putName(2, tx) }), store.ErrUnavailable)
	assert.EqualValues(t, 1, g.Stats().Rejected)
	cancel() // those that wait leave, though they still fill the queue
	for range 4 {
		require.ErrorIs(t, <-outcome, context.Canceled)
	}
	close(free)
	require.NoError(t, <-outcome)
	for g.Stats().Queue > 0 {
	}
	assert.NoError(t, g.Update(context.Background(), func(tx store.Tx) error { return putName(3, tx) }))
}

func TestGroupClosesItsEngineOnce(t *testing.T) {
	f := newFake()
	g := store.NewGroup(f, store.GroupOptions{})
	for range 3 {
		require.NoError(t, g.Close())
	}
	assert.Equal(t, 1, f.closed)
}

func TestPanicTellsWhereItCameFrom(t *testing.T) {
	g := group(t, newFake(), store.GroupOptions{})
	cause := errors.New("cause")
	defer func() {
		caught := recover().(*store.Panic)
		require.ErrorIs(t, caught, cause)
		assert.Contains(t, caught.Error(), "TestPanicTellsWhereItCameFrom")
	}()
	_ = g.Update(context.Background(), func(store.Tx) error { panic(cause) })
}

func TestHistogramsCount(t *testing.T) {
	g := group(t, newFake(), store.GroupOptions{Now: func() time.Time { return time.Time{} }})
	for i := range 3 {
		require.NoError(t, g.Update(context.Background(), func(tx store.Tx) error { return putName(i, tx) }))
	}
	h := g.Stats().CommitSeconds
	assert.EqualValues(t, 3, h.Count)
	assert.EqualValues(t, 3, h.Counts[0])
	assert.EqualValues(t, 3, h.Counts[len(h.Counts)-1], "cumulative")
	assert.Zero(t, h.Sum)
}
