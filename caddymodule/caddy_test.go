package caddymodule

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/loopback"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// Caddy is one per process: tests that load a configuration do not run in
// parallel, and each leaves nothing loaded.

// instance is a Caddy running in this process.
type instance struct {
	t     *testing.T
	site  string // host:port of the site, {site} in configurations
	admin string // host:port of the admin endpoint
	dir   string // a directory for stores, {dir} in configurations
}

func newInstance(t *testing.T) *instance {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Cleanup(func() { assert.NoError(t, caddy.Stop()) })
	return &instance{t: t, site: loopback.Free(t), admin: loopback.Free(t), dir: t.TempDir()}
}

// appNow and serviceNow are those of the configuration that runs.
func appNow(t *testing.T) *App {
	t.Helper()
	app, err := runningApp()
	require.NoError(t, err)
	return app
}

func serviceNow(t *testing.T) *tracker.Service {
	t.Helper()
	return appNow(t).service
}

// adapt turns a Caddyfile into JSON. global goes into the global options, after
// what every test needs.
func (c *instance) adapt(global, sites string) []byte {
	c.t.Helper()
	adapted, warnings, err := c.tryAdapt(global, sites)
	require.NoError(c.t, err)
	for _, warning := range warnings {
		assert.Contains(c.t, warning.Message, "not formatted")
	}
	return adapted
}

func (c *instance) tryAdapt(global, sites string) ([]byte, []caddyconfig.Warning, error) {
	file := fmt.Sprintf(`{
	admin %s
	persist_config off
	auto_https off
	grace_period 10s
	storage file_system %s
	log {
		output discard
	}
	%s
}
%s`, c.admin, filepath.Join(c.dir, "caddy"), global, sites)
	file = strings.NewReplacer("{site}", "http://"+c.site, "{dir}", c.dir).Replace(file)
	return caddyconfig.GetAdapter("caddyfile").Adapt([]byte(file), map[string]any{"filename": "Caddyfile"})
}

func (c *instance) load(global, sites string) error {
	c.t.Helper()
	return caddy.Load(c.adapt(global, sites), true)
}

// get asks the site for a path as a browser that loads a page does.
func (c *instance) get(path string, headers ...string) answer {
	c.t.Helper()
	return c.do(http.MethodGet, "http://"+c.site+path, "", headers...)
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (c *instance) do(method, url, body string, headers ...string) answer {
	c.t.Helper()
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	for attempt := 1; ; attempt++ {
		request, err := http.NewRequestWithContext(c.t.Context(), method, url, strings.NewReader(body))
		require.NoError(c.t, err)
		request.Header.Set("Accept", "text/html")
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
			if headers[i] == "Host" {
				request.Host = headers[i+1]
			}
		}
		response, err := transport.RoundTrip(request)
		// Caddy closes the listener of the old configuration after a reload has
		// returned, and with it connections that wait there.
		if (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)) && attempt < 10 {
			continue
		}
		require.NoError(c.t, err)
		defer response.Body.Close()
		read, err := io.ReadAll(response.Body)
		require.NoError(c.t, err)
		return answer{status: response.StatusCode, header: response.Header, body: string(read)}
	}
}

const batchBody = `{"apiKey":"%s","sentAt":"2026-11-22T10:00:00.000Z","boot":"0123456789abcdef0123456789abcdef",
"pages":[{"url":"http://shop.example/","title":"Shop"}],
"calls":[{"id":"t-1","at":"2026-11-22T10:00:00.000Z","page":0,"method":"init","params":{}},
{"id":"t-2","at":"2026-11-22T10:00:00.000Z","page":0,"method":"page","params":{}}]}`

// call posts a batch with a page view to base, as the SDK does.
func (c *instance) call(base, key string, headers ...string) answer {
	c.t.Helper()
	headers = append([]string{"Content-Type", "application/json", "Origin", "http://" + c.site, "Sec-Fetch-Site", "same-origin"}, headers...)
	return c.do(http.MethodPost, "http://"+c.site+base+"/v1/batch", fmt.Sprintf(batchBody, key), headers...)
}

// track tracks an event, as a browser of its own.
func (c *instance) track(params string) answer {
	c.t.Helper()
	body := fmt.Sprintf(`{"apiKey":"auto","sentAt":"2026-11-22T10:00:00.000Z","boot":%q,
		"calls":[{"id":"t-1","at":"2026-11-22T10:00:00.000Z","method":"track","params":%s}]}`, fmt.Sprintf("%032x", rand.Text()[:16]), params)
	return c.do(http.MethodPost, "http://"+c.site+"/_people/v1/batch", body, "Content-Type", "application/json", "Origin", "http://"+c.site)
}

// tracks checks that a call is recorded.
func (c *instance) tracks() {
	c.t.Helper()
	got := c.call("/_people", "auto")
	require.Equal(c.t, http.StatusOK, got.status, got.body)
	var batch struct {
		Results []struct {
			Success bool
			Error   json.RawMessage
		}
	}
	require.NoError(c.t, json.Unmarshal([]byte(got.body), &batch))
	require.Len(c.t, batch.Results, 2)
	for _, result := range batch.Results {
		assert.True(c.t, result.Success, "%s", result.Error)
	}
}

// readiness asks the admin endpoint.
func (c *instance) readiness() answer {
	c.t.Helper()
	return c.do(http.MethodGet, "http://"+c.admin+"/people_tracking/health/ready", "")
}

const page = `<!doctype html><html><head><title>Shop</title></head><body>Hello</body></html>`

// upstream serves page.
func upstream(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	if handler == nil {
		handler = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, page)
		}
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func writeFile(t *testing.T, dir, name, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
}

// scripts counts the SDK's script elements in a page.
func scripts(body string) int { return strings.Count(body, "/v1/sdk.js?v=") }
