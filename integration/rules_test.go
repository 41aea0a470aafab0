package integration

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

const rulesHandler = `
	debug
	on click ".buy" track action {
		name  {h1@text}
		label {data-sku}
	}
	on submit "#order" track action {
		name  {input[name=first]}
		label {.pay}
	}
	on submit "#order" update_person {
		firstName                {input[name=first]}
		contactInformation.email {input[type=email]}
		city                     {.pay@value}
		customAttributes.car     {.private}
	}
	on visible ".promo" track action {
		name visible
	}
	on scroll 90 track action {
		name scrolled
	}`

const rulesPage = `<!doctype html><html lang=en><head><title>Shop</title><script src="/chat.js"></script></head><body><h1>Platform</h1>
<button class="buy" data-sku="p-1"><svg width="20" height="20"><path id="path" d="M0 0h20v20H0z"/></svg></button>
<form id="order" action="/thanks" method="post"><input name="first" value="Ada"><input type="email" name="mail" value="ada@shop.example">
<input class="pay" autocomplete="cc-number" name="number" value="4929000000006"><input type="password" name="pw" value="4929000000006">
<p data-people-ignore><input class="private" name="p" value="4929000000006"></p><button id="send">Order</button></form>
<div style="height:3000px"></div><p class="promo">Promotion</p></body></html>`

// TestRulesFromPageToConsole records what a visitor does by rules, under a
// strict policy, and finds it in the console; what is private is nowhere.
func TestRulesFromPageToConsole(t *testing.T) {
	const policy = "default-src 'self'; style-src 'unsafe-inline'; require-trusted-types-for 'script'; trusted-types 'none'; form-action 'self'"
	origin := http.NewServeMux()
	origin.HandleFunc("/chat.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, liveChatCode)
	})
	origin.HandleFunc("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	origin.HandleFunc("/", document(rulesPage, "Content-Security-Policy: "+policy))
	origin.HandleFunc("/thanks", document(`<!doctype html><title>Thanks</title><script src="/chat.js"></script><p>Thanks`, "Content-Security-Policy: "+policy))
	w := start(t, options{handler: rulesHandler, origin: origin})
	tab := browsertest.New(t)
	complaints := browsertest.Watch(t, tab)
	wire := watchWire(t, tab)

	browsertest.Do(t, tab, chromedp.Navigate(w.site+"/"))
	browsertest.Eval(t, tab, `(liveChat('sendMessage', 'Hello'), null)`)
	eventually(t, func(c *assert.CollectT) { assert.Len(c, w.persons(), 1) })
	id := w.persons()[0].ID
	story := func() []string { return w.story(id, "name", "label") }
	has := func(line string) {
		t.Helper()
		eventually(t, func(c *assert.CollectT) { assert.Contains(c, story(), line) })
	}
	browsertest.Do(t, tab, chromedp.Click(chromedp.CSS(`.buy`)))
	has("action Platform p-1")
	browsertest.Eval(t, tab, `(scrollTo(0, 9999), null)`)
	has("action visible")
	has("action scrolled")
	browsertest.Do(t, tab, chromedp.Click(chromedp.CSS(`#send`)))
	has("action Ada")
	browsertest.Do(t, tab, chromedp.WaitReady(chromedp.CSS(`p`)))
	has("pageView")

	lines := slices.DeleteFunc(story(), func(line string) bool { return !strings.HasPrefix(line, "action") })
	assert.ElementsMatch(t, []string{"action Platform p-1", "action visible", "action scrolled", "action Ada"}, lines)
	var person map[string]any
	eventually(t, func(c *assert.CollectT) {
		require.Equal(c, http.StatusOK, w.get("api/persons/"+id, &person))
		assert.Equal(c, "Ada", person["firstName"])
	})
	stored, err := json.Marshal([]any{person, w.timeline(id)})
	require.NoError(t, err)
	assert.Contains(t, string(stored), "ada@shop.example")
	assert.NotContains(t, string(stored), "4929000000006")
	assert.NotContains(t, wire(), "4929000000006")
	assert.Contains(t, wire(), "ada@shop.example", "the wire was watched")
	for _, c := range complaints.All() {
		assert.Contains(t, c.Text, "is left out")
	}
	assert.Len(t, complaints.All(), 3, "what is private is missing, once each: label, city, customAttributes.car")
}

// watchWire collects the bodies of the tab's calls.
func watchWire(t *testing.T, tab context.Context) func() string {
	t.Helper()
	var mu sync.Mutex
	var sent strings.Builder
	require.NoError(t, chromedp.Listen(tab, func(event any) {
		e, ok := event.(*network.EventRequestWillBeSent)
		if !ok || !strings.HasSuffix(e.Request.URL, "/v1/batch") {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, entry := range e.Request.PostDataEntries {
			sent.Write(entry.Bytes)
		}
	}))
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return sent.String()
	}
}

// TestRulesOfTheDemo asks the shop about the car: its page has no code that
// would record that.
func TestRulesOfTheDemo(t *testing.T) {
	w := demo(t)
	tab := browsertest.New(t)
	browsertest.Do(t, tab, chromedp.Navigate(w.site+"/product.html"), chromedp.Click(chromedp.CSS(`[data-ask]`)),
		chromedp.SendKeys(chromedp.CSS(`.lc-widget-input`), "An estate"), chromedp.KeyEvent(kb.Enter))
	eventually(t, func(c *assert.CollectT) {
		if persons := w.persons(); assert.Len(c, persons, 1) {
			assert.Contains(c, w.story(persons[0].ID), "action Ask about your car")
		}
	})
}
