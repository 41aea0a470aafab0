package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/loopback"
	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// site tracks pages that an upstream makes.
func (c *instance) siteOf(upstream string) string {
	return fmt.Sprintf("{site} {\n\tpeople_tracking\n\treverse_proxy %s\n}", upstream)
}

// holdStore opens the store in dir as another process would, until release.
func holdStore(t *testing.T, dir string) (release func()) {
	t.Helper()
	other, err := badger.Open(dir, badger.Options{})
	require.NoError(t, err)
	held := true
	release = func() {
		if held {
			held = false
			require.NoError(t, other.Close())
		}
	}
	t.Cleanup(release)
	return release
}

// P1 and P2: a reload opens no directory twice, whatever else it changes and
// however the directory is written.
func TestP1ReloadSharesTheStore(t *testing.T) {
	c := newInstance(t)
	site := c.siteOf(upstream(t, nil))
	link := filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.Symlink(c.dir, link))
	for _, options := range []string{
		"store badger {dir}/people",
		"store badger {dir}/people\nsession_timeout 10m\nevent ping",
		"store badger {dir}/./x/../people",
		"store badger " + link + "/people",
	} {
		require.NoError(t, c.load("people_tracking {\n"+options+"\n}", site), options)
		c.tracks()
		assert.Equal(t, http.StatusOK, c.readiness().status)
	}
}

// P1: people outlive a reload.
func TestP1ReloadKeepsPeople(t *testing.T) {
	c := newInstance(t)
	site := c.siteOf(upstream(t, nil))
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", site))
	first := c.call("/_people", "auto")
	require.Equal(t, http.StatusOK, first.status, first.body)
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\nvisitor_ttl 30d\n}", site))
	again := c.call("/_people", "auto") // the same ids and boot: a retry
	assert.Equal(t, first.body, again.body, "a retry is answered as the first time")
}

// P1 on the other engine: proxies and reloads share a database.
func TestStoreInPostgreSQL(t *testing.T) {
	t.Setenv("PEOPLE_TEST_STORE", postgrestest.Start(t).Database(t))
	c := newInstance(t)
	site := c.siteOf(upstream(t, nil))
	for _, options := range []string{"", "session_timeout 10m"} {
		require.NoError(t, c.load("people_tracking {\nstore postgres {env.PEOPLE_TEST_STORE}\n"+options+"\n}", site))
		c.tracks()
		assert.Equal(t, http.StatusOK, c.readiness().status)
		assert.InDelta(t, 1, c.metric("people_tracking_store_open"), 0)
		assert.Positive(t, c.metric("people_tracking_store_connections"))
	}
}

func TestStoreInADatabaseThatIsAway(t *testing.T) {
	c := newInstance(t)
	dsn := "postgres://people:hidden@" + loopback.Free(t) + "/people"
	require.NoError(t, c.load("people_tracking {\nstore postgres "+dsn+"\n}", c.siteOf(upstream(t, nil))))
	assert.Equal(t, 1, scripts(c.get("/").body))
	assert.Equal(t, http.StatusServiceUnavailable, c.call("/_people", "auto").status)
	assert.InDelta(t, 1, c.metric("people_tracking_store_unavailable"), 0)
	err := c.load("people_tracking {\nstore postgres "+dsn+"2\n}", c.siteOf(upstream(t, nil)))
	require.ErrorContains(t, err, "the PostgreSQL database")
	assert.NotContains(t, err.Error(), "hidden")
}

// A store that lost what was acknowledged is opened only when that is accepted.
func TestB34StoreThatLostCommits(t *testing.T) {
	c := newInstance(t)
	site := c.siteOf(upstream(t, nil))
	older, newer := filepath.Join(c.dir, "older"), filepath.Join(c.dir, "newer")
	for _, dir := range []string{older, newer} {
		require.NoError(t, c.load("people_tracking {\nstore badger "+dir+"\n}", site))
		for range 5 { // a store notes a thing or two of its own when it is opened
			if dir == newer {
				c.tracks()
			}
		}
		require.NoError(t, caddy.Stop())
	}
	acknowledged, err := os.ReadFile(filepath.Join(newer, "ACKNOWLEDGED"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(older, "ACKNOWLEDGED"), acknowledged, 0o600))

	require.NoError(t, c.load("people_tracking {\nstore badger "+older+"\n}", site))
	assert.Equal(t, http.StatusServiceUnavailable, c.call("/_people", "auto").status)
	assert.Equal(t, 1, scripts(c.get("/").body))
	assert.Contains(t, c.readiness().body, "it ends before what was acknowledged")
	require.NoError(t, caddy.Stop())
	require.NoError(t, c.load("people_tracking {\nstore badger "+older+" {\naccept_loss\n}\n}", site))
	c.tracks()
}

// P3: a configuration that is rejected takes nothing from the running one.
func TestP3FailedReloadLeavesTheRunningConfigurationAlone(t *testing.T) {
	c := newInstance(t)
	good := upstream(t, nil)
	global := "people_tracking {\nstore badger {dir}/people\n}"
	require.NoError(t, c.load(global, c.siteOf(good)))
	c.tracks()
	bad := map[string]string{
		"provision of the app":    string(c.adapt("people_tracking {\nstore badger {dir}/people\napi_key {env.PEOPLE_TEST_NONE} people:read\n}", c.siteOf(good))),
		"provision of a handler":  string(c.adapt(global, "{site} {\npeople_tracking {\napi_key unknown\n}\n}")),
		"validation of a handler": strings.Replace(string(c.adapt(global, c.siteOf(good))), `"handler":"people_tracking"`, `"handler":"people_tracking","load":"defer"`, 1),
		"start of another app":    string(c.adapt(global, c.siteOf(good)+"\nhttp://192.0.2.1:9 {\nbind 192.0.2.1\nrespond ok\n}")),
	}
	for name, config := range bad {
		for range 3 { // apps start in no particular order
			require.Error(t, caddy.Load([]byte(config), true), name)
			c.tracks()
			assert.Equal(t, http.StatusOK, c.readiness().status, name)
		}
	}
	require.NoError(t, caddy.Stop())
	holdStore(t, filepath.Join(c.dir, "people")) // nothing holds it any more
}

// P4: validating touches no store, so that it passes beside a running server.
func TestP4ValidateOpensNothing(t *testing.T) {
	c := newInstance(t)
	missing, busy := filepath.Join(c.dir, "missing"), filepath.Join(c.dir, "busy")
	holdStore(t, busy)
	for _, dir := range []string{missing, busy} {
		config := new(caddy.Config)
		require.NoError(t, json.Unmarshal(c.adapt("people_tracking {\nstore badger "+dir+"\n}", c.siteOf("127.0.0.1:1")), config))
		config.Admin.Disabled = true
		require.NoError(t, caddy.Validate(config))
	}
	assert.NoDirExists(t, missing)
}

// P6: the admin endpoint tells of the configuration that runs.
func TestP6ReadinessAfterAFailedReload(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("", "{site} {\nrespond ok\n}"))
	got := c.readiness()
	assert.Equal(t, http.StatusServiceUnavailable, got.status)
	assert.Contains(t, got.body, "not configured")

	site := c.siteOf(upstream(t, nil))
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", site))
	assert.Equal(t, http.StatusOK, c.readiness().status)
	busy := filepath.Join(c.dir, "busy")
	holdStore(t, busy)
	require.Error(t, c.load("people_tracking {\nstore badger "+busy+"\n}", site))
	got = c.readiness()
	assert.Equal(t, http.StatusOK, got.status, "the rejected store is not ours")
	assert.JSONEq(t, `{"status":"ok"}`, got.body)
	assert.Equal(t, http.StatusMethodNotAllowed, c.do(http.MethodPost, "http://"+c.admin+"/people_tracking/health/ready", "").status)
	assert.Equal(t, http.StatusOK, c.do(http.MethodGet, "http://"+c.admin+"/people_tracking/health/live", "").status)
}

// P7: a reload waits for nobody. When it changes the store, a call in flight is
// asked to come again, and a page in flight is finished.
func TestP7RequestsInFlightAcrossAReload(t *testing.T) {
	tests := map[string]struct {
		dir  string // of the second configuration
		want int
	}{
		"ok/the same store": {dir: "people", want: http.StatusOK},
		"ok/another store":  {dir: "others", want: http.StatusServiceUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newInstance(t)
			arrived, proceed := make(chan struct{}), make(chan struct{})
			site := c.siteOf(upstream(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				io.WriteString(w, page[:40])
				http.NewResponseController(w).Flush()
				close(arrived)
				<-proceed
				io.WriteString(w, page[40:])
			}))
			require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", site))

			body, send := io.Pipe()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.site+"/_people/v1/batch", body)
			require.NoError(t, err)
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Origin", "http://"+c.site)
			calls, pages := make(chan int, 1), make(chan string, 1)
			go func() {
				response, err := http.DefaultClient.Do(request)
				if !assert.NoError(t, err) {
					calls <- 0
					return
				}
				response.Body.Close()
				calls <- response.StatusCode
			}()
			half := fmt.Sprintf(batchBody, "auto")
			_, err = io.WriteString(send, half[:20])
			require.NoError(t, err)
			go func() { pages <- c.get("/").body }()
			<-arrived

			require.NoError(t, c.load("people_tracking {\nstore badger {dir}/"+test.dir+"\n}", site))
			_, err = io.WriteString(send, half[20:])
			require.NoError(t, err)
			require.NoError(t, send.Close())
			close(proceed)
			assert.Equal(t, test.want, <-calls)
			body2 := <-pages
			assert.Equal(t, 1, scripts(body2))
			assert.Contains(t, body2, "Hello</body></html>")
		})
	}
}

// B34: a cold start with a store that cannot be opened serves the site.
func TestB34ColdStartWithoutAStore(t *testing.T) {
	c := newInstance(t)
	dir := filepath.Join(c.dir, "people")
	holdStore(t, dir)
	require.NoError(t, c.load("people_tracking {\nstore badger "+dir+"\n}", c.siteOf(upstream(t, nil))))
	got := c.get("/")
	assert.Equal(t, http.StatusOK, got.status)
	assert.Equal(t, 1, scripts(got.body))
	got = c.call("/_people", "auto")
	assert.Equal(t, http.StatusServiceUnavailable, got.status)
	assert.NotEmpty(t, got.header.Get("Retry-After"))
	got = c.readiness()
	assert.Equal(t, http.StatusServiceUnavailable, got.status)
	assert.Contains(t, got.body, "not open: another process holds its directory")

	// A reload that names the same store is not refused for it.
	require.NoError(t, c.load("people_tracking {\nstore badger "+dir+"\nsession_timeout 10m\n}", c.siteOf(upstream(t, nil))))
	assert.Equal(t, http.StatusOK, c.get("/").status)
}

// B34: a reload is refused when it names another store that cannot be opened.
func TestB34ReloadToABusyStoreIsRefused(t *testing.T) {
	c := newInstance(t)
	site := c.siteOf(upstream(t, nil))
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", site))
	busy := filepath.Join(c.dir, "busy")
	release := holdStore(t, busy)
	err := c.load("people_tracking {\nstore badger "+busy+"\n}", site)
	require.ErrorContains(t, err, busy)
	c.tracks()
	release()
	require.NoError(t, c.load("people_tracking {\nstore badger "+busy+"\n}", site))
	c.tracks()
}

// B34: opening is tried again, with longer and longer pauses.
func TestB34OpeningIsRetriedWithBackOff(t *testing.T) {
	attempts := 0
	open := func(logger) (store.Store, error) {
		if attempts++; attempts <= 9 {
			return nil, store.ErrLocked
		}
		return fakeStore{}, nil
	}
	p := newPooledStore(place{name: "/somewhere", open: open}, discard)
	<-p.tried
	_, err := p.current()
	require.ErrorIs(t, err, store.ErrLocked)
	pauses := make(chan time.Duration)
	tick := make(chan time.Time)
	p.keepTrying(func(pause time.Duration) <-chan time.Time {
		pauses <- pause
		return tick
	})
	var waited []time.Duration
	for range 9 {
		waited = append(waited, <-pauses)
		tick <- time.Time{}
	}
	p.opening.Wait()
	assert.Equal(t, []time.Duration{
		time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second,
		time.Minute, time.Minute, time.Minute,
	}, waited)
	_, err = p.current()
	require.NoError(t, err)
	require.NoError(t, p.Destruct())
	_, err = p.current()
	require.ErrorIs(t, err, store.ErrClosed)
}

func TestB34RetryingEndsWithTheStore(t *testing.T) {
	open := func(logger) (store.Store, error) { return nil, store.ErrLocked }
	p := newPooledStore(place{name: "/somewhere", open: open}, discard)
	p.keepTrying(func(time.Duration) <-chan time.Time { return nil }) // never
	require.NoError(t, p.Destruct())
	_, err := p.current()
	require.ErrorIs(t, err, store.ErrClosed)
}

// Nothing of a configuration runs on when it has ended, one that never quite
// started included.
func TestP3NothingRunsOn(t *testing.T) {
	c := newInstance(t)
	console := loopback.Free(t)
	global := "people_tracking {\nstore badger {dir}/%s\napi_key tracking web:tracking:sdk\napi_key reading people:read\n}"
	sites := c.siteOf(upstream(t, nil)) + "\nhttp://" + console + " {\npeople_console\n}"
	require.NoError(t, c.load(fmt.Sprintf(global, "people"), sites))
	watching := watchLive(t, console)
	require.Error(t, c.load(fmt.Sprintf(global, "people"), sites+"\nhttp://192.0.2.1:9 {\nbind 192.0.2.1\nrespond ok\n}"))
	require.NoError(t, c.load(fmt.Sprintf(global, "others"), sites))
	assert.Empty(t, watching.next())
	require.Equal(t, http.StatusOK, c.call("/_people", "tracking").status)
	require.Contains(t, runningOurs(), "tracker.(*Service).Run", "what runs is found")
	require.NoError(t, caddy.Stop())
	require.Eventually(t, func() bool { return runningOurs() == "" }, 10*time.Second, 10*time.Millisecond)
}

// runningOurs are the stacks of goroutines that execute code of this module, but
// for its tests.
func runningOurs() string {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var ours []string
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(stack, "/caddy-people-tracking/") && !strings.Contains(stack, "testing.tRunner") && !strings.Contains(stack, "_test.go") {
			ours = append(ours, stack)
		}
	}
	return strings.Join(ours, "\n\n")
}
