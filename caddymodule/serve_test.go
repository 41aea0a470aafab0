package caddymodule

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// P8: file_server hands its file to ReadFrom where there is one.
func TestP8PagesOfFileServer(t *testing.T) {
	c := newInstance(t)
	root := filepath.Join(c.dir, "root")
	writeFile(t, root, "index.html", page)
	writeFile(t, root, "style.css", "head { color: red }")
	require.NoError(t, c.load("", "{site} {\nroot "+root+"\npeople_tracking\nfile_server\n}"))
	got := c.get("/")
	assert.Equal(t, 1, scripts(got.body))
	assert.Equal(t, fmt.Sprint(len(got.body)), got.header.Get("Content-Length"))
	assert.Equal(t, "head { color: red }", c.get("/style.css").body)
}

// P9: what is flushed arrives, and a connection can be taken over.
func TestP9FlushAndUpgrade(t *testing.T) {
	c := newInstance(t)
	proceed := make(chan struct{})
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/socket" {
			connection, _, err := http.NewResponseController(w).Hijack()
			if !assert.NoError(t, err) {
				return
			}
			defer connection.Close()
			io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html><html><head><title>")
		http.NewResponseController(w).Flush()
		<-proceed
		io.WriteString(w, "Slow</title></head></html>")
	})
	require.NoError(t, c.load("", "{site} {\nencode\npeople_tracking\nreverse_proxy "+origin+" {\nflush_interval -1\n}\n}"))

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.site+"/", nil)
	require.NoError(t, err)
	request.Header.Set("Accept", "text/html")
	response, err := (&http.Transport{DisableCompression: true}).RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	reader := bufio.NewReader(response.Body)
	early, err := reader.ReadString('>') // before the upstream goes on
	require.NoError(t, err)
	assert.Equal(t, "<!doctype html>", early)
	for !strings.Contains(early, "</script>") {
		more, err := reader.ReadString('>')
		require.NoError(t, err)
		early += more
	}
	close(proceed)
	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	assert.Contains(t, string(rest), "Slow</title>")

	connection, err := net.Dial("tcp", c.site)
	require.NoError(t, err)
	defer connection.Close()
	fmt.Fprintf(connection, "GET /socket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", c.site)
	upgraded := bufio.NewReader(connection)
	head, err := http.ReadResponse(upgraded, nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusSwitchingProtocols, head.StatusCode)
	greeting := make([]byte, 5)
	_, err = io.ReadFull(upgraded, greeting)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(greeting))
}

// P10: an upstream that compresses when asked, behind encode.
func TestP10CompressedUpstream(t *testing.T) {
	c := newInstance(t)
	long := strings.Replace(page, "Hello", strings.Repeat("Hello ", 500), 1)
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			io.WriteString(w, long)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		io.WriteString(zip, long)
		zip.Close()
	})
	require.NoError(t, c.load("", "{site} {\nencode gzip\npeople_tracking\nreverse_proxy "+origin+"\n}"))
	got := c.get("/", "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", got.header.Get("Content-Encoding"))
	unzip, err := gzip.NewReader(strings.NewReader(got.body))
	require.NoError(t, err)
	plain, err := io.ReadAll(unzip)
	require.NoError(t, err)
	assert.Equal(t, 1, scripts(string(plain)))
	assert.Equal(t, 1, scripts(c.get("/").body))
}

// P11: the place of the directive does not depend on where it is written.
func TestP11Order(t *testing.T) {
	c := newInstance(t)
	config := string(c.adapt("", `{site} {
	reverse_proxy 127.0.0.1:1
	templates
	people_tracking
	encode
	handle /x/* {
		respond x
	}
}`))
	last := -1
	for _, handler := range []string{`"handler":"encode"`, `"handler":"people_tracking"`, `"handler":"templates"`, `"handler":"static_response"`, `"handler":"reverse_proxy"`} {
		at := strings.Index(config, handler)
		assert.Greater(t, at, last, "%s comes after its predecessor", handler)
		last = at
	}
}

// P12: calls arrive although a rewrite takes every path for its own.
func TestP12CallsBehindRewrites(t *testing.T) {
	c := newInstance(t)
	root := filepath.Join(c.dir, "root")
	writeFile(t, root, "index.html", page)
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}",
		"{site} {\nroot "+root+"\ntry_files {path} /index.html\npeople_tracking\nfile_server\n}"))
	c.tracks()
	assert.Contains(t, c.get("/_people/v1/sdk.js").body, "PeopleTrackingSDK")
	got := c.get("/some/route")
	assert.Equal(t, 1, scripts(got.body))
	assert.Contains(t, got.body, `src="/_people/v1/sdk.js?v=`, "the rewrite is no prefix")
	assert.Contains(t, c.get("/deep/index.html").body, `src="/_people/v1/sdk.js?v=`, "nor is one that only looks like it")
	assert.Equal(t, http.StatusNotFound, c.get("/_people/v1/nothing").status)
	assert.Equal(t, http.StatusOK, c.get("/_peoples").status, "another path of the site")
}

// B28: with nothing configured, pages carry the key auto and it works.
func TestB28BareDirective(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("", c.siteOf(upstream(t, nil))))
	assert.Contains(t, c.get("/").body, `data-key="auto"`)
	c.tracks()
	foreign := c.call("/_people", "auto", "Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site")
	assert.Equal(t, http.StatusForbidden, foreign.status)
}

func TestB28KeyOfThePages(t *testing.T) {
	const tracking = "api_key both web:tracking:sdk people:read\napi_key only web:tracking:sdk\napi_key reader people:read"
	tests := map[string]struct{ keys, option, key, err string }{
		"ok/the first with one scope":   {keys: tracking, key: "only"},
		"ok/named":                      {keys: tracking, option: "api_key both", key: "both"},
		"ok/placeholder":                {keys: "api_key {env.PEOPLE_TEST_KEY} web:tracking:sdk", key: "from-env"},
		"ok/only readers":               {keys: "api_key reader people:read", key: "auto"},
		"fail/none with one scope":      {keys: "api_key both web:tracking:sdk people:read", err: "every key that may track may do more"},
		"fail/unknown":                  {keys: tracking, option: "api_key other", err: "none of those"},
		"fail/without the scope":        {keys: tracking, option: "api_key reader", err: "lacks the scope"},
		"fail/empty placeholder":        {keys: "api_key {env.PEOPLE_TEST_NONE} web:tracking:sdk", err: "empty"},
		"fail/the name of the free key": {keys: "api_key {env.PEOPLE_TEST_AUTO} web:tracking:sdk", err: "choose another"},
	}
	t.Setenv("PEOPLE_TEST_KEY", "from-env")
	t.Setenv("PEOPLE_TEST_AUTO", "auto")
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newInstance(t)
			err := c.load("people_tracking {\n"+test.keys+"\n}", "{site} {\npeople_tracking {\n"+test.option+"\n}\nreverse_proxy "+upstream(t, nil)+"\n}")
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Contains(t, c.get("/").body, `data-key="`+test.key+`"`)
			assert.Equal(t, http.StatusOK, c.call("/_people", test.key).status)
			assert.Equal(t, http.StatusUnauthorized, c.call("/_people", "wrong").status)
		})
	}
}

// B37: forwarding headers count from trusted proxies only.
func TestB37OriginBehindAProxy(t *testing.T) {
	forwarded := []string{"Origin", "https://shop.example", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example"}
	for name, test := range map[string]struct {
		global string
		want   int
	}{
		"ok/trusted":     {global: "servers {\ntrusted_proxies static 127.0.0.1/32\n}", want: http.StatusOK},
		"fail/untrusted": {want: http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			c := newInstance(t)
			require.NoError(t, c.load(test.global, c.siteOf(upstream(t, nil))))
			got := c.call("/_people", "auto", forwarded...)
			assert.Equal(t, test.want, got.status)
			if test.want == http.StatusOK {
				assert.Contains(t, got.header.Get("Set-Cookie"), "__Secure-people=")
			}
		})
	}
}

func TestInjectOff(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("", "{site} {\npeople_tracking {\ninject off\n}\nreverse_proxy "+upstream(t, nil)+"\n}"))
	assert.Equal(t, page, c.get("/").body)
	c.tracks()
}

func TestConsoleLetsInWhoIsNamed(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("people_tracking {\napi_key reader people:read\n}", `{site} {
	handle_path /people/* {
		@operator header X-Operator *
		vars @operator operator {header.X-Operator}
		people_console {
			authenticated_by {vars.operator}
		}
	}
	people_console
}`))
	assert.Equal(t, http.StatusUnauthorized, c.get("/").status)
	assert.Equal(t, http.StatusUnauthorized, c.get("/", "X-Operator", "ana").status, "only where it is configured")
	assert.Equal(t, http.StatusUnauthorized, c.get("/people/").status)
	got := c.get("/people/", "X-Operator", "ana")
	assert.Equal(t, http.StatusOK, got.status, got.body)
	assert.Contains(t, got.body, `"/people/`, "links carry the prefix")
	got = c.get("/api/persons", "Authorization", "App reader")
	assert.Equal(t, http.StatusOK, got.status)
	assert.Equal(t, http.StatusUnauthorized, c.get("/api/persons", "Authorization", "App wrong").status)
}

// A console below a site whose pages are tracked is none of them: its titles
// are names of people.
func TestConsolePagesAreNotTracked(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("", `{site} {
	people_tracking
	handle_path /people/* {
		people_console {
			authenticated_by {http.request.header.X-Operator}
		}
	}
	reverse_proxy `+upstream(t, nil)+`
}`))
	for _, path := range []string{"/people/", "/people/live", "/people/persons/none"} {
		for _, operator := range []string{"ana", ""} {
			got := c.get(path, "X-Operator", operator)
			assert.Contains(t, got.body, "<html", path)
			assert.Zero(t, scripts(got.body), path)
		}
	}
	assert.Equal(t, 1, scripts(c.get("/").body))
}

func TestConsoleThatNobodySignsInTo(t *testing.T) {
	log := new(recorder)
	who := operator("{http.auth.user.id}", slog.New(log))
	ask := func(set func(*caddy.Replacer)) string {
		repl := caddy.NewEmptyReplacer()
		set(repl)
		r, err := http.NewRequestWithContext(context.WithValue(t.Context(), caddy.ReplacerCtxKey, repl), http.MethodGet, "/", nil)
		require.NoError(t, err)
		return who(r)
	}
	assert.Equal(t, "ana", ask(func(r *caddy.Replacer) { r.Set("http.auth.user.id", "ana") }))
	assert.Empty(t, log.said)
	for range 2 {
		assert.Empty(t, ask(func(*caddy.Replacer) {}))
	}
	require.Len(t, log.said, 1)
	assert.Contains(t, log.said[0], "basic_auth")
}
