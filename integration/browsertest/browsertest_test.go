package browsertest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

func serve(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, body)
	})
}

func TestBrowserCollectsComplaintsAndPictures(t *testing.T) {
	page := browsertest.New(t)
	site := httptest.NewServer(serve(`<!doctype html><title>Shop</title><link rel=icon href=data:,>
		<script>console.warn('careful', 1); console.error('bad', {}); Promise.reject(new Error('lost'))</script>
		<script>throw new Error('thrown')</script><script src="/missing.js"></script>`))
	t.Cleanup(site.Close)

	watched := browsertest.Watch(t, page)
	require.NoError(t, chromedp.Do(page, chromedp.Navigate(site.URL)))
	title, err := chromedp.Run(page, chromedp.Title())
	require.NoError(t, err)
	assert.Equal(t, "Shop", title)

	kinds := func(list []browsertest.Complaint) (kinds []string) {
		for _, c := range list {
			kinds = append(kinds, c.Kind)
		}
		return kinds
	}
	assert.ElementsMatch(t, []string{"console.warning", "console.error", "exception", "exception", "log.error"}, kinds(watched.All()))
	assert.ElementsMatch(t, []string{"console.error", "exception", "exception", "log.error"}, kinds(watched.Errors()))

	picture := filepath.Join(t.TempDir(), "shots", "shop.png")
	browsertest.Screenshot(t, page, picture)
	content, err := os.ReadFile(picture)
	require.NoError(t, err)
	assert.Equal(t, "image/png", http.DetectContentType(content))
}

func TestProfiles(t *testing.T) {
	secure := httptest.NewTLSServer(serve(`<!doctype html><title>Widget</title>`))
	t.Cleanup(secure.Close)
	browser := browsertest.NewBrowser(browsertest.Host("widget.example", secure.Listener.Addr().String()))
	t.Cleanup(browser.Close)
	page := browser.Page(t)

	visit := func(page context.Context, script string) string {
		require.NoError(t, chromedp.Do(page, chromedp.Navigate("https://widget.example/")))
		result, err := chromedp.Run(page, chromedp.Evaluate[string](script))
		require.NoError(t, err)
		return result
	}
	assert.Equal(t, "widget.example", visit(page, `localStorage.k = 'kept'; location.host`))
	assert.Equal(t, "kept", visit(browsertest.Tab(t, page), `String(localStorage.k)`), "a tab shares the profile")
	assert.Equal(t, "undefined", visit(browser.Page(t), `String(localStorage.k)`), "a page has its own profile")

	assert.Error(t, chromedp.Do(page, chromedp.Navigate("http://elsewhere.example/")), "no other host is reachable")
}

// A condition is waited for under a policy that allows no script, and across
// pages that follow each other.
func TestUntil(t *testing.T) {
	mux := http.NewServeMux()
	for path, body := range map[string]string{
		"/": `<title>First</title><meta http-equiv="refresh" content="0; url=/second">`, "/second": `<title>Second</title>`,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", "default-src 'none'")
			_, _ = io.WriteString(w, `<!doctype html><link rel=icon href=data:,>`+body)
		})
	}
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	page := browsertest.New(t)
	browsertest.Do(t, page, chromedp.Navigate(site.URL))
	browsertest.Until(t, page, `document.title === 'Second' && document.readyState === 'complete'`)
	assert.Equal(t, `"/second"`, browsertest.Eval(t, page, `location.pathname`))
	assert.Equal(t, "undefined", browsertest.Eval(t, page, `Promise.resolve()`))
	assert.Equal(t, []int{1, 2}, browsertest.EvalInto[[]int](t, page, `[1, 2]`))
}
