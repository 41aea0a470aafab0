package inject

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	testVersion = "1a2b3c4d"
	testPage    = "<!doctype html><html><head><title>A page</title></head><body>Hello</body></html>"
	testMarked  = "<!doctype html><html><head>⟦⟧<title>A page</title></head><body>Hello</body></html>"
	htmlUTF8    = "text/html; charset=utf-8"
)

type nextFunc func(http.ResponseWriter, *http.Request) error

func (f nextFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) error { return f(w, r) }

// site is a server with an injector in front of a handler.
type site struct {
	*httptest.Server
	t        testing.TB
	mu       sync.Mutex
	outcomes []Outcome
	err      error // of the last request, from ServeHTTP
	running  sync.WaitGroup
}

func newSite(t testing.TB, configure func(*Config), next nextFunc) *site {
	t.Helper()
	s := &site{t: t}
	in := newInjector(t, func(c *Config) {
		c.Observe = func(o Outcome) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.outcomes = append(s.outcomes, o)
		}
		if configure != nil {
			configure(c)
		}
	})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.running.Add(1)
		defer s.running.Done()
		err := in.ServeHTTP(w, r, next)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.err = err
	}))
	t.Cleanup(s.Close)
	return s
}

func newInjector(t testing.TB, configure func(*Config)) *Injector {
	t.Helper()
	c := Config{Snippet: []byte(testScript), Version: testVersion}
	if configure != nil {
		configure(&c)
	}
	in, err := New(c)
	require.NoError(t, err)
	return in
}

// direct is the same handler without an injector.
func direct(t testing.TB, next nextFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = next(w, r) }))
	t.Cleanup(s.Close)
	return s
}

// outcome waits for the request to be over on the server's side.
func (s *site) outcome() Outcome {
	s.Close() // returns when no handler runs any more, but for hijacked connections
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(s.t, s.outcomes, 1, "every request is observed once")
	return s.outcomes[0]
}

// answer is a response read to its end.
type answer struct {
	*http.Response
	body string
	err  error // of reading the body
}

// fetch sends a request as a browser navigates, with more headers as
// "Name: value"; "-Name" removes one.
func fetch(t testing.TB, server *httptest.Server, method string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequest(method, server.URL+"/page", nil)
	require.NoError(t, err)
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	for _, h := range headers {
		if name, ok := strings.CutPrefix(h, "-"); ok {
			r.Header.Del(name)
			continue
		}
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	resp, err := server.Client().Transport.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp, string(body), err}
}

func (s *site) get(headers ...string) answer {
	s.t.Helper()
	return fetch(s.t, s.Server, http.MethodGet, headers...)
}

// page is a handler that answers with header fields, given as "Name: value",
// and a body in one write. A Status field sets the status.
func page(body string, fields ...string) nextFunc {
	return func(w http.ResponseWriter, _ *http.Request) error {
		status := http.StatusOK
		w.Header().Set("Content-Type", htmlUTF8)
		for _, field := range fields {
			name, value, _ := strings.Cut(field, ": ")
			switch name {
			case "Status":
				status = map[string]int{"204": 204, "205": 205, "206": 206, "301": 301, "302": 302, "304": 304, "400": 400, "404": 404, "500": 500}[value]
			case "-Content-Type":
				w.Header().Del("Content-Type")
			case "Content-Type":
				w.Header().Set(name, value)
			default:
				w.Header().Add(name, value)
			}
		}
		w.WriteHeader(status)
		if body == "" {
			return nil
		}
		_, err := io.WriteString(w, body)
		return err
	}
}

// with puts a script where a document is marked.
func with(marked, script string) string { return strings.Replace(marked, place, script, 1) }

// recorder is a ResponseWriter that notes every call.
type recorder struct {
	header http.Header
	calls  []string
	body   []byte
	writes int
	fail   error
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	r.calls = append(r.calls, "header "+http.StatusText(status))
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.fail != nil {
		return 0, r.fail
	}
	r.calls = append(r.calls, "write")
	r.writes++
	r.body = append(r.body, p...)
	return len(p), nil
}

func (r *recorder) FlushError() error {
	r.calls = append(r.calls, "flush")
	return nil
}

func navigation(method string) *http.Request {
	r := httptest.NewRequest(method, "http://shop.example/page", nil)
	r.Header.Set("Sec-Fetch-Dest", "document")
	return r
}
