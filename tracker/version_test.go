package tracker

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// noteLayout writes a version as a program of that version would.
func noteLayout(t *testing.T, st store.Store, version uint64) {
	t.Helper()
	e := newEncoder(4)
	e.uint(1, version)
	require.NoError(t, st.Update(context.Background(), func(tx store.Tx) error { return tx.Put(layoutKey, e.b) }))
}

func TestPrepare(t *testing.T) {
	st := memory.NewInRounds()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { assert.NoError(t, Prepare(context.Background(), st)) })
	}
	all.Wait()
	require.NoError(t, st.View(context.Background(), func(r store.Reader) error {
		version, err := layoutOf(r)
		assert.EqualValues(t, layoutVersion, version)
		return err
	}))
	noteLayout(t, st, layoutVersion+1)
	err := Prepare(context.Background(), st)
	require.ErrorIs(t, err, ErrNewer)
	assert.ErrorContains(t, err, "layout 3, this program knows 2")

	require.NoError(t, st.Update(context.Background(), func(tx store.Tx) error { return tx.Put(layoutKey, []byte{valueVersion + 1}) }))
	require.ErrorContains(t, Prepare(context.Background(), st), "version 2, this program reads 1")
}

// A proxy of before refuses calls within moments of a newer one taking the
// store over, and says so once.
func TestOutdatedServiceRefusesCalls(t *testing.T) {
	var said bytes.Buffer
	w := newWorld(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
	require.NoError(t, Prepare(context.Background(), w.store))
	b := w.browser("anna")
	b.open()
	noteLayout(t, w.store, layoutVersion+1)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, w.service.Run(ctx)) })
	require.Eventually(t, w.service.outdated.Load, 10*time.Second, time.Millisecond)
	_, err := w.service.Batch(context.Background(), b.request(b.call(MethodPage, m{})))
	require.ErrorIs(t, err, ErrNewer)
	assert.True(t, Unavailable(err), "the SDK keeps the call")
	stop()
	running.Wait()
	assert.Equal(t, 1, bytes.Count(said.Bytes(), []byte("upgrade this program")))

	noteLayout(t, w.store, layoutVersion)
	require.NoError(t, w.service.watchLayout(context.Background()))
	b.track("after the newer program was taken back")
}
