package collector

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

var testTime = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

const (
	trackingKey = "725f7a11b2c344d586e755b9"
	wideKey     = "9e1d7a11b2c344d586e70000"
	readKey     = "11117a11b2c344d586e71111"
	oneCall     = `{"apiKey":"` + trackingKey + `","sentAt":"2026-11-22T10:00:00.000Z","boot":"0123456789abcdef0123456789abcdef",` +
		`"pages":[{"url":"https://shop.example/p?id=7","title":"Shoes","referrer":"https://search.example/","language":"en-GB","websiteLanguage":"en"}],` +
		`"calls":[{"id":"k3v9x2ab-1","at":"2026-11-22T09:59:59.120Z","page":0,"method":"track","params":{"eventId":"action","properties":{"name":"Button clicked"}}}]}`
)

// fakeTracker answers every call with success, or what answer says.
type fakeTracker struct {
	mu       sync.Mutex
	requests []*tracker.Request
	answer   func(*tracker.Request) (*tracker.Response, error)
}

func (f *fakeTracker) Batch(_ context.Context, req *tracker.Request) (*tracker.Response, error) {
	f.mu.Lock()
	f.requests = append(f.requests, req)
	f.mu.Unlock()
	if f.answer != nil {
		return f.answer(req)
	}
	return succeed(req), nil
}

func succeed(req *tracker.Request) *tracker.Response {
	res := &tracker.Response{Epoch: "e1", Results: make([]tracker.Result, len(req.Calls))}
	for i, call := range req.Calls {
		res.Results[i].ID = call.ID
	}
	return res
}

// newHandler returns a handler for https://shop.example/_people on a fake
// tracker and a clock that stands still.
func newHandler(t testing.TB, change func(*Config)) (*Handler, *fakeTracker) {
	t.Helper()
	keys, err := tracker.NewKeys(
		tracker.Key{Value: trackingKey, Scopes: []string{tracker.ScopeTracking}},
		tracker.Key{Value: wideKey, Scopes: []string{tracker.ScopeTracking, tracker.ScopeManage}},
		tracker.Key{Value: readKey, Scopes: []string{tracker.ScopeRead}},
	)
	require.NoError(t, err)
	fake := &fakeTracker{}
	cfg := Config{
		Tracker: fake, Keys: keys,
		Site:  func(*http.Request) Site { return Site{Scheme: "https", Host: "shop.example", Base: "/_people"} },
		Now:   func() time.Time { return testTime },
		NewID: func() string { return "request-1" },
	}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	require.NoError(t, err)
	return h, fake
}

// post is a request as the SDK's fetch makes it.
func post(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://shop.example/_people/v1/batch", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", "https://shop.example")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func serve(h *Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// answer is every shape the collector answers in.
type answer struct {
	Epoch   *string `json:"epoch"`
	Results []struct {
		ID      string       `json:"id"`
		Success bool         `json:"success"`
		Data    *answerData  `json:"data"`
		Error   *answerError `json:"error"`
	} `json:"results"`
	Success *bool        `json:"success"`
	Error   *answerError `json:"error"`
}

type answerData struct {
	Warnings []tracker.Warning `json:"warnings"`
}

type answerError struct {
	Code     int    `json:"code"`
	Name     string `json:"name"`
	Message  string `json:"message"`
	Origin   string `json:"origin"`
	Platform string `json:"platform"`
}

// parse checks what holds for every answer and returns it.
func parse(t testing.TB, w *httptest.ResponseRecorder) answer {
	t.Helper()
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var a answer
	dec := json.NewDecoder(strings.NewReader(w.Body.String()))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&a), w.Body.String())
	require.False(t, dec.More())
	return a
}

// requireRefusal checks the shape of a refused request.
func requireRefusal(t testing.TB, w *httptest.ResponseRecorder, status int, cause string) {
	t.Helper()
	a := parse(t, w)
	require.Equal(t, status, w.Code, w.Body.String())
	require.NotNil(t, a.Success)
	assert.False(t, *a.Success)
	assert.Nil(t, a.Epoch)
	assert.Nil(t, a.Results)
	require.NotNil(t, a.Error)
	assert.Equal(t, answerError{
		Code: 2020, Name: "PersonStateError", Message: "Person synchronization failed. Cause: " + cause,
		Origin: "people-tracking", Platform: "fe-snippet",
	}, *a.Error)
}

// calls repeats a track call n times under different ids.
func calls(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = `{"id":"k3v9x2ab-` + string(rune('A'+i/26)) + string(rune('a'+i%26)) + `","at":"2026-11-22T09:59:59.120Z","epoch":"c8a1","page":0,"method":"track","params":{"eventId":"action","properties":{"name":"Button clicked","label":"add-to-favorites"}}}`
	}
	return `{"apiKey":"` + trackingKey + `","sentAt":"2026-11-22T10:00:00.000Z","pages":[{"url":"https://shop.example/p?id=7","title":"Shoes","referrer":"https://search.example/","language":"en-GB","websiteLanguage":"en"}],` +
		`"calls":[` + strings.Join(list, ",") + `]}`
}
