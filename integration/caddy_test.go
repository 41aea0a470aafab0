package integration

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/stretchr/testify/require"

	_ "github.com/livechat-people/caddy-people-tracking/caddymodule"
)

// clock is the time Caddy's people live by in these tests. One process runs
// one Caddy, and so has one clock.
var clock atomic.Int64

func init() { caddy.RegisterModule(testClock{}) }

// testClock is the module people_tracking.clocks.test.
type testClock struct{}

func (testClock) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "people_tracking.clocks.test", New: func() caddy.Module { return new(testClock) }}
}

func (testClock) Now() time.Time { return time.UnixMilli(clock.Load()).UTC() }

func now() time.Time       { return testClock{}.Now() }
func pass(d time.Duration) { clock.Add(d.Milliseconds()) }

// start runs Caddy in this process until the test ends, by the test's clock.
func start(t testing.TB, opts options) *world {
	t.Helper()
	w := newWorld(t, opts)
	clock.Store(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).UnixMilli())
	w.config = byTestClock(t, adapt(t, w.caddyfile()))
	runHere(t, w.config)
	return w
}

// load makes Caddy run the world's configuration once more.
func (w *world) load() {
	w.t.Helper()
	require.NoError(w.t, caddy.Load(w.config, true))
}

// stop stops Caddy, as a shutdown does; load starts it again.
func (w *world) stop() {
	w.t.Helper()
	require.NoError(w.t, caddy.Stop())
}

// runHere makes Caddy run a configuration in this process until the test ends.
func runHere(t testing.TB, config []byte) {
	t.Helper()
	require.NoError(t, caddy.Load(config, true))
	t.Cleanup(func() { require.NoError(t, caddy.Stop()) })
}

// adapt turns a Caddyfile into JSON.
func adapt(t testing.TB, caddyfile string) []byte {
	t.Helper()
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	require.NoError(t, err)
	for _, warning := range warnings {
		require.Contains(t, warning.Message, "formatted", "unexpected warning %v", warning)
	}
	return config
}

// byTestClock makes a configuration live by the test's clock, for which the
// Caddyfile has no word.
func byTestClock(t testing.TB, config []byte) []byte {
	t.Helper()
	var changed map[string]any
	require.NoError(t, json.Unmarshal(config, &changed))
	apps := changed["apps"].(map[string]any)
	apps["people_tracking"].(map[string]any)["clock"] = map[string]any{"source": "test"}
	out, err := json.Marshal(changed)
	require.NoError(t, err)
	return out
}
