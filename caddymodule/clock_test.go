package caddymodule

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

func init() { caddy.RegisterModule(settableClock{}) }

// settableClock is the system's clock, set by clockSet.
type settableClock struct{}

var (
	clockSet   atomic.Int64 // nanoseconds
	clockBegan = time.Now()
)

func (settableClock) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "people_tracking.clocks.settable", New: func() caddy.Module { return new(settableClock) }}
}

func (settableClock) Now() time.Time           { return time.Now().Add(time.Duration(clockSet.Load())) }
func (settableClock) Monotonic() time.Duration { return time.Since(clockBegan) }

var _ MonotonicClock = settableClock{}

// loadSettable loads a configuration with that clock, which begins then.
func (c *instance) loadSettable(set time.Duration) {
	c.t.Helper()
	clockSet.Store(int64(set))
	var config map[string]any
	require.NoError(c.t, json.Unmarshal(c.adapt("people_tracking {\nstore badger {dir}/people\n}", "{site} {\npeople_tracking\nrespond hello\n}"), &config))
	config["apps"].(map[string]any)["people_tracking"].(map[string]any)["clock"] = map[string]any{"source": "settable"}
	changed, err := json.Marshal(config)
	require.NoError(c.t, err)
	require.NoError(c.t, caddy.Load(changed, true))
}

// B36: a step turns readiness red, in words, and calls are recorded all the
// same; the command, or the route behind it, ends that.
func TestB36HealthAndCommand(t *testing.T) {
	c := newInstance(t)
	c.loadSettable(0)
	accept := "http://" + c.admin + clockPath
	require.Equal(t, http.StatusOK, c.readiness().status)
	assert.Contains(t, c.do(http.MethodGet, "http://"+c.admin+"/metrics", "").body, "people_tracking_clock_in_doubt 0")
	assert.False(t, accepted(t, c.do(http.MethodPost, accept, "")))

	clockSet.Store(int64(2 * time.Hour))
	red := c.readiness()
	assert.Equal(t, http.StatusServiceUnavailable, red.status)
	assert.Contains(t, red.body, "the clock was set 2h0m0s forward")
	assert.Contains(t, c.do(http.MethodGet, "http://"+c.admin+"/metrics", "").body, "people_tracking_clock_in_doubt 1")
	c.tracks()
	assert.Equal(t, http.StatusMethodNotAllowed, c.do(http.MethodGet, accept, "").status)
	assert.Equal(t, http.StatusServiceUnavailable, c.readiness().status)

	assert.True(t, accepted(t, c.do(http.MethodPost, accept, "")))
	assert.Equal(t, http.StatusOK, c.readiness().status)

	clockSet.Store(0)
	got := people(t, "clock", "accept", "--address", c.admin)
	require.NoError(t, got.err)
	assert.Contains(t, got.told, "accepted: the clock was set 2h0m0s back")
	assert.Contains(t, c.do(http.MethodGet, "http://"+c.admin+"/metrics", "").body, "people_tracking_clock_in_doubt 0")
	got = people(t, "clock", "accept", "--address", c.admin)
	require.NoError(t, got.err)
	assert.Contains(t, got.told, "the clock was not in doubt")

	require.NoError(t, caddy.Load([]byte(`{"admin":{"listen":"`+c.admin+`","config":{"persist":false}}}`), true))
	require.ErrorContains(t, people(t, "clock", "accept", "--address", c.admin).err, "not configured")
}

// B36: a start with a clock that is years ahead is no reason to take the site
// out of service; by command what is old expires at once.
func TestB36AcceptAfterAStart(t *testing.T) {
	c := newInstance(t)
	c.loadSettable(0)
	c.tracks()
	noted(t)

	c.loadSettable(2 * 365 * 24 * time.Hour)
	c.tracks()
	require.ErrorContains(t, appNow(t).clock.Caution(), "the store was last in use 17520h0m")
	assert.Equal(t, http.StatusOK, c.readiness().status)
	got := people(t, "clock", "accept", "--address", c.admin)
	require.NoError(t, got.err)
	assert.Contains(t, got.told, "accepted: the store was last in use 17520h0m")
	assert.NoError(t, appNow(t).clock.Caution())
}

// noted waits until the store has been told that it is in use, which is done
// once a minute.
func noted(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		engine, err := appNow(t).lease.engine()
		require.NoError(t, err)
		var told []byte
		require.NoError(t, engine.View(t.Context(), func(r store.Reader) (err error) {
			told, err = r.Get([]byte{'z'})
			return err
		}))
		return len(told) > 0
	}, 10*time.Second, 10*time.Millisecond)
}

// accepted says whether the answer tells of a doubt that was ended.
func accepted(t *testing.T, got answer) bool {
	t.Helper()
	require.Equal(t, http.StatusOK, got.status, got.body)
	var said acceptedClock
	require.NoError(t, json.Unmarshal([]byte(got.body), &said))
	assert.WithinDuration(t, settableClock{}.Now(), said.Now, time.Minute)
	return strings.Contains(said.Accepted, "forward")
}

// B36: a reload does not forget what the clock was set to: every configuration
// without a clock of its own has the same one.
func TestB36ReloadsShareTheClock(t *testing.T) {
	c := newInstance(t)
	for range 2 {
		require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", "{site} {\npeople_tracking\nrespond hello\n}"))
		assert.Same(t, systemClock, appNow(t).clock)
		c.tracks()
	}
}
