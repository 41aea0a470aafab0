package integration

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
	"github.com/livechat-people/caddy-people-tracking/integration/loopback"
	"github.com/livechat-people/caddy-people-tracking/integration/specification"
)

// demo runs the Caddyfile of the repository's root as it stands, on other
// ports and with a store of its own. The console is asked as its operator.
func demo(t *testing.T) *world {
	t.Helper()
	text, err := os.ReadFile("../Caddyfile")
	require.NoError(t, err)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	caddyfile := string(text)
	port := func(usual string) string {
		_, free, _ := strings.Cut(loopback.Free(t), ":")
		require.Contains(t, caddyfile, ":"+usual)
		caddyfile = strings.ReplaceAll(caddyfile, ":"+usual, ":"+free)
		return "http://localhost:" + free
	}
	w := &world{t: t, site: port("8080"), origin: port("8081"), console: port("8082")}
	w.sign = func(r *http.Request) { r.SetBasicAuth("demo", "demo") }
	caddyfile = strings.Replace(caddyfile, "persist_config off", "persist_config off\n\tadmin off", 1)
	caddyfile = strings.Replace(caddyfile, "root demo/shop", "root "+filepath.Join(root, "demo/shop"), 1)
	t.Setenv("PEOPLE_DATA", t.TempDir())
	runHere(t, adapt(t, caddyfile))
	return w
}

// TestWalkThroughTheDemo does what a newcomer does: opens the shop, looks
// around, chats, and looks at himself in the console.
func TestWalkThroughTheDemo(t *testing.T) {
	w := demo(t)
	page := browsertest.New(t)
	complaints := browsertest.Watch(t, page)
	eval := func(expression string) string { t.Helper(); return browsertest.Eval(t, page, expression) }

	browsertest.Do(t, page, chromedp.Navigate(w.site+"/"))
	assert.JSONEq(t, `[1, true]`, eval(`[document.querySelectorAll('script[src*="/_people/v1/sdk.js"]').length,
		document.head.firstElementChild.matches('script[src*="/_people/v1/sdk.js"]')]`), "exactly one SDK script, first in head")
	settled(t, page)
	assert.Empty(t, w.persons(), "a visitor is not shown")

	browsertest.Do(t, page, chromedp.Navigate(w.site+"/product.html"), chromedp.Click(chromedp.CSS(`#favourite`)))
	settled(t, page)
	assert.Empty(t, w.persons())
	assert.JSONEq(t, specification.Failure, eval(`new PeopleTrackingSDK().track('action')`), "an instance of its own, before its init")

	var lead person
	t.Run("chat starts", func(t *testing.T) {
		browsertest.Do(t, page, chromedp.Click(chromedp.CSS(`.lc-widget-button`)), chromedp.SendKeys(chromedp.CSS(`.lc-widget-input`), "Does it fit my car?"), chromedp.KeyEvent(kb.Enter))
		eventually(t, func(c *assert.CollectT) { assert.Len(c, w.persons(), 1) })
		lead = w.persons()[0]
		assert.Equal(t, "LEAD", lead.Type)
		assert.Equal(t, []string{
			"sessionStarted", "pageView /", "pageView /product.html", "action add-to-favorites", "personMerged",
		}, w.story(lead.ID, "path", "label"), "with the earlier activity")
	})

	t.Run("the specification's examples", func(t *testing.T) {
		browsertest.Do(t, page, chromedp.Navigate(w.site+"/"))
		eval(`window.sdk = window.pe = new PeopleTrackingSDK(), null`)
		assert.JSONEq(t, specification.Success, eval(`sdk.init('demo-shop-web-tracking')`))
		assert.JSONEq(t, specification.Success, eval(specification.Track))
		assert.JSONEq(t, specification.Success, eval(specification.UpdatePerson))
		assert.JSONEq(t, specification.Success, eval(specification.AppendToList))
		known := w.persons()[0]
		assert.Equal(t, lead.ID, known.ID)
		assert.Equal(t, []string{"Semi", "Gabcik", "Holsen", "Prague"}, []string{known.FirstName, known.MiddleName, known.LastName, known.City})
		assert.Equal(t, "Mercedes", known.CustomAttributes["car"])
		assert.Equal(t, "special", known.CustomAttributes["category"].([]any)[0].(map[string]any)["name"])

		var failure struct {
			Success bool
			Error   map[string]any
		}
		require.NoError(t, json.Unmarshal([]byte(eval(`pe.track('action', { colour: 'red' })`)), &failure))
		assert.False(t, failure.Success)
		assert.Equal(t, []any{2016.0, "SdkTrackError", "people-tracking", "fe-snippet"},
			[]any{failure.Error["code"], failure.Error["name"], failure.Error["origin"], failure.Error["platform"]})
		assert.Contains(t, failure.Error["message"], "Error when calling track(). Cause: ")
		assert.Contains(t, failure.Error["message"], "colour")
	})

	t.Run("a token authenticates", func(t *testing.T) {
		browsertest.Do(t, page, chromedp.Navigate(w.site+"/account.html"), chromedp.SendKeys(chromedp.CSS(`#sign-in [name=email]`), "semi@example.com"), chromedp.KeyEvent(kb.Enter))
		eventually(t, func(c *assert.CollectT) { assert.Len(c, w.persons(), 2) })
		persons := w.persons()
		at := slices.IndexFunc(persons, func(p person) bool { return p.Subject == "semi@example.com" })
		require.GreaterOrEqual(t, at, 0)
		assert.Equal(t, lead.ID, persons[at].Links[0].PersonID, "linked, not merged (B6)")
		assert.NotContains(t, w.story(persons[at].ID), "action add-to-favorites")
	})

	t.Run("logout makes a new visitor", func(t *testing.T) {
		browsertest.Do(t, page, chromedp.Click(chromedp.CSS(`#sign-out`)), chromedp.Navigate(w.site+"/checkout.html"))
		settled(t, page)
		persons := w.persons()
		require.Len(t, persons, 2, "the new visitor is not shown")
		for _, p := range persons {
			assert.NotContains(t, w.story(p.ID, "path"), "pageView /checkout.html")
		}
	})
	assert.Empty(t, complaints.All(), "no error, warning or violation on any page")
	shots(t, page, w)
}

// settled waits until the page's calls have been answered.
func settled(t *testing.T, page context.Context) {
	t.Helper()
	browsertest.Until(t, page, `performance.getEntriesByType('resource').some(
		(r) => r.name.includes('/_people/v1/batch') && r.responseEnd > 0)`)
}

// shots saves pictures of shop and console where WALK_SHOTS names a folder.
func shots(t *testing.T, page context.Context, w *world) {
	t.Helper()
	folder := os.Getenv("WALK_SHOTS")
	if folder == "" {
		return
	}
	picture := func(name string) { browsertest.Screenshot(t, page, filepath.Join(folder, name+".png")) }
	for _, at := range []struct{ name, url string }{
		{"shop", w.site + "/"},
		{"account", w.site + "/account.html"},
		{"console", strings.Replace(w.console, "http://", "http://demo:demo@", 1) + "/"},
	} {
		browsertest.Do(t, page, chromedp.Navigate(at.url))
		picture(at.name)
	}
	browsertest.Do(t, page, chromedp.Click(chromedp.CSS(`main a[href*="persons/"]`)), chromedp.WaitVisible(chromedp.CSS(`main h1`)))
	picture("person")
}
