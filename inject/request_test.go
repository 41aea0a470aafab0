package inject

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func request(method string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "http://shop.example/page", nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestRule01And02Candidates(t *testing.T) {
	const doc, html = "Sec-Fetch-Dest: document", "Accept: text/html,*/*;q=0.8"
	for name, c := range map[string]struct {
		r    *http.Request
		want Outcome
	}{
		"ok/GET":                       {request("GET", doc), Injected},
		"ok/HEAD":                      {request("HEAD", doc), Injected},
		"ok/POST":                      {request("POST", doc), Injected},
		"ok/no headers at all":         {request("GET"), Injected},
		"ok/Accept html":               {request("GET", html), Injected},
		"ok/Accept anything":           {request("GET", "Accept: */*"), Injected},
		"ok/Accept text":               {request("GET", "Accept: image/png, text/*"), Injected},
		"ok/Accept empty":              {request("GET", "Accept: "), Injected},
		"ok/Accept second line":        {request("GET", "Accept: image/png", "Accept: TEXT/HTML"), Injected},
		"ok/prefetch":                  {request("GET", doc, "Sec-Purpose: prefetch;prerender"), Injected},
		"ok/destination beats scripts": {request("GET", doc, "X-Requested-With: XMLHttpRequest"), Injected},
		"ok/upgrade of insecure":       {request("GET", doc, "Upgrade-Insecure-Requests: 1"), Injected},
		"ok/keep-alive":                {request("GET", doc, "Connection: keep-alive"), Injected},
		"fail/CONNECT":                 {request("CONNECT", doc), SkippedMethod},
		"fail/PUT":                     {request("PUT", doc), SkippedMethod},
		"fail/OPTIONS":                 {request("OPTIONS", doc), SkippedMethod},
		"fail/WebSocket":               {request("GET", "Connection: keep-alive, Upgrade", "Upgrade: websocket", html), SkippedUpgrade},
		"fail/Upgrade alone":           {request("GET", "Upgrade: websocket", html), SkippedUpgrade},
		"fail/Connection upgrade":      {request("GET", "Connection: upgrade", doc), SkippedUpgrade},
		"fail/image":                   {request("GET", "Sec-Fetch-Dest: image", html), SkippedDestination},
		"fail/fetch":                   {request("GET", "Sec-Fetch-Dest: empty", html), SkippedDestination},
		"fail/iframe":                  {request("GET", "Sec-Fetch-Dest: iframe", html), SkippedDestination},
		"fail/Accept image":            {request("GET", "Accept: image/avif,image/webp"), SkippedAccept},
		"fail/Accept refuses":          {request("GET", "Accept: text/html;q=0, application/json"), SkippedAccept},
		"fail/Accept refuses with 0.0": {request("GET", "Accept: text/html; q=0.000"), SkippedAccept},
		"fail/Accept xhtml only":       {request("GET", "Accept: application/xhtml+xml"), SkippedAccept},
		"fail/XMLHttpRequest":          {request("GET", html, "X-Requested-With: XMLHttpRequest"), SkippedFragment},
		"fail/htmx":                    {request("GET", html, "HX-Request: true"), SkippedFragment},
		"fail/Turbo":                   {request("GET", html, "Turbo-Frame: f"), SkippedFragment},
		"fail/PJAX":                    {request("GET", html, "X-PJAX: true"), SkippedFragment},
		"fail/Inertia":                 {request("GET", html, "X-Inertia: true"), SkippedFragment},
		"fail/Unpoly":                  {request("GET", html, "X-Up-Version: 3"), SkippedFragment},
		"fail/no-transform":            {request("GET", doc, "Cache-Control: max-age=0, no-transform"), SkippedNoTransform},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInjector(t, nil)
			assert.Equal(t, c.want, in.candidate(newRecorder(), c.r))
		})
	}
}

func TestRule02Options(t *testing.T) {
	in := newInjector(t, func(c *Config) {
		c.Frames = true
		c.AppShell = []string{"/page"}
		c.XHTML = true
	})
	for header, want := range map[string]Outcome{
		"Sec-Fetch-Dest: iframe":        Injected,
		"Sec-Fetch-Dest: fencedframe":   Injected,
		"Sec-Fetch-Dest: empty":         Injected,
		"Sec-Fetch-Dest: script":        SkippedDestination,
		"Accept: application/xhtml+xml": Injected,
	} {
		assert.Equal(t, want, in.candidate(newRecorder(), request("GET", header)), header)
	}
	other := request("GET", "Sec-Fetch-Dest: empty")
	other.URL.Path = "/other"
	assert.Equal(t, SkippedDestination, in.candidate(newRecorder(), other))
	assert.Equal(t, SkippedDestination, in.candidate(newRecorder(), request("GET", "Sec-Fetch-Dest: empty", "HX-Request: true")))
}

func TestRule01BypassKeepsTheWriter(t *testing.T) {
	in := newInjector(t, nil)
	rec, r := newRecorder(), request("GET", "Sec-Fetch-Dest: image", "Accept-Encoding: br", `If-None-Match: "a-i1a2b3c4d"`)
	require.NoError(t, in.ServeHTTP(rec, r, nextFunc(func(w http.ResponseWriter, got *http.Request) error {
		assert.Same(t, rec, w)
		assert.Same(t, r, got)
		return nil
	})))
}

func TestRule01NeverWrapsTwice(t *testing.T) {
	inner := newInjector(t, nil)
	s := newSite(t, nil, func(w http.ResponseWriter, r *http.Request) error {
		return inner.ServeHTTP(unwrapper{w}, r, page(testPage))
	})
	assert.Equal(t, with(testMarked, testScript), s.get().body)
}

func TestRule01NestedLeavesNoTrace(t *testing.T) {
	inner := newInjector(t, func(c *Config) { c.Debug = true })
	rec, err := run(t, newInjector(t, nil), func(w http.ResponseWriter, r *http.Request) error {
		return inner.ServeHTTP(w, r, page("{}", "Content-Type: application/json"))
	})
	require.NoError(t, err)
	assert.Empty(t, rec.header.Get(MarkerHeader))
}

// unwrapper stands for what other handlers put around a writer.
type unwrapper struct{ http.ResponseWriter }

func (u unwrapper) Unwrap() http.ResponseWriter { return u.ResponseWriter }

func TestRule03AsksForPlainTextOnACopy(t *testing.T) {
	in := newInjector(t, nil)
	r := navigation("GET")
	r.Header.Set("Accept-Encoding", "gzip, br")
	r.Header.Set("Cookie", "a=b")
	before := r.Header.Clone()
	require.NoError(t, in.ServeHTTP(newRecorder(), r, nextFunc(func(_ http.ResponseWriter, got *http.Request) error {
		assert.Equal(t, []string{"identity"}, got.Header["Accept-Encoding"])
		assert.Equal(t, "a=b", got.Header.Get("Cookie"))
		assert.Same(t, r.URL, got.URL)
		assert.Equal(t, r.Context(), got.Context())
		return nil
	})))
	assert.Equal(t, before, r.Header, "the caller's header stays")
}

func TestRule04Validators(t *testing.T) {
	const since = "Mon, 02 Nov 2026 10:00:00 GMT" // 0x69028... see the synthetic tag below
	// What browsers say about images, and programs about everything.
	const anything = "Accept: image/avif,image/webp,*/*;q=0.8"
	in := newInjector(t, nil)
	synthetic := in.syntheticTag(since)
	require.Regexp(t, `^W/"i1a2b3c4d-[0-9a-f]+"$`, synthetic)
	for name, c := range map[string]struct {
		method string
		in     []string
		want   http.Header // the validators that are left
	}{
		"ok/strong":               {"GET", []string{`If-None-Match: "abc-i1a2b3c4d"`}, http.Header{"If-None-Match": {`"abc"`}}},
		"ok/weak":                 {"HEAD", []string{`If-None-Match: W/"abc-i1a2b3c4d"`}, http.Header{"If-None-Match": {`W/"abc"`}}},
		"ok/with date":            {"GET", []string{`If-None-Match: "abc-i1a2b3c4d"`, "If-Modified-Since: " + since}, http.Header{"If-None-Match": {`"abc"`}, "If-Modified-Since": {since}}},
		"ok/comma in the tag":     {"GET", []string{`If-None-Match: "a,b-i1a2b3c4d" , "c"`}, http.Header{"If-None-Match": {`"a,b"`}}},
		"ok/several":              {"GET", []string{`If-None-Match: "a-i1a2b3c4d","b","c-i00000000"`, `If-None-Match: W/"d-i1a2b3c4d"`}, http.Header{"If-None-Match": {`"a", W/"d"`}}},
		"ok/synthetic":            {"GET", []string{"If-None-Match: " + synthetic, "If-Modified-Since: Tue, 03 Nov 2026 10:00:00 GMT"}, http.Header{"If-Modified-Since": {since}}},
		"fail/without suffix":     {"GET", []string{`If-None-Match: "abc"`, "If-Modified-Since: " + since}, nil},
		"fail/other version":      {"GET", []string{`If-None-Match: "abc-i00000000"`}, nil},
		"fail/date alone":         {"GET", []string{"If-Modified-Since: " + since}, nil},
		"fail/star":               {"GET", []string{"If-None-Match: *"}, nil},
		"fail/no quotes":          {"GET", []string{"If-None-Match: abc , def-i1a2b3c4d"}, nil},
		"fail/synthetic, broken":  {"GET", []string{`If-None-Match: W/"i1a2b3c4d-xyz"`}, nil},
		"fail/unfinished":         {"GET", []string{`If-None-Match: "abc`}, nil},
		"ok/POST keeps its guard": {"POST", []string{"If-None-Match: *"}, http.Header{"If-None-Match": {"*"}}},
		"ok/range by tag":         {"GET", []string{`If-Range: "abc-i1a2b3c4d"`, "Range: bytes=5-"}, http.Header{"If-Range": {`"abc-i1a2b3c4d"`}, "Range": {"bytes=5-"}}},
		"ok/range":                {"GET", []string{"Range: bytes=5-"}, http.Header{"Range": {"bytes=5-"}}},
		"fail/range by date":      {"GET", []string{"If-Range: " + since, "Range: bytes=5-"}, nil},
		"ok/image":                {"GET", []string{anything, `If-None-Match: "abc"`, "If-Modified-Since: " + since}, http.Header{"If-None-Match": {`"abc"`}, "If-Modified-Since": {since}}},
		"ok/image, date alone":    {"GET", []string{anything, "If-Modified-Since: " + since}, http.Header{"If-Modified-Since": {since}}},
		"ok/film, range by date":  {"GET", []string{anything, "If-Range: " + since, "Range: bytes=5-"}, http.Header{"If-Range": {since}, "Range": {"bytes=5-"}}},
		"ok/page for anything":    {"GET", []string{anything, `If-None-Match: "c", "abc-i1a2b3c4d"`, "If-Modified-Since: " + since}, http.Header{"If-None-Match": {`"abc"`}, "If-Modified-Since": {since}}},
		"fail/document anyhow":    {"GET", []string{anything, "Sec-Fetch-Dest: document", "If-Modified-Since: " + since}, nil},
	} {
		for _, accept := range []string{"br", "identity"} {
			t.Run(name+"/"+accept, func(t *testing.T) {
				r := request(c.method, append(c.in, "Accept-Encoding: "+accept)...)
				if r.Header.Get("Accept") == "" {
					r.Header.Set("Accept", "text/html,*/*;q=0.8")
				}
				before := r.Header.Clone()
				_, out := in.wrap(newRecorder(), r)
				got := out.Header.Clone()
				assert.Equal(t, []string{"identity"}, got["Accept-Encoding"])
				assert.Equal(t, before, r.Header, "the caller's header stays")
				delete(got, "Accept-Encoding")
				delete(got, "Accept")
				delete(got, "Sec-Fetch-Dest")
				if c.want == nil {
					assert.Empty(t, got)
					return
				}
				assert.Equal(t, c.want, got)
			})
		}
	}
}

func TestRule03RequestWithoutAHeader(t *testing.T) {
	r := &http.Request{Method: http.MethodGet, URL: request("GET").URL}
	require.NoError(t, newInjector(t, nil).ServeHTTP(newRecorder(), r, nextFunc(func(_ http.ResponseWriter, got *http.Request) error {
		assert.Equal(t, http.Header{"Accept-Encoding": {"identity"}}, got.Header)
		return nil
	})))
}
