package integration

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
	"github.com/livechat-people/caddy-people-tracking/sdk"
)

// The tests in pages_*_test.go show pages on which injection could be felt in
// a real browser, from the upstream itself and through Caddy: the same in
// everything but the SDK.

// liveChatCode is the loader that the widget's customers have in their pages.
// The SDK waits for it (B21).
const liveChatCode = `window.liveChat=window.liveChat||function(){(liveChat.q=liveChat.q||[]).push(arguments)};liveChat('init','` + widgetID + `')`

const liveChat = `<script>` + liveChatCode + `</script>`

// body is what most pages have: something to see, to lay out and to report.
const body = `<body><h1>Höhenwege</h1><p style="width:20em">Über 3.000 Touren in den Alpen, mit Karte und Profil.</p>
<ul><li>Karwendel<li>Wetterstein</ul><div id=box style="height:3em"></div></body>`

// pageCase is a page and what becomes of it.
type pageCase struct {
	name    string
	serve   http.HandlerFunc
	scripts int    // of ours in the page; 0: it stays as it is
	reason  string // in the debug header
	once    bool   // the upstream cannot be asked but by a browser
}

// document serves a page with further header fields, "name: value".
func document(page string, fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for _, field := range fields {
			name, value, _ := strings.Cut(field, ": ")
			w.Header().Set(name, value)
		}
		_, _ = io.WriteString(w, page)
	}
}

// fromCaddy tells a request through the proxy from one to the upstream itself.
func fromCaddy(r *http.Request) bool { return r.Header.Get("X-Forwarded-For") != "" }

// pagesOrigin is the upstream: every case under /page/ and its number, and
// what all pages share.
func pagesOrigin(cases []pageCase) *http.ServeMux {
	mux := http.NewServeMux()
	for _, c := range cases {
		mux.HandleFunc(c.path(), c.serve)
	}
	mux.HandleFunc("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/chat.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, liveChatCode)
	})
	return mux
}

func (c pageCase) path() string { return "/page/" + strings.ReplaceAll(c.name, " ", "-") }

const pagesHandler = "debug\napp_shell /app/shell"

// testPages visits each page both ways.
func testPages(t *testing.T, w *world, cases []pageCase) {
	browser := browsertest.NewBrowser()
	t.Cleanup(browser.Close)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.t = t
			if !c.once {
				w.compareBytes(c)
			}
			direct := w.visit(browser.Page(t), w.origin+c.path())
			page := browser.Page(t)
			proxied := w.visit(page, w.site+c.path())
			if c.scripts > 0 {
				browsertest.Until(t, page, `performance.getEntriesByType('resource').some(
					(r) => r.name.includes('/_people/v1/batch') && r.responseEnd > 0)`)
			}
			assert.Equal(t, direct, proxied.without(c.scripts), "the page as its visitor notices it")
			assert.Equal(t, c.scripts, proxied.Scripts)
			if c.scripts == 0 {
				assert.Equal(t, "undefined", proxied.SDK)
				assert.Zero(t, proxied.Calls)
				return
			}
			assert.Equal(t, "function", proxied.SDK)
			assert.ElementsMatch(t, []string{"sessionStarted", "pageView " + c.path(), "personMerged"}, w.lead(page), "one view")
		})
	}
}

// shown is what a visitor, the page's own scripts and its developer notice.
type shown struct {
	Title, Charset, Mode, Text string
	Boxes                      []string // of every element outside head
	Head                       []string // elements in head, without ours
	Report                     any      // window.report: what the page says of itself
	Console                    []string
	Scripts                    int    // of ours
	SDK                        string // its type
	Calls                      int    // requests below the base path
}

// without takes away what is ours.
func (s shown) without(scripts int) shown {
	s.SDK, s.Calls, s.Scripts = "undefined", 0, s.Scripts-scripts
	return s
}

const look = `(() => {
	const ours = 'script[src*="/_people/v1/sdk.js"]', all = [...document.querySelectorAll('*')];
	const box = (e) => { const r = e.getBoundingClientRect(); return [e.tagName, e.id, r.x, r.y, r.width, r.height].join(' '); };
	return {
		title: document.title, charset: document.characterSet, mode: document.compatMode, text: document.body.innerText,
		boxes: all.filter((e) => !e.closest('head')).map(box),
		head: [...document.head.children].filter((e) => !e.matches(ours)).map((e) => e.outerHTML),
		report: window.report ?? null,
		scripts: document.querySelectorAll(ours).length,
		sdk: typeof window.PeopleTrackingSDK,
		calls: performance.getEntriesByType('resource').filter((e) => e.name.includes('/_people/')).length,
	};
})()`

// visit opens a page and looks at it once it is complete; a page that does
// more sets window.pending meanwhile.
func (w *world) visit(page context.Context, url string) shown {
	w.t.Helper()
	console := &consoleLines{}
	require.NoError(w.t, chromedp.Listen(page, console.receive))
	browsertest.Do(w.t, page, chromedp.Navigate(url))
	browsertest.Until(w.t, page, `document.readyState === 'complete' && !window.pending`)
	s := browsertest.EvalInto[shown](w.t, page, look)
	s.Console = console.all(w.origin, w.site)
	return s
}

// lead starts a chat on the page, which makes its visitor a lead with all that
// was recorded before, and tells that story.
func (w *world) lead(page context.Context) []string {
	w.t.Helper()
	var known []string
	for _, p := range w.persons() {
		known = append(known, p.ID)
	}
	browsertest.Eval(w.t, page, `(liveChat('sendMessage', 'Hello'), null)`)
	var story []string
	eventually(w.t, func(c *assert.CollectT) {
		persons := slices.DeleteFunc(w.persons(), func(p person) bool { return slices.Contains(known, p.ID) })
		if assert.Len(c, persons, 1) {
			story = w.story(persons[0].ID, "path")
		}
	})
	return story
}

var ourScript = regexp.MustCompile(`<script [^>]*src="/_people/v1/sdk\.js[^>]*></script>`)

// compareBytes asks both ways without a browser: but for the script, and for
// the fields of a header that say that it is there, nothing may differ.
func (w *world) compareBytes(c pageCase) {
	w.t.Helper()
	direct, want := w.navigate(w.origin + c.path())
	proxied, got := w.navigate(w.site + c.path())
	assert.Equal(w.t, c.reason, proxied.Header.Get("X-Script-Injection"))
	if c.scripts > 0 {
		got = ourScript.ReplaceAllString(got, "")
		want = ourScript.ReplaceAllString(want, "")
		require.Equal(w.t, want, got)
		return
	}
	require.Equal(w.t, want, got, "byte for byte")
	for _, ours := range []string{"Date", "Server", "Via", "X-Script-Injection"} {
		direct.Header.Del(ours)
		proxied.Header.Del(ours)
	}
	assert.Equal(w.t, direct.Header, proxied.Header)
}

// navigate asks as a browser does for a page; compressed answers come out plain.
func (w *world) navigate(url string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(w.t, err)
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Dest", "document")
	res, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, res.Body.Close()) }()
	page, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res, string(page)
}

// consoleLines is everything that a tab's console shows.
type consoleLines struct {
	mu    sync.Mutex
	lines []string
}

func (c *consoleLines) receive(event any) {
	var line string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		line = "exception " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			line += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		line = string(e.Type)
		for _, argument := range e.Args {
			value, _ := json.Marshal(argument.Value)
			line += " " + string(value) + argument.Description
		}
	case *log.EventEntryAdded:
		line = string(e.Entry.Level) + " " + e.Entry.Text + " " + e.Entry.URL
	default:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line)
}

// all is every line, without the hosts, and without what an amended policy
// allows more when the browser cites it.
func (c *consoleLines) all(hosts ...string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := make([]string, 0, len(c.lines))
	for _, line := range c.lines {
		for _, host := range hosts {
			line = strings.ReplaceAll(line, host, "")
		}
		lines = append(lines, strings.ReplaceAll(line, " '"+sdk.Plain().Integrity()+"'", ""))
	}
	return lines
}
