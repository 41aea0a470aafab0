package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/livechat-people/caddy-people-tracking/integration/loopback"
)

// envCacheTests names the unpacked package of the suite of cache-tests.fyi.
const envCacheTests = "PEOPLE_CACHE_TESTS"

// owed are the tests of the suite that tell a page with our script from the
// same page without, and why that is as it must be.
var owed = map[string]string{
	"304-etag-update-response-Content-MD5": "digests of a changed body are removed (rule 15)",
	"headers-store-Content-MD5":            "digests of a changed body are removed (rule 15)",
	"conditional-lm-stale":                 "a date alone may be that of a copy without the script (rule 4)",
}

// TestP7CacheSuite runs the suite of cache-tests.fyi through us and through
// plain Caddy, on its own and behind nginx as a shared cache. As text, to which
// we must do nothing, both are the same; as pages they differ by what is owed.
func TestP7CacheSuite(t *testing.T) {
	suite := cacheSuite(t)
	origin := suite.serve(t)
	plain, ours := loopback.Free(t), loopback.Free(t)
	plainPages, ourPages := loopback.Free(t), loopback.Free(t)
	site := func(address, tracking, down string) string {
		return fmt.Sprintf("http://%s {\n\t%s\n\treverse_proxy %s {\n\t\t%s\n\t}\n}\n", address, tracking, origin, down)
	}
	const asPages = "header_down Content-Type text/plain text/html"
	runHere(t, adapt(t, global("", "store badger "+t.TempDir())+
		site(plain, "", "")+site(ours, "people_tracking", "")+site(plainPages, "", asPages)+site(ourPages, "people_tracking", asPages)))

	t.Run("direct", func(t *testing.T) {
		suite.compare(t, "text", plain, ours, nil)
		suite.compare(t, "page", plainPages, ourPages, owed)
	})
	t.Run("behind nginx", func(t *testing.T) {
		cached := nginx(t, plain, ours, plainPages, ourPages)
		suite.compare(t, "text", cached[0], cached[1], nil)
		suite.compare(t, "page", cached[2], cached[3], owed)
	})
}

// suite is the folder of cache-tests.fyi.
type suite string

// cacheSuite finds it, or skips.
func cacheSuite(t *testing.T) suite {
	t.Helper()
	dir := os.Getenv(envCacheTests)
	_, err := exec.LookPath("node")
	if dir != "" && err == nil {
		return suite(dir)
	}
	missing(t, "the suite of cache-tests.fyi: install Node.js, unpack the npm package http-cache-tests and name its folder in "+envCacheTests)
	return ""
}

// missing skips a test, or fails it where PEOPLE_REQUIRE names "cache".
func missing(t *testing.T, what string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("PEOPLE_REQUIRE"), ","), "cache") {
		t.Fatal("needs " + what)
	}
	t.Skip("needs " + what)
}

// serve runs the suite's origin until the test ends.
func (s suite) serve(t *testing.T) string {
	t.Helper()
	address := loopback.Free(t)
	_, port, _ := strings.Cut(address, ":")
	origin := exec.Command("node", "server/server.mjs")
	origin.Dir = string(s)
	origin.Env = append(os.Environ(), "npm_config_protocol=http", "npm_config_port="+port, "npm_config_pidfile="+filepath.Join(t.TempDir(), "pid"))
	run(t, origin).answers("http://" + address)
	return address
}

// compare runs all tests on both sides. Some depend on the second they run in,
// so what differs is run again before it counts.
func (s suite) compare(t *testing.T, kind, plain, ours string, owed map[string]string) {
	t.Helper()
	var differ []string
	for range 3 {
		var without, with map[string]string
		var both errgroup.Group
		both.Go(func() (err error) { without, err = s.results(t, kind, plain, differ); return err })
		both.Go(func() (err error) { with, err = s.results(t, kind, ours, differ); return err })
		require.NoError(t, both.Wait())
		require.NotEmpty(t, without)
		require.ElementsMatch(t, slices.Collect(maps.Keys(without)), slices.Collect(maps.Keys(with)))
		differ = differ[:0]
		for id, result := range without {
			if (result == "passed") == (with[id] == "passed") {
				continue
			}
			t.Logf("%s %s: %q without us, %q with us; %s", kind, id, result, with[id], owed[id])
			if owed[id] == "" {
				differ = append(differ, id)
			}
		}
		if len(differ) == 0 {
			return
		}
	}
	assert.Empty(t, differ, "tests of the suite end otherwise with us in between")
}

// results runs the suite, or some of its tests, and says how each ended.
func (s suite) results(t *testing.T, kind, address string, only []string) (map[string]string, error) {
	command := exec.CommandContext(t.Context(), "node", append([]string{"--no-warnings", "testdata/cachesuite.mjs", string(s), "http://" + address, kind}, only...)...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("running the suite: %w: %s", err, complaint.String())
	}
	var results map[string]string
	err = json.Unmarshal(out, &results)
	return results, err
}

// nginx runs a shared cache in front of each upstream.
func nginx(t *testing.T, upstreams ...string) []string {
	t.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary = "/usr/sbin/nginx" // not on everybody's path
	}
	if _, err := os.Stat(binary); err != nil {
		missing(t, "a shared cache: install nginx-light")
	}
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString("daemon off; master_process off; pid pid; error_log stderr crit;\nevents { worker_connections 4096; }\nhttp {\naccess_log off; proxy_cache_revalidate on; proxy_http_version 1.1;\n" +
		"proxy_set_header Connection \"\"; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n")
	addresses := make([]string, 0, len(upstreams))
	for i, upstream := range upstreams {
		address := loopback.Free(t)
		addresses = append(addresses, address)
		fmt.Fprintf(&b, "proxy_cache_path cache%d keys_zone=c%d:8m;\nserver { listen %s; location / { proxy_pass http://%s; proxy_cache c%d; } }\n", i, i, address, upstream, i)
	}
	b.WriteString("}\n")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(b.String()), 0o600))
	cache := run(t, exec.Command(binary, "-p", dir, "-c", "nginx.conf", "-e", "stderr"))
	for _, address := range addresses {
		cache.answers("http://" + address)
	}
	return addresses
}
