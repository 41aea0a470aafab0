package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
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

const (
	trackingKey = "725f7aaaaaaaaaaaaaaaaaaaaaaa55b9"
	readingKey  = "9b1caaaaaaaaaaaaaaaaaaaaaaaa77e0"
	widgetID    = "85ea1938-f457-496d-8532-8fa489beea63"
	secret64    = "ZGVtbyBvbmx5OiBub3QgYSBzZWNyZXQsIGl0IHN0YW5kcyBpbiBhIHB1YmxpYyBwYWdl"
)

// world is Caddy with a site, its upstream and the console.
type world struct {
	t       testing.TB
	dir     string
	site    string // http://127.0.0.1:port
	origin  string // the upstream itself, without us
	console string
	config  []byte
}

// options change the Caddyfile of a world.
type options struct {
	app     string       // further lines of the global option
	handler string       // the directive's block
	dir     string       // the store's directory, a new one when empty
	origin  http.Handler // the upstream, one small page when nil
	site    string       // further lines of the site
}

const page = `<!doctype html><html><head><title>Shop</title></head><body><h1>Shop</h1></body></html>`

func upstream() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = io.WriteString(w, page)
	})
}

// start runs Caddy in this process until the test ends.
func start(t testing.TB, opts options) *world {
	t.Helper()
	if opts.origin == nil {
		opts.origin = upstream()
	}
	origin := httptest.NewServer(opts.origin)
	t.Cleanup(origin.Close)
	w := &world{t: t, dir: opts.dir, site: "http://" + freeAddress(t), origin: origin.URL, console: "http://" + freeAddress(t)}
	if w.dir == "" {
		w.dir = t.TempDir()
	}
	clock.Store(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).UnixMilli())
	caddyfile := fmt.Sprintf(`{
	admin off
	persist_config off
	log {
		level ERROR
	}
	people_tracking {
		store badger %s
		api_key %s web:tracking:sdk
		api_key %s people:read people:manage
		widget %s {
			secret_key demo %s
		}
		event action "Action" {
			name string
			label string
		}
		attribute car string
		attribute category list {
			name string
		}
		%s
	}
}
%s {
	%s
	people_tracking {
		%s
	}
	reverse_proxy %s
}
%s {
	people_console
}
`, w.dir, trackingKey, readingKey, widgetID, secret64, opts.app, w.site, opts.site, opts.handler, strings.TrimPrefix(origin.URL, "http://"), w.console)
	w.config = adapt(t, caddyfile)
	w.load()
	t.Cleanup(func() { require.NoError(t, caddy.Stop()) })
	return w
}

// load makes Caddy run the world's configuration, also once more.
func (w *world) load() {
	w.t.Helper()
	require.NoError(w.t, caddy.Load(w.config, true))
}

// stop stops Caddy, as a shutdown does; load starts it again.
func (w *world) stop() {
	w.t.Helper()
	require.NoError(w.t, caddy.Stop())
}

// adapt turns a Caddyfile into JSON, with the test's clock.
func adapt(t testing.TB, caddyfile string) []byte {
	t.Helper()
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	require.NoError(t, err)
	for _, warning := range warnings {
		require.Contains(t, warning.Message, "formatted", "unexpected warning %v", warning)
	}
	var config map[string]any
	require.NoError(t, json.Unmarshal(adapted, &config))
	apps := config["apps"].(map[string]any)
	apps["people_tracking"].(map[string]any)["clock"] = map[string]any{"source": "test"}
	out, err := json.Marshal(config)
	require.NoError(t, err)
	return out
}

// handedOut are the addresses given so far: the system may offer a port again
// that a test has not taken yet.
var handedOut sync.Map

func freeAddress(t testing.TB) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := l.Addr().String()
		require.NoError(t, l.Close())
		if _, twice := handedOut.LoadOrStore(address, true); !twice {
			return address
		}
	}
}

// get asks the console's API as a program does, and returns the status.
func (w *world) get(path string, into any) int {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, w.console+"/"+path, nil)
	require.NoError(w.t, err)
	req.Header.Set("Authorization", "App "+readingKey)
	res, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	if res.StatusCode == http.StatusOK && into != nil {
		require.NoError(w.t, json.Unmarshal(body, into), string(body))
	}
	return res.StatusCode
}

type person struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Subject   string `json:"subject"`
	FirstName string `json:"firstName"`
	Active    bool   `json:"active"`
	Links     []struct {
		PersonID string `json:"personId"`
	} `json:"links"`
}

func (w *world) persons() []person {
	w.t.Helper()
	var list struct{ Persons []person }
	require.Equal(w.t, http.StatusOK, w.get("api/persons", &list))
	return list.Persons
}

// only is the one person there is.
func (w *world) only() person {
	w.t.Helper()
	persons := w.persons()
	require.Len(w.t, persons, 1)
	return persons[0]
}

type timelineEvent struct {
	EventID      string
	DefinitionID string
	OccurredTime time.Time
	Properties   map[string]any
	MergedFrom   *struct{ ProfileID string }
}

// timeline is a person's events, oldest first.
func (w *world) timeline(id string) []timelineEvent {
	w.t.Helper()
	var list struct{ Events []timelineEvent }
	require.Equal(w.t, http.StatusOK, w.get("api/persons/"+id+"/events?limit=200", &list))
	out := make([]timelineEvent, 0, len(list.Events))
	for i := len(list.Events) - 1; i >= 0; i-- {
		out = append(out, list.Events[i])
	}
	return out
}

// story tells a timeline in short: definitions, with the label of custom events.
func (w *world) story(id string) []string {
	w.t.Helper()
	out := []string{}
	for _, e := range w.timeline(id) {
		line := e.DefinitionID
		if label, ok := e.Properties["label"].(string); ok {
			line += " " + label
		}
		out = append(out, line)
	}
	return out
}

// post sends a body to the collector as a page of the site does.
func (w *world) post(client *http.Client, body []byte, change ...func(*http.Request)) (int, []byte) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.site+"/_people/v1/batch", bytes.NewReader(body))
	require.NoError(w.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", w.site)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36")
	for _, c := range change {
		c(req)
	}
	res, err := client.Do(req)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, res.Body.Close()) }()
	answer, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res.StatusCode, answer
}
