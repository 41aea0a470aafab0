package inject

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRule04PagesLeftAloneAreConfirmed: what cannot get the script keeps its
// 304s, from the second visit on.
func TestRule04PagesLeftAloneAreConfirmed(t *testing.T) {
	const tag, other = `"abc"`, `W/"def"`
	for name, c := range map[string]struct {
		fields []string // of the response to the first visit
		first  func(*http.Request)
		later  func(*http.Request)
		want   []string // what the upstream is asked about later
	}{
		"ok/policy":           {fields: []string{"Content-Security-Policy: script-src 'none'"}, want: []string{tag}},
		"ok/unknown coding":   {fields: []string{"Content-Encoding: dcb"}, want: []string{tag}},
		"ok/one of several":   {fields: []string{"Cache-Control: no-transform"}, later: func(r *http.Request) { r.Header.Set("If-None-Match", other+", "+tag) }, want: []string{tag}},
		"ok/asked by HEAD":    {fields: []string{"Content-Disposition: attachment"}, first: func(r *http.Request) { r.Method = http.MethodHead }, want: []string{tag}},
		"fail/injected":       {want: nil},
		"fail/other tag":      {fields: []string{"Cache-Control: no-transform"}, later: func(r *http.Request) { r.Header.Set("If-None-Match", other) }},
		"fail/other address":  {fields: []string{"Cache-Control: no-transform"}, later: func(r *http.Request) { r.URL.RawQuery = "page=2" }},
		"fail/other host":     {fields: []string{"Cache-Control: no-transform"}, later: func(r *http.Request) { r.Host = "other.example" }},
		"fail/an error page":  {fields: []string{"Cache-Control: no-transform", "Status: 404"}},
		"fail/sent by a form": {fields: []string{"Cache-Control: no-transform"}, first: func(r *http.Request) { r.Method = http.MethodPost }},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInjector(t, nil)
			first := navigation("GET")
			if c.first != nil {
				c.first(first)
			}
			require.NoError(t, in.ServeHTTP(newRecorder(), first, page(testPage, append(c.fields, "Content-Type: "+htmlUTF8, "Etag: "+tag)...)))

			later := navigation("GET")
			later.Header.Set("If-None-Match", tag)
			if c.later != nil {
				c.later(later)
			}
			rec := newRecorder()
			require.NoError(t, in.ServeHTTP(rec, later, nextFunc(func(w http.ResponseWriter, r *http.Request) error {
				assert.Equal(t, c.want, r.Header["If-None-Match"])
				w.Header().Set("Etag", tag)
				w.WriteHeader(http.StatusNotModified)
				return nil
			})))
			if c.want != nil {
				assert.Equal(t, tag, rec.Header().Get("Etag"), "as the browser knows it")
				assert.Empty(t, rec.Header().Get("Vary"))
			}
		})
	}
}

// TestRule04LeftAloneIsBounded: a place serves the address that took it last.
func TestRule04LeftAloneIsBounded(t *testing.T) {
	l := newLeftAlone()
	const asked = 5000
	for n := range asked {
		r := request("GET")
		r.URL.RawQuery = fmt.Sprint(n)
		l.note(r, http.StatusOK, []string{`"a"`})
		assert.True(t, l.has(r, `"a"`))
	}
	known := 0
	for n := range asked {
		r := request("GET")
		r.URL.RawQuery = fmt.Sprint(n)
		if l.has(r, `"a"`) {
			known++
		}
	}
	assert.LessOrEqual(t, known, len(l.known))
	assert.Greater(t, known, len(l.known)/2)
}
