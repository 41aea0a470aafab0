package inject

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// combination is one cell of the table of P7; it travels in the query.
type combination struct {
	method, status, framing, coding, tag string
}

func (c combination) String() string {
	return fmt.Sprintf("%s %s %s %s %s", c.method, c.status, c.framing, c.coding, c.tag)
}

func (c combination) query() string {
	return url.Values{"status": {c.status}, "framing": {c.framing}, "coding": {c.coding}, "tag": {c.tag}}.Encode()
}

// origin answers as the query asks.
func origin(t *testing.T) nextFunc {
	bodies := map[string]string{"": testPage, "unknown": testPage}
	for coding := range compressors {
		bodies[coding] = compress(t, coding, testPage)
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		q := r.URL.Query()
		h := w.Header()
		h.Set("Content-Type", htmlUTF8)
		h.Set("Cache-Control", "max-age=0")
		h.Set("Vary", "Accept-Encoding")
		if coding := q.Get("coding"); coding != "" {
			h.Set("Content-Encoding", coding)
		}
		if tag := q.Get("tag"); tag != "" {
			h.Set("Etag", tag)
		}
		status := q.Get("status")
		if status == "103+200" {
			h.Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			status = "200"
		}
		if status == "206" {
			h.Set("Content-Range", "bytes 0-78/999")
		}
		code, err := strconv.Atoi(status)
		if err != nil {
			return err
		}
		body := bodies[q.Get("coding")]
		if code == http.StatusNoContent || code == http.StatusNotModified {
			body = ""
		} else if q.Get("framing") != "chunked" {
			h.Set("Content-Length", strconv.Itoa(len(body)))
		}
		w.WriteHeader(code)
		if r.Method == http.MethodHead || body == "" {
			return nil
		}
		half := len(body) / 2
		if _, err := io.WriteString(w, body[:half]); err != nil {
			return err
		}
		if q.Get("framing") == "chunked" {
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
		}
		_, err = io.WriteString(w, body[half:])
		return err
	}
}

// TestP7HTTP compares every combination of method, status, framing, coding and
// entity tag with the origin itself.
func TestP7HTTP(t *testing.T) {
	in := newInjector(t, nil)
	next := origin(t)
	through := func(w http.ResponseWriter, r *http.Request) { _ = in.ServeHTTP(w, r, next) }
	straight := func(w http.ResponseWriter, r *http.Request) { _ = next(w, r) }
	servers := map[string][2]*httptest.Server{
		"length": {startServer(t, false, through), startServer(t, false, straight)},
		"h2":     {startServer(t, true, through), startServer(t, true, straight)},
	}
	servers["chunked"] = servers["length"]
	for _, method := range []string{"GET", "HEAD", "POST"} {
		for _, status := range []string{"200", "206", "304", "204", "404", "103+200"} {
			for _, framing := range []string{"length", "chunked", "h2"} {
				for _, coding := range []string{"", "gzip", "deflate", "zstd", "br", "unknown"} {
					for _, tag := range []string{"", `"v1"`, `W/"v1"`} {
						c := combination{method, status, framing, coding, tag}
						got := ask(t, servers[framing][0], c)
						want := ask(t, servers[framing][1], c)
						requireP7(t, c, got, want)
					}
				}
			}
		}
	}
}

func startServer(t *testing.T, h2 bool, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	if s.EnableHTTP2 = h2; h2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func ask(t *testing.T, s *httptest.Server, c combination) answer {
	t.Helper()
	r, err := http.NewRequest(c.method, s.URL+"/?"+c.query(), nil)
	require.NoError(t, err)
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Accept-Encoding", "gzip, zstd, br")
	resp, err := s.Client().Transport.RoundTrip(r)
	require.NoError(t, err, c)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err, c)
	resp.Header.Del("Date")
	return answer{resp, string(body), nil}
}

func requireP7(t *testing.T, c combination, got, want answer) {
	t.Helper()
	require.Equal(t, want.StatusCode, got.StatusCode, c)
	if c.coding == "unknown" || c.status == "206" || c.status == "304" || c.status == "204" {
		require.Equal(t, want.Header, got.Header, c)
		require.Equal(t, want.body, got.body, c)
		require.Equal(t, want.ContentLength, got.ContentLength, c)
		return
	}
	expected := want.Header.Clone()
	expected.Set(MarkerHeader, "injected")
	expected.Del("Content-Encoding")
	expected.Del("Content-Length")
	if c.method != "POST" {
		expected.Set("Vary", expected.Get("Vary")+", Sec-Fetch-Dest")
	}
	if c.tag != "" {
		expected.Set("Etag", strings.TrimSuffix(c.tag, `"`)+`-i1a2b3c4d"`)
	}
	length := int64(-1)
	if c.method == "HEAD" {
		require.Empty(t, got.body, c)
	} else {
		require.Equal(t, with(testMarked, testScript), got.body, c)
		if c.coding == "" && c.framing != "chunked" {
			length = int64(len(got.body))
			require.Equal(t, strconv.FormatInt(length, 10), got.Header.Get("Content-Length"), c)
		} else if v := got.Header.Get("Content-Length"); v != "" {
			// net/http counts a short body by itself.
			length = int64(len(got.body))
		}
	}
	require.Equal(t, length, got.ContentLength, c)
	got.Header.Del("Content-Length")
	require.Equal(t, expected, got.Header, c)
}

// TestRule21SkippedResponsesKeepTheirStream: what is not a page is passed on
// write by write and flush by flush.
func TestRule21SkippedResponsesKeepTheirStream(t *testing.T) {
	next := func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/json")
		for range 3 {
			_, _ = io.WriteString(w, `{"html":"<head>"}`)
			_ = http.NewResponseController(w).Flush()
		}
		return nil
	}
	rec, err := run(t, newInjector(t, nil), next)
	require.NoError(t, err)
	plain := newRecorder()
	require.NoError(t, next(plain, nil))
	assert.Equal(t, append([]string{"header OK"}, plain.calls...), rec.calls)
	assert.Equal(t, plain.body, rec.body)
}
