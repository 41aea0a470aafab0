package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

// demo runs the Caddyfile of the repository's root as it stands, on other
// ports and with a store of its own, and returns the addresses of shop and
// console.
func demo(t *testing.T) (shop, console string) {
	t.Helper()
	text, err := os.ReadFile("../Caddyfile")
	require.NoError(t, err)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	caddyfile := string(text)
	port := func(usual string) string {
		address := freeAddress(t)
		free := address[strings.LastIndexByte(address, ':')+1:]
		require.Contains(t, caddyfile, ":"+usual)
		caddyfile = strings.ReplaceAll(caddyfile, ":"+usual, ":"+free)
		return "http://localhost:" + free
	}
	shop, _, console = port("8080"), port("8081"), port("8082")
	caddyfile = strings.Replace(caddyfile, "persist_config off", "persist_config off\n\tadmin off", 1)
	caddyfile = strings.Replace(caddyfile, "root demo/shop", "root "+filepath.Join(root, "demo/shop"), 1)
	t.Setenv("PEOPLE_DATA", t.TempDir())
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	require.NoError(t, err)
	require.NoError(t, caddy.Load(config, true))
	t.Cleanup(func() { require.NoError(t, caddy.Stop()) })
	return shop, console
}

// viewer reads the console's API as the demo's operator.
type viewer struct {
	t       *testing.T
	console string
}

func (v viewer) get(path string, into any) {
	v.t.Helper()
	req, err := http.NewRequest(http.MethodGet, v.console+"/"+path, nil)
	require.NoError(v.t, err)
	req.SetBasicAuth("demo", "demo")
	res, err := http.DefaultClient.Do(req)
	require.NoError(v.t, err)
	defer func() { require.NoError(v.t, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusOK, res.StatusCode, string(body))
	require.NoError(v.t, json.Unmarshal(body, into))
}

func (v viewer) persons() []map[string]any {
	var list struct{ Persons []map[string]any }
	v.get("api/persons", &list)
	return list.Persons
}

// story is a timeline, oldest first: definition and, of custom events, the label.
func (v viewer) story(person any) []string {
	var list struct{ Events []timelineEvent }
	v.get(fmt.Sprintf("api/persons/%v/events", person), &list)
	slices.Reverse(list.Events)
	out := []string{}
	for _, e := range list.Events {
		line := e.DefinitionID
		for _, name := range []string{"path", "label"} {
			if text, ok := e.Properties[name].(string); ok {
				line += " " + text
			}
		}
		out = append(out, line)
	}
	return out
}

// eventually waits until the store shows what a page has sent.
func eventually(t *testing.T, check func(*assert.CollectT)) {
	t.Helper()
	require.EventuallyWithT(t, check, 15*time.Second, 100*time.Millisecond)
}

// example are the calls of the specification, word for word.
const (
	exampleUpdate = `sdk.updatePerson({
  address: 'Kirchmayer street 97',
  birthDate: '1993-01-01',
  city: 'Prague',
  contactInformation: {
    email: [{ address: 'email@infobip.com' }],
    phone: [{ number: '421905123450' }]
  },
  country: 'Czech Republic',
  customAttributes: { car: 'Mercedes' },
  firstName: 'Semi',
  gender: 'male',
  lastName: 'Holsen',
  middleName: 'Gabcik',
  preferredLanguage: 'it-it',
  profilePicture: 'https://profile.com',
  tags: ['reading', 'technology']
})`
	exampleAppend  = `pe.appendToList('category', { name: 'special' })`
	exampleTrack   = `pe.track('action', { name: 'Button clicked', label: 'add-to-favorites' })`
	exampleSuccess = `{ "success": true, "data": null }`
	exampleFailure = `{ "success": false, "error": { "code": 2015, "name": "NotInitializedPeopleTrackingError",
		"message": "People tracking SDK is not initialized. Call init() first", "origin": "fe-snippet", "platform": "fe-snippet" } }`
)

// TestWalkThroughTheDemo does what a newcomer does: opens the shop, looks
// around, chats, and looks at himself in the console.
func TestWalkThroughTheDemo(t *testing.T) {
	shop, console := demo(t)
	page := browsertest.New(t)
	complaints := browsertest.Watch(t, page)
	view := viewer{t, console}
	step := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		require.NoError(t, chromedp.Do(page, steps...))
	}
	eval := func(expression string) string { t.Helper(); return browsertest.Eval(t, page, expression) }

	step(chromedp.Navigate(shop + "/"))
	assert.JSONEq(t, `[1, true]`, eval(`[document.querySelectorAll('script[src*="/_people/v1/sdk.js"]').length,
		document.head.firstElementChild.matches('script[src*="/_people/v1/sdk.js"]')]`), "exactly one SDK script, first in head")
	settled(t, page)
	assert.Empty(t, view.persons(), "a visitor is not shown")

	step(chromedp.Navigate(shop+"/product.html"), chromedp.Click(chromedp.CSS(`#favourite`)))
	settled(t, page)
	assert.Empty(t, view.persons())
	assert.JSONEq(t, exampleFailure, eval(`new PeopleTrackingSDK().track('action')`), "an instance of its own, before its init")

	var lead map[string]any
	t.Run("chat starts", func(t *testing.T) {
		step(chromedp.Click(chromedp.CSS(`.lc-widget-button`)), chromedp.SendKeys(chromedp.CSS(`.lc-widget-input`), "Does it fit my car?"), chromedp.KeyEvent(kb.Enter))
		eventually(t, func(c *assert.CollectT) { assert.Len(c, view.persons(), 1) })
		lead = view.persons()[0]
		assert.Equal(t, "LEAD", lead["type"])
		assert.Equal(t, []string{
			"sessionStarted", "pageView /", "pageView /product.html", "action add-to-favorites", "personMerged",
		}, view.story(lead["id"]), "with the earlier activity")
	})

	t.Run("the specification's examples", func(t *testing.T) {
		step(chromedp.Navigate(shop + "/"))
		eval(`window.sdk = window.pe = new PeopleTrackingSDK(), null`)
		assert.JSONEq(t, exampleSuccess, eval(`sdk.init('demo-shop-web-tracking')`))
		assert.JSONEq(t, exampleSuccess, eval(exampleTrack))
		assert.JSONEq(t, exampleSuccess, eval(exampleUpdate))
		assert.JSONEq(t, exampleSuccess, eval(exampleAppend))
		person := view.persons()[0]
		assert.Equal(t, lead["id"], person["id"])
		assert.Equal(t, []any{"Semi", "Gabcik", "Holsen", "Prague"}, []any{person["firstName"], person["middleName"], person["lastName"], person["city"]})
		attributes := person["customAttributes"].(map[string]any)
		assert.Equal(t, "Mercedes", attributes["car"])
		assert.Equal(t, "special", attributes["category"].([]any)[0].(map[string]any)["name"])

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
		step(chromedp.Navigate(shop+"/account.html"), chromedp.SendKeys(chromedp.CSS(`#sign-in [name=email]`), "semi@example.com"), chromedp.KeyEvent(kb.Enter))
		eventually(t, func(c *assert.CollectT) { assert.Len(c, view.persons(), 2) })
		persons := view.persons()
		at := slices.IndexFunc(persons, func(p map[string]any) bool { return p["subject"] == "semi@example.com" })
		require.GreaterOrEqual(t, at, 0)
		assert.Equal(t, lead["id"], persons[at]["links"].([]any)[0].(map[string]any)["personId"], "linked, not merged (B6)")
		assert.NotContains(t, view.story(persons[at]["id"]), "action add-to-favorites")
	})

	t.Run("logout makes a new visitor", func(t *testing.T) {
		step(chromedp.Click(chromedp.CSS(`#sign-out`)), chromedp.Navigate(shop+"/checkout.html"))
		settled(t, page)
		persons := view.persons()
		require.Len(t, persons, 2, "the new visitor is not shown")
		for _, p := range persons {
			assert.NotContains(t, view.story(p["id"]), "pageView /checkout.html")
		}
	})
	assert.Empty(t, complaints.All(), "no error, warning or violation on any page")
	shots(t, page, shop, console)
}

// settled waits until the page's calls have been answered.
func settled(t *testing.T, page context.Context) {
	t.Helper()
	browsertest.Until(t, page, `performance.getEntriesByType('resource').some(
		(r) => r.name.includes('/_people/v1/batch') && r.responseEnd > 0)`)
}

// shots saves pictures of shop and console where WALK_SHOTS names a folder.
func shots(t *testing.T, page context.Context, shop, console string) {
	t.Helper()
	folder := os.Getenv("WALK_SHOTS")
	if folder == "" {
		return
	}
	picture := func(name string) { browsertest.Screenshot(t, page, filepath.Join(folder, name+".png")) }
	for _, at := range []struct{ name, url string }{
		{"shop", shop + "/"},
		{"account", shop + "/account.html"},
		{"console", strings.Replace(console, "http://", "http://demo:demo@", 1) + "/"},
	} {
		require.NoError(t, chromedp.Do(page, chromedp.Navigate(at.url)))
		picture(at.name)
	}
	require.NoError(t, chromedp.Do(page, chromedp.Click(chromedp.CSS(`main a[href*="persons/"]`)), chromedp.WaitVisible(chromedp.CSS(`main h1`))))
	picture("person")
}
