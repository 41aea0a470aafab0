package collector

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestB38Total(t *testing.T) {
	now := testTime
	shared, err := NewLimiter(Limits{Total: Limit{PerSecond: 10, Burst: 100}})
	require.NoError(t, err)
	share := func(c *Config) { c.Limiter, c.Now = shared, func() time.Time { return now } }
	one, first := newHandler(t, share)
	two, second := newHandler(t, share)
	refusedAfter := func(h *Handler, n int, after string) {
		t.Helper()
		w := serve(h, post(calls(n)))
		requireRefusal(t, w, http.StatusServiceUnavailable, "the server takes no more calls at present")
		assert.Equal(t, after, w.Header().Get("Retry-After"))
	}
	require.Equal(t, 200, serve(one, post(calls(60))).Code)
	require.Equal(t, 200, serve(two, post(calls(40))).Code)
	refusedAfter(one, 1, "1")
	refusedAfter(two, 1, "1")
	assert.Len(t, first.requests, 1, "nothing reaches the tracker")
	now = now.Add(3 * time.Second)
	require.Equal(t, 200, serve(two, post(calls(30))).Code)
	refusedAfter(one, 1, "1")
	now = now.Add(time.Second)
	refusedAfter(two, 100, "9") // takes one of the ten, lacks 90
	assert.Len(t, first.requests, 1)
	assert.Len(t, second.requests, 2)
	now = now.Add(time.Hour)
	require.Equal(t, 200, serve(one, post(calls(100))).Code)
	refusedAfter(one, 1, "1") // an idle hour gives one burst and no more
}

func TestB38TotalOfNothing(t *testing.T) {
	l, err := NewLimiter(Limits{})
	require.NoError(t, err)
	assert.Zero(t, l.takeTotal(1_000_000, testTime), "by default there is no bound")
	for _, wrong := range []Limit{{PerSecond: 5}, {Burst: 100}, {PerSecond: 5, Burst: 99}, {PerSecond: -1, Burst: 100}} {
		_, err := NewLimiter(Limits{Total: wrong})
		assert.ErrorContains(t, err, "total rate limit", wrong)
	}
}
