package integration

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

// worker is a service worker that keeps two shells and answers navigations
// from them: /app/route… and /app/other….
const worker = `
addEventListener('install', (e) => e.waitUntil(caches.open('v1').then((c) => c.addAll(['/app/shell', '/app/unlisted']))));
addEventListener('fetch', (e) => {
	const { pathname } = new URL(e.request.url);
	if (e.request.mode !== 'navigate') return;
	if (pathname.startsWith('/app/route')) e.respondWith(caches.match('/app/shell'));
	if (pathname.startsWith('/app/other')) e.respondWith(caches.match('/app/unlisted'));
});`

const register = `<script>window.pending=true;navigator.serviceWorker.register('/app/worker.js').then(()=>navigator.serviceWorker.ready)
.then(({active})=>{const wait=()=>active.state==='activated'?window.pending=false:setTimeout(wait,20);wait()})</script>`

// TestPagesOfAServiceWorker shows pages that come out of a worker's cache. The
// worker fetches its shells as scripts fetch data, so that only a shell listed
// in app_shell gets the script (rule 2).
func TestPagesOfAServiceWorker(t *testing.T) {
	shell := document(`<!doctype html><head><title>Höhenwege</title>` + liveChat + counted + `</head>` + body)
	mux := pagesOrigin(nil)
	mux.HandleFunc("/app/start", document(`<!doctype html><head><title>Start</title>`+liveChat+register+`</head>`+body))
	mux.HandleFunc("/app/shell", shell)
	mux.HandleFunc("/app/unlisted", shell)
	mux.HandleFunc("/app/worker.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, worker)
	})
	var routes atomic.Int32
	mux.HandleFunc("/app/route", func(w http.ResponseWriter, r *http.Request) {
		routes.Add(1)
		http.NotFound(w, r)
	})
	w := start(t, options{handler: pagesHandler, origin: mux})
	browser := browsertest.NewBrowser()
	t.Cleanup(browser.Close)
	direct, page := browser.Page(t), browser.Page(t)
	both := func(path string) (origin, site shown) {
		t.Helper()
		return w.visit(direct, w.origin+path), w.visit(page, w.site+path)
	}

	origin, site := both("/app/start")
	assert.Equal(t, origin, site.without(1))
	settled(t, page)
	origin, site = both("/app/other")
	assert.Equal(t, origin, site, "a shell that is not listed stays as it is")
	assert.Zero(t, site.Scripts)
	origin, site = both("/app/route")
	assert.Equal(t, origin, site.without(1))
	assert.Equal(t, 1, site.Scripts)
	assert.Equal(t, "function", site.SDK)
	settled(t, page)

	assert.Zero(t, routes.Load(), "the worker answers, not the upstream")
	assert.ElementsMatch(t, []string{"sessionStarted", "pageView /app/start", "pageView /app/route", "personMerged"}, w.lead(page))
}
