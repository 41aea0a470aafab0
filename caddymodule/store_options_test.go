package caddymodule

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/loopback"
	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// A reload shares the open store and yet changes how often it is purged.
func TestPurgeIntervalFollowsReloads(t *testing.T) {
	c := newInstance(t)
	site := c.siteOf(upstream(t, nil))
	for option, want := range map[string]time.Duration{"": 24 * time.Hour, "purge_interval 6h": 6 * time.Hour, "purge_interval off": -1} {
		require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n"+option+"\n}", site))
		engine, err := appNow(t).lease.engine()
		require.NoError(t, err)
		assert.Equal(t, want, engine.(*badger.Store).Stats().PurgeInterval, option)
	}
	// From JSON, where a block of the Caddyfile was not looked at.
	wrong := strings.Replace(string(c.adapt("people_tracking {\npurge_interval 6h\n}", site)), `"purge_interval":21600000000000`, `"purge_interval":"5s"`, 1)
	assert.ErrorContains(t, caddy.Load([]byte(wrong), true), "purge_interval: 5s is under 1m0s")
}

// A store that opens late is told what the newest configuration wants.
func TestTuneAStoreThatOpensLate(t *testing.T) {
	err := store.ErrUnavailable
	p := newPooledStore(place{open: func(logger) (store.Store, error) { return fakeStore{}, err }}, discard)
	var tuned []string
	hold := func(name string) { p.hold(&lease{tune: func(store.Store) { tuned = append(tuned, name) }}) }
	<-p.tried
	hold("first")
	hold("second")
	assert.Empty(t, tuned)
	err = nil
	p.try()
	hold("third")
	assert.Equal(t, []string{"second", "third"}, tuned)
}

// B38: what all sites take together is bounded, whoever calls.
func TestB38TotalOfAllSites(t *testing.T) {
	c := newInstance(t)
	c.site = loopback.Free(t)
	other := loopback.Free(t)
	site := c.siteOf(upstream(t, nil))
	require.NoError(t, c.load("people_tracking {\nrate_limit {\ntotal 0.001 100\n}\n}", site+"\n"+strings.ReplaceAll(site, "{site}", "http://"+other)))
	taken, refused := 0, answer{}
	for range 120 {
		if got := c.call("/_people", "auto"); got.status != http.StatusOK {
			refused = got
			break
		}
		taken++
	}
	assert.LessOrEqual(t, taken, 100)
	assert.Positive(t, taken)
	assert.Equal(t, http.StatusServiceUnavailable, refused.status)
	assert.NotEmpty(t, refused.header.Get("Retry-After"))
	assert.Positive(t, c.metric(`people_tracking_requests_total{result="overloaded"}`))
	assert.Equal(t, 1, scripts(c.get("/").body), "pages are not limited")
	c.site = other
	assert.Equal(t, http.StatusServiceUnavailable, c.call("/_people", "auto").status, "the other site shares it")
}

// Whoever watches the store finds what can go wrong with it.
func TestMetricsOfTheStore(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", c.siteOf(upstream(t, nil))))
	c.tracks()
	for name, least := range map[string]float64{
		"updates_total": 1, "updates_rejected_total": 0, "commits_retried_total": 0, "commits_failed_total": 0,
		"commit_seconds_count": 1, "batch_updates_count": 1, "batch_updates_sum": 1, "batch_writes_count": 1, "batch_writes_sum": 2,
		"queue": 0, "queue_capacity": 1, "table_bytes": 0, "log_bytes": 1, "disk_free_bytes": 1,
		"disk_full": 0, "lost": 0, "broken": 0, "damaged": 0, "purges_total": 0,
	} {
		assert.GreaterOrEqual(t, c.metric("people_tracking_store_"+name), least, name)
	}
	engine, err := appNow(t).lease.engine()
	require.NoError(t, err)
	require.NoError(t, engine.(*badger.Store).Purge())
	assert.InDelta(t, 1, c.metric("people_tracking_store_purges_total"), 0)
	assert.Positive(t, c.metric("people_tracking_store_table_bytes"))
}

// gated is an engine whose commits wait.
type gated struct {
	*memory.Engine
	begun, gate chan struct{}
}

func (g gated) Begin() (store.Batch, error) {
	select {
	case g.begun <- struct{}{}:
	default:
	}
	<-g.gate
	return g.Engine.Begin()
}

// B35: while the queue is full, calls are asked to come later, and those that
// wait are answered in the end.
func TestB35FullQueueIsAnsweredWith503(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", c.siteOf(upstream(t, nil))))
	noted(t) // else this waits in the queue as well
	engine := gated{memory.NewEngine(), make(chan struct{}, 1), make(chan struct{})}
	letGo := sync.OnceFunc(func() { close(engine.gate) })
	t.Cleanup(letGo) // else closing the store waits for ever
	slow := store.NewGroup(engine, store.GroupOptions{Queue: 1, Batch: 1})
	pooled, err := appNow(t).lease.take()
	require.NoError(t, err)
	pooled.mu.Lock()
	before := pooled.engine
	pooled.engine = slow
	pooled.mu.Unlock()
	put := func(tx store.Tx) error { return tx.Put([]byte("k"), []byte("v")) }
	var waiting sync.WaitGroup
	update := func() { assert.NoError(t, slow.Update(context.Background(), put)) }
	waiting.Go(update)
	<-engine.begun // the writer has taken it
	waiting.Go(update)
	require.Eventually(t, func() bool { return slow.Stats().Queue == 1 }, 10*time.Second, time.Millisecond)
	got := c.call("/_people", "auto")
	assert.Equal(t, http.StatusServiceUnavailable, got.status)
	assert.NotEmpty(t, got.header.Get("Retry-After"))
	assert.Equal(t, 1, scripts(c.get("/").body), "pages do not wait")
	letGo()
	waiting.Wait()
	require.Eventually(t, func() bool { return c.call("/_people", "auto").status == http.StatusOK }, 10*time.Second, time.Millisecond)
	require.NoError(t, slow.Close())
	pooled.mu.Lock()
	pooled.engine = before
	pooled.mu.Unlock()
}
