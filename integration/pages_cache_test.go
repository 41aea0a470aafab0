package integration

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

// TestPagesFromTheBrowsersCache comes back to pages that the browser has kept
// and asks about: the upstream says that they are still good, and the copies
// have the script once (rules 4 and 15).
func TestPagesFromTheBrowsersCache(t *testing.T) {
	var notModified atomic.Int32
	changed := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	cached := func(etag string) http.HandlerFunc {
		const page = `<!doctype html><head><title>Höhenwege</title>` + liveChat + counted + `</head>` + body
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Cache-Control", "no-cache")
			if etag != "" {
				w.Header().Set("ETag", etag)
			}
			told := &statusTeller{ResponseWriter: w}
			http.ServeContent(told, r, "", changed, strings.NewReader(page))
			if told.status == http.StatusNotModified {
				notModified.Add(1)
			}
		}
	}
	mux := pagesOrigin(nil)
	for path, etag := range map[string]string{"/strong": `"a1"`, "/weak": `W/"a1"`, "/dated": ""} {
		mux.HandleFunc(path, cached(etag))
	}
	world := start(t, options{handler: pagesHandler, origin: mux})
	browser := browsertest.NewBrowser()
	t.Cleanup(browser.Close)
	for _, path := range []string{"/strong", "/weak", "/dated"} {
		t.Run(path[1:], func(t *testing.T) {
			w := *world
			w.t = t
			page := browser.Page(t)
			notModified.Store(0)
			first := w.visit(page, w.site+path)
			settled(t, page)
			again := w.visit(page, w.site+path)
			settled(t, page)
			assert.EqualValues(t, 1, notModified.Load(), "the upstream recognised its validator")
			again.Calls = first.Calls // how many there were by then is chance
			assert.Equal(t, first, again)
			assert.Equal(t, 1, again.Scripts)
			assert.Equal(t, "function", again.SDK)
			assert.ElementsMatch(t, []string{"sessionStarted", "pageView " + path, "pageView " + path, "personMerged"}, w.lead(page))
		})
	}
}

// statusTeller remembers the status.
type statusTeller struct {
	http.ResponseWriter
	status int
}

func (w *statusTeller) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
