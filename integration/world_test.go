package integration

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/livechat-people/caddy-people-tracking/integration/loopback"
)

const (
	trackingKey = "725f7aaaaaaaaaaaaaaaaaaaaaaa55b9"
	readingKey  = "9b1caaaaaaaaaaaaaaaaaaaaaaaa77e0"
	widgetID    = "85ea1938-f457-496d-8532-8fa489beea63"
	secret64    = "ZGVtbyBvbmx5OiBub3QgYSBzZWNyZXQsIGl0IHN0YW5kcyBpbiBhIHB1YmxpYyBwYWdl"
)

// world is a site behind Caddy with its upstream and the console. Caddy runs in
// this process (start) or in one of its own (newProcess).
type world struct {
	t       testing.TB
	dir     string // of the test
	site    string // http://127.0.0.1:port
	origin  string // the upstream itself, without us
	console string
	sign    func(*http.Request) // says to the console who asks
	options options
	config  []byte // what runs in this process
}

// options change the Caddyfile of a world.
type options struct {
	admin   string       // the admin endpoint's address, none when empty
	store   string       // engine and place, Badger in the test's directory when empty
	app     string       // further lines of the global option
	handler string       // the directive's block
	site    string       // further lines of the site
	origin  http.Handler // the upstream, one small page when nil
}

func newWorld(t testing.TB, opts options) *world {
	t.Helper()
	if opts.origin == nil {
		opts.origin = upstream()
	}
	origin := httptest.NewServer(opts.origin)
	t.Cleanup(origin.Close)
	return &world{
		t: t, dir: t.TempDir(), site: "http://" + loopback.Free(t), origin: origin.URL, console: "http://" + loopback.Free(t),
		sign: withKey(readingKey), options: opts,
	}
}

const page = `<!doctype html><html><head><title>Shop</title></head><body><h1>Shop</h1></body></html>`

func upstream() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = io.WriteString(w, page)
	})
}

// caddyfile is the configuration of the world.
func (w *world) caddyfile() string {
	store := cmp.Or(w.options.store, "badger "+filepath.Join(w.dir, "people"))
	return global(w.options.admin, fmt.Sprintf(`
		store %s
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
		%s`, store, trackingKey, readingKey, widgetID, secret64, w.options.app)) + fmt.Sprintf(`
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
`, w.site, w.options.site, w.options.handler, strings.TrimPrefix(w.origin, "http://"), w.console)
}

// global is how every Caddyfile of these tests begins: with the lines of the
// global option people_tracking, and nothing that would outlive the test.
func global(admin, people string) string {
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	log {
		level ERROR
	}
	people_tracking {
		%s
	}
}
`, cmp.Or(admin, "off"), people)
}
