package demo_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

const shopFolder = "shop"

var browser = browsertest.NewBrowser()

func TestMain(m *testing.M) {
	code := m.Run()
	browser.Close()
	os.Exit(code)
}

// shop serves the demo as any web server would, with nothing in front of it,
// and adds pages of the test's own. It returns the address and a tab whose
// complaints are held against the test when it ends.
func shop(t *testing.T, extra map[string]string) (string, context.Context) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(shopFolder)))
	for path, body := range extra {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(body))
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	page := browser.Page(t)
	complaints := browsertest.Watch(t, page)
	t.Cleanup(func() { assert.Empty(t, complaints.All(), "the console is quiet") })
	return server.URL, page
}

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector))
}

func fill(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(chromedp.CSS(selector), text)
}

// script runs statements in the page and waits for a promise they end with.
func script(statements string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](statements, chromedp.EvalAwaitPromise)
}

// picture saves what the tab shows where the environment variable DEMO_SHOTS
// names a folder.
func picture(t *testing.T, page context.Context, name string) {
	t.Helper()
	if folder := os.Getenv("DEMO_SHOTS"); folder != "" {
		browsertest.Screenshot(t, page, filepath.Join(folder, name+".png"))
	}
}
