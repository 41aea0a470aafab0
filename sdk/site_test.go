package sdk

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

const (
	widgetID = "85ea1938-f457-496d-8532-8fa489beea63"
	// patience bounds every wait of these tests; it is no expectation.
	patience = 10 * time.Second
)

// stub is a loader in the usual shape: calls wait in .q until the real script
// replaces the function.
const stub = `<script>(function(w,n){w[n]=w[n]||function(){(w[n].q=w[n].q||[]).push(arguments)};w[n].t=1*new Date})(window,'liveChat');
liveChat('init','` + widgetID + `')</script>`

var browser = browsertest.NewBrowser()

func TestMain(m *testing.M) {
	code := m.Run()
	browser.Close()
	os.Exit(code)
}

// call is a call as the collector receives it.
type call struct {
	ID     string          `json:"id"`
	At     time.Time       `json:"at"`
	Epoch  string          `json:"epoch"`
	Page   *int            `json:"page"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

type pageBlock struct {
	URL             string `json:"url"`
	Title           string `json:"title"`
	Referrer        string `json:"referrer"`
	Language        string `json:"language"`
	WebsiteLanguage string `json:"websiteLanguage"`
}

type batch struct {
	APIKey string      `json:"apiKey"`
	SentAt time.Time   `json:"sentAt"`
	Boot   string      `json:"boot"`
	Pages  []pageBlock `json:"pages"`
	Calls  []call      `json:"calls"`

	cookie bool   // the device cookie came along
	media  string // content type
	bytes  int
}

// site plays the website and the collector of one test.
type site struct {
	*httptest.Server
	t      testing.TB
	bundle *Bundle

	mu        sync.Mutex
	pages     map[string]string
	headers   http.Header
	batches   []batch
	result    func(call) any                                            // the result of a call; nil: success
	intercept func(w http.ResponseWriter, b batch, nth int) (done bool) // before the answer; nth from 0
	epoch     string
}

func newSite(t testing.TB) *site {
	s := &site{t: t, bundle: Plain(), pages: map[string]string{}, headers: http.Header{}, epoch: "e1"}
	mux := http.NewServeMux()
	mux.Handle("/_people/v1/sdk.js", http.HandlerFunc(s.script))
	mux.HandleFunc("POST /_people/v1/batch", s.collect)
	mux.HandleFunc("POST /_people/v2/batch", s.collect)
	mux.HandleFunc("/", s.page)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// add serves a page: the tag first in its head, as the injector puts it.
func (s *site) add(path string, o TagOptions, head string) {
	if o.Base == "" {
		o.Base = "/_people"
	}
	tag, err := s.bundle.Tag(o)
	require.NoError(s.t, err)
	s.raw(path, `<!doctype html><html lang="en"><head>`+string(tag)+`<title>Shop</title>`+head+`</head><body>Hello</body></html>`)
}

func (s *site) raw(path, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = content
}

func (s *site) page(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, found := s.pages[r.URL.Path]
	switch {
	case r.URL.Path == "/favicon.ico":
		w.WriteHeader(http.StatusNoContent)
		return
	case !found:
		w.WriteHeader(http.StatusNotFound)
		return
	case strings.HasSuffix(r.URL.Path, ".js"):
		w.Header().Set("Content-Type", "text/javascript")
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for name, values := range s.headers {
			w.Header()[name] = values
		}
	}
	_, _ = io.WriteString(w, content)
}

func (s *site) script(w http.ResponseWriter, r *http.Request) { s.bundle.ServeHTTP(w, r) }

func (s *site) collect(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	b := batch{media: r.Header.Get("Content-Type"), bytes: len(body)}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil {
		s.t.Errorf("the SDK sent a malformed request: %v\n%s", err, body)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, err = r.Cookie("_people")
	b.cookie = err == nil
	if len(b.Calls) == 0 || len(b.Calls) > 64 || len(body) > 65536 {
		s.t.Errorf("the SDK sent %d calls in %d bytes", len(b.Calls), len(body))
	}

	s.mu.Lock()
	nth := len(s.batches)
	s.batches = append(s.batches, b)
	intercept, result, epoch := s.intercept, s.result, s.epoch
	s.mu.Unlock()
	if intercept != nil && intercept(w, b, nth) {
		return
	}
	answer(w, b, epoch, result)
}

// answer is what a collector says when nothing is wrong.
func answer(w http.ResponseWriter, b batch, epoch string, result func(call) any) {
	results := make([]any, len(b.Calls))
	for i, c := range b.Calls {
		results[i] = map[string]any{"id": c.ID, "success": true, "data": nil}
		if result == nil {
			continue
		}
		if given := result(c); given != nil {
			results[i] = given
		}
	}
	http.SetCookie(w, &http.Cookie{Name: "_people", Value: "d", Path: "/_people", HttpOnly: true})
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"epoch": epoch, "results": results})
}

// refusal is an error result as the collector words it.
func refusal(c call, code int, name, message string) any {
	return map[string]any{"id": c.ID, "success": false, "error": map[string]any{
		"code": code, "name": name, "message": message, "origin": "people-tracking", "platform": "fe-snippet",
	}}
}

func (s *site) received() []batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.batches)
}

// calls lists each call once, in the order of first arrival, as
// "method params".
func (s *site) calls() []string {
	var list []string
	seen := map[string]bool{}
	for _, b := range s.received() {
		for _, c := range b.Calls {
			if !seen[c.ID] {
				seen[c.ID] = true
				list = append(list, strings.TrimSuffix(c.Method+" "+string(c.Params), " {}"))
			}
		}
	}
	return list
}

// waitFor waits until the calls are exactly these.
func (s *site) waitFor(want ...string) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for !slices.Equal(s.calls(), want) {
		if time.Now().After(deadline) {
			require.Equal(s.t, want, s.calls())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// hold lets no request be answered until release is called, or the test ends.
func (s *site) hold() (release func()) {
	wait := make(chan struct{})
	release = sync.OnceFunc(func() { close(wait) })
	s.t.Cleanup(release)
	s.onRequest(func(http.ResponseWriter, batch, int) bool { <-wait; return false })
	return release
}

// waitForChats waits until the chat calls are exactly these, in this order.
func (s *site) waitForChats(want ...string) {
	s.t.Helper()
	chats := func() []string {
		return slices.DeleteFunc(s.calls(), func(c string) bool { return !strings.HasPrefix(c, "chat ") })
	}
	s.until(strings.Join(want, ", "), func([]batch) bool { return slices.Equal(chats(), want) })
}

// until waits for a condition on what was received.
func (s *site) until(what string, condition func([]batch) bool) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for !condition(s.received()) {
		if time.Now().After(deadline) {
			require.Fail(s.t, "not received: "+what, "%v", s.calls())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *site) onRequest(f func(w http.ResponseWriter, b batch, nth int) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

func (s *site) onCall(f func(call) any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result = f
}

func chatCall(state, token string) string {
	if token != "" {
		return fmt.Sprintf(`chat {"state":%q,"widgetId":%q,"token":%q}`, state, widgetID, token)
	}
	return fmt.Sprintf(`chat {"state":%q,"widgetId":%q}`, state, widgetID)
}

// tab is a page of the browser with its console watched.
type tab struct {
	*browsertest.Complaints
	t    *testing.T
	site *site
	ctx  ctx
}

func (s *site) tab(t *testing.T) *tab { return s.in(t, browser.Page(t)) }

func (s *site) in(t *testing.T, c ctx) *tab {
	return &tab{browsertest.Watch(t, c), t, s, c}
}

// sibling opens another tab in the same profile.
func (p *tab) sibling() *tab { return p.site.in(p.t, browsertest.Tab(p.t, p.ctx)) }

func (p *tab) open(path string) *tab {
	p.t.Helper()
	browsertest.Do(p.t, p.ctx, chromedp.Navigate(p.site.URL+path))
	return p
}

// eval runs a script, waits for its promise and returns the result as JSON.
func (p *tab) eval(script string) string {
	p.t.Helper()
	return browsertest.Eval(p.t, p.ctx, "(async()=>{"+script+"})()")
}

// until waits for a condition in the page, also across navigations.
func (p *tab) until(condition string) {
	p.t.Helper()
	browsertest.Until(p.t, p.ctx, condition)
}

// clean fails the test when the page complained about anything.
func (p *tab) clean() {
	p.t.Helper()
	require.Empty(p.t, p.All(), "the page's console stays empty")
}
