package sdk

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// most is what the bundle may cost a visitor, compressed.
const most = 4096

func TestSizeOfTheBundle(t *testing.T) {
	size := len(Plain().compressed())
	t.Logf("%d bytes, %d compressed", len(Plain().Script()), size)
	assert.LessOrEqual(t, size, most)
}

func TestTheBundleIsASCII(t *testing.T) {
	for i, b := range Plain().Script() {
		require.Less(t, b, byte(0x80), "byte %d", i)
	}
}

func TestTheBundleIsThatOfTheSources(t *testing.T) {
	folder := t.TempDir() + "/sdk"
	require.NoError(t, os.CopyFS(folder+"/src", os.DirFS("src")))
	require.NoError(t, os.Mkdir(folder+"/dist", 0o755))
	require.NoError(t, os.Mkdir(folder+"/npm", 0o755))
	require.NoError(t, os.WriteFile(folder+"/people-tracking-sdk.d.ts", nil, 0o644))
	require.NoError(t, os.WriteFile(folder+"/../LICENSE", nil, 0o644))
	program := folder + "/generate"
	output, err := exec.Command("go", "build", "-o", program, "./generate").CombinedOutput()
	require.NoError(t, err, string(output))
	// In another folder: the path must not get into the bundle.
	command := exec.Command(program)
	command.Dir = folder
	output, err = command.CombinedOutput()
	require.NoError(t, err, string(output))
	got, err := os.ReadFile(folder + "/dist/sdk.js")
	require.NoError(t, err)
	assert.Equal(t, string(Plain().Script()), string(got), "run go generate ./sdk")
}

func TestHash(t *testing.T) {
	assert.Regexp(t, "^[0-9a-f]{16}$", Plain().Hash())
	assert.Regexp(t, "^sha384-[A-Za-z0-9+/]{64}$", Plain().Integrity())
	assert.NotEqual(t, hashOf("a"), hashOf("b"))
	// echo -n | openssl dgst -sha384 -binary | base64
	assert.Equal(t, "sha384-OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/529l+9Ua0vFImLlb", integrityOf(""))
	script := Plain().Script()
	script[0] = 'x'
	assert.NotEqual(t, script, Plain().Script(), "the copy is the caller's")
}

func TestTag(t *testing.T) {
	src := func(base string) string { return `<script src="` + base + `/v1/sdk.js?v=` + Plain().Hash() + `"` }
	for _, c := range []struct {
		name string
		o    TagOptions
		want string
	}{
		{"ok/bare", TagOptions{Base: "/_people"}, src("/_people") + `></script>`},
		{"ok/automatic", TagOptions{Base: "/_people", AutoInit: true, Key: "auto"}, src("/_people") + ` data-key="auto"></script>`},
		{"ok/a key without use is left out", TagOptions{Base: "/_people", Key: "auto"}, src("/_people") + `></script>`},
		{"ok/prefix", TagOptions{Base: "/shop/_people/"}, src("/shop/_people") + `></script>`},
		{"ok/async", TagOptions{Base: "/_people", Async: true}, src("/_people") + ` async=""></script>`},
		{"ok/views", TagOptions{Base: "/_people", PageViews: PageViewsInit}, src("/_people") + `></script>`},
		{"ok/navigation", TagOptions{Base: "/_people", PageViews: PageViewsNavigation}, src("/_people") + ` data-views="navigation"></script>`},
		{"ok/signals", TagOptions{Base: "/_people", Signals: []string{SignalCalls, SignalMessages}}, src("/_people") + ` data-signals="calls messages"></script>`},
		{"ok/no signals", TagOptions{Base: "/_people", Signals: []string{}}, src("/_people") + ` data-signals=""></script>`},
		{"ok/origins", TagOptions{Base: "/_people", WidgetOrigins: []string{"https://chat.example.com", "https://b.example:8443"}}, src("/_people") + ` data-widget-origins="https://chat.example.com https://b.example:8443"></script>`},
		{"ok/consent", TagOptions{Base: "/_people", ConsentRequired: true}, src("/_people") + ` data-consent="required"></script>`},
		{"ok/consent cookie", TagOptions{Base: "/_people", ConsentCookie: "cmp=a=1"}, src("/_people") + ` data-consent-cookie="cmp=a=1"></script>`},
		{
			"ok/escaped",
			TagOptions{Base: `/"><script>alert('1')&amp;</script>`, AutoInit: true, Key: `"'<&>`},
			src("/&#34;&gt;&lt;script&gt;alert(&#39;1&#39;)&amp;amp;&lt;/script&gt;") + ` data-key="&#34;&#39;&lt;&amp;&gt;"></script>`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Plain().Tag(c.o)
			require.NoError(t, err)
			assert.Equal(t, c.want, string(got))
		})
	}
	for name, o := range map[string]TagOptions{
		"fail/no base":        {},
		"fail/relative":       {Base: "people"},
		"fail/another host":   {Base: "//evil.example"},
		"fail/backslash":      {Base: `/\evil.example`},
		"fail/query":          {Base: "/a?b"},
		"fail/line":           {Base: "/a\nb"},
		"fail/not ASCII":      {Base: "/é"},
		"fail/no key":         {Base: "/_people", AutoInit: true},
		"fail/key with space": {Base: "/_people", AutoInit: true, Key: "a b"},
		"fail/views":          {Base: "/_people", PageViews: "all"},
		"fail/signal":         {Base: "/_people", Signals: []string{"focus"}},
		"fail/origin path":    {Base: "/_people", WidgetOrigins: []string{"https://chat.example.com/"}},
		"fail/consent cookie": {Base: "/_people", ConsentCookie: "a b=c"},
		"fail/consent value":  {Base: "/_people", ConsentCookie: "a=b;c"},
		"fail/origin":         {Base: "/_people", WidgetOrigins: []string{"chat.example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Plain().Tag(o)
			require.Error(t, err)
			if o.Key != "" {
				assert.NotContains(t, err.Error(), o.Key)
			}
		})
	}
}

func FuzzTag(f *testing.F) {
	f.Add("/_people", "auto", "https://chat.example.com")
	f.Add(`/"><script>`, `"'`, "https://a\"b")
	f.Fuzz(func(t *testing.T, base, key, origin string) {
		got, err := Plain().Tag(TagOptions{Base: base, Key: key, AutoInit: true, WidgetOrigins: []string{origin}})
		if err != nil {
			return
		}
		tag := string(got)
		for _, r := range tag {
			require.True(t, ' ' <= r && r <= '~', "one line of ASCII: %q", tag)
		}
		assert.Equal(t, 6, strings.Count(tag, `"`), tag)
		assert.Equal(t, 2, strings.Count(tag, "<"), tag)
		assert.Equal(t, 2, strings.Count(tag, ">"), tag)
	})
}

func TestHandler(t *testing.T) {
	get := func(method, target string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		Plain().ServeHTTP(w, r)
		assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		return w
	}
	const year, minutes = "public, max-age=31536000, immutable", "public, max-age=300"

	for target, cache := range map[string]string{
		"/v1/sdk.js?v=" + Plain().Hash(): year,
		"/v1/sdk.js":                     minutes,
		"/v1/sdk.js?v=old":               minutes,
		"/v1/sdk.js?v=":                  minutes,
		"/prefix/sdk.js?%zz":             minutes,
	} {
		w := get(http.MethodGet, target)
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Equal(t, cache, w.Header().Get("Cache-Control"), target)
		assert.Equal(t, "text/javascript; charset=utf-8", w.Header().Get("Content-Type"))
		assert.Equal(t, "Accept-Encoding", w.Header().Get("Vary"))
		assert.Empty(t, w.Header().Get("Content-Encoding"))
		assert.Equal(t, string(Plain().Script()), w.Body.String())
	}

	for accept, zipped := range map[string]bool{
		"gzip": true, "br, GZIP;q=0.5": true, "*": true, "gzip;q=0": false, "gzip;q=0, *": false, "identity": false,
		"": false, "*;q=0": false, "x-gzip": true, "gzip;q=x": false, "gzipped": false,
	} {
		w := get(http.MethodGet, "/", "Accept-Encoding", accept)
		assert.Equal(t, zipped, w.Header().Get("Content-Encoding") == "gzip", accept)
		body := io.Reader(w.Body)
		if zipped {
			reader, err := gzip.NewReader(w.Body)
			require.NoError(t, err)
			body = reader
		}
		content, err := io.ReadAll(body)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(Plain().Script(), content), accept)
	}

	w := get(http.MethodGet, "/")
	etag := w.Header().Get("ETag")
	zipped := get(http.MethodGet, "/", "Accept-Encoding", "gzip").Header().Get("ETag")
	assert.NotEqual(t, etag, zipped, "two representations, two tags")
	for _, value := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
		w := get(http.MethodGet, "/", "If-None-Match", value)
		assert.Equal(t, http.StatusNotModified, w.Code, value)
		assert.Empty(t, w.Body.String())
		assert.Equal(t, etag, w.Header().Get("ETag"))
	}
	assert.Equal(t, http.StatusOK, get(http.MethodGet, "/", "If-None-Match", zipped).Code)

	w = get(http.MethodHead, "/")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Empty(t, w.Body.String())
	assert.NotEmpty(t, w.Header().Get("Content-Length"))

	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		w := get(method, "/")
		assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
		assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
	}
}
