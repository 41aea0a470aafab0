package console

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

const (
	readKey   = "key-that-reads"
	manageKey = "key-that-manages"
	trackKey  = "key-of-the-browser"
	account   = tracker.Account(3)
)

type (
	htmlNode = html.Node
	response = httptest.ResponseRecorder
)

var _ People = (*tracker.Service)(nil)

func nowAtTest() time.Time { return testNow }

// operatorHeader names the user in tests, as a server in front would.
const operatorHeader = "X-Test-Operator"

// newConsole is mounted at /people/ and lets in the three keys and whoever
// operatorHeader names.
// Streams end when what is held was sent.
func newConsole(t testing.TB, people People, change ...func(*Config)) http.Handler {
	t.Helper()
	keys, err := tracker.NewKeys(
		tracker.Key{Value: readKey, Scopes: []string{tracker.ScopeRead}},
		tracker.Key{Value: manageKey, Scopes: []string{tracker.ScopeManage}},
		tracker.Key{Value: trackKey, Scopes: []string{tracker.ScopeTracking}},
	)
	require.NoError(t, err)
	ended := make(chan struct{})
	close(ended)
	config := Config{
		People: people, Account: account, Keys: keys, Now: nowAtTest, Stopping: ended,
		User: func(r *http.Request) string { return r.Header.Get(operatorHeader) },
		Base: func(*http.Request) string { return "/people/" },
	}
	for _, c := range change {
		c(&config)
	}
	console, err := New(config)
	require.NoError(t, err)
	return console
}

// with sets a header.
func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

var (
	asOperator = with(operatorHeader, "operator")
	asReader   = with("Authorization", "App "+readKey)
	asManager  = with("Authorization", "App "+manageKey)
	inBrowser  = with("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	sameOrigin = with("Sec-Fetch-Site", "same-origin")
)

func ask(console http.Handler, method, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	switch { // what the routes take that have a body
	case method == http.MethodPost && strings.HasPrefix(target, "/livechat/"):
		withBody("application/json", `{"device":"d1"}`)(r)
	case method == http.MethodPost && strings.HasPrefix(target, "/merges/"):
		withBody("application/x-www-form-urlencoded", "reason=two+people")(r)
	}
	for _, change := range change {
		change(r)
	}
	w := httptest.NewRecorder()
	console.ServeHTTP(w, r)
	return w
}

// errorCode reads the code of an error answer.
func errorCode(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var body struct {
		Error struct{ Code, Message string }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body), w.Body.String())
	require.NotEmpty(t, body.Error.Message)
	return body.Error.Code
}

func parse(t testing.TB, w *httptest.ResponseRecorder) *html.Node {
	t.Helper()
	require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	document, err := html.Parse(strings.NewReader(w.Body.String()))
	require.NoError(t, err)
	return document
}

// elements returns the elements that want wants, in document order.
func elements(document *html.Node, want func(*html.Node) bool) []*html.Node {
	var found []*html.Node
	for n := range document.Descendants() {
		if n.Type == html.ElementNode && want(n) {
			found = append(found, n)
		}
	}
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// classed wants elements of a class.
func classed(class string) func(*html.Node) bool {
	return func(n *html.Node) bool {
		for _, have := range strings.Fields(attribute(n, "class")) {
			if have == class {
				return true
			}
		}
		return false
	}
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
