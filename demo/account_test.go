package demo_test

import (
	"encoding/base64"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

// spyOnChat notes the commands of this page and of those after it.
const spyOnChat = `{
	const real = window.liveChat;
	window.liveChat = function (command, argument) {
		sessionStorage.spied = JSON.stringify([...JSON.parse(sessionStorage.spied ?? '[]'), [command, argument ?? '']]);
		return real.apply(this, arguments);
	};
} 0`

func TestSignInMakesATokenThatTheCaddyfileKnows(t *testing.T) {
	url, page := shop(t, nil)
	browsertest.Do(t, page, chromedp.EmulateViewport(1280, 1400), chromedp.Navigate(url+"/account.html"))
	browsertest.Until(t, page, `window.LiveChatSDK && document.querySelector('.lc-widget-button')`)
	browsertest.Do(t, page, script(spyOnChat),
		fill(`#sign-in [name=email]`, "visitor@shop.example"), click(`#sign-in button:not([type])`))
	browsertest.Until(t, page, `document.querySelector('#status').textContent.startsWith('Signed in')`)
	assert.Equal(t, `"visitor@shop.example"`, browsertest.Eval(t, page, `document.querySelector('#who').textContent`))
	assert.Contains(t, browsertest.Eval(t, page, `document.querySelector('.lc-widget-user').textContent`), "visitor@shop.example")
	picture(t, page, "signed-in")

	spied := browsertest.EvalInto[[][2]string](t, page, `JSON.parse(sessionStorage.spied)`)
	require.Len(t, spied, 1)
	require.Equal(t, "auth", spied[0][0])
	first := verify(t, spied[0][1])
	assert.Equal(t, "visitor@shop.example", first["sub"])
	assert.Equal(t, "email", first["stp"])
	assert.Equal(t, "demo", first["ski"])
	assert.LessOrEqual(t, len(first["jti"].(string)), 50)
	assert.NotEmpty(t, first["sid"])
	assert.LessOrEqual(t, len(first["sid"].(string)), 50)
	assert.Equal(t, 60, int(first["exp"].(float64)-first["iat"].(float64)))

	// The next page signs in again, with a fresh token of the same session.
	second := verify(t, browsertest.EvalInto[string](t, page, `import('/sign-in.js').then((m) => {
		const customer = JSON.parse(localStorage['shop.customer']);
		return m.liveChatToken(customer.email, customer.session);
	})`))
	assert.NotEqual(t, first["jti"], second["jti"])
	assert.Equal(t, first["sid"], second["sid"])
	browsertest.Do(t, page, chromedp.Navigate(url+"/"))
	browsertest.Until(t, page, `document.querySelector('.lc-widget-user')?.textContent.includes('visitor@shop.example')`)

	browsertest.Do(t, page, chromedp.EmulateViewport(1280, 1400), chromedp.Navigate(url+"/account.html"))
	browsertest.Until(t, page, `window.LiveChatSDK && !document.querySelector('#signed-in').hidden`)
	browsertest.Do(t, page, script(spyOnChat), click(`#sign-out`))
	browsertest.Until(t, page, `document.querySelector('#status').textContent === 'Signed out.'`)
	spied = browsertest.EvalInto[[][2]string](t, page, `JSON.parse(sessionStorage.spied)`)
	assert.Equal(t, [2]string{"logout", ""}, spied[len(spied)-1])
	assert.Equal(t, `""`, browsertest.Eval(t, page, `document.querySelector('.lc-widget-user').textContent`))
	assert.Equal(t, "null", browsertest.Eval(t, page, `localStorage.getItem('shop.customer')`))
}

// verify checks a token with the secret of the Caddyfile and returns its claims.
func verify(t *testing.T, token string) jwt.MapClaims {
	t.Helper()
	caddyfile, err := os.ReadFile("../Caddyfile")
	require.NoError(t, err)
	widget := regexp.MustCompile(`widget\s+(\S+)\s+\{\s+secret_key\s+demo\s+(\S+)`).FindSubmatch(caddyfile)
	require.NotNil(t, widget, "the Caddyfile has a widget with the key demo")
	require.Equal(t, widgetID, string(widget[1]))
	secret, err := base64.StdEncoding.DecodeString(string(widget[2]))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(secret), 32)

	parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(widgetID), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(time.Second))
	require.NoError(t, err)
	return parsed.Claims.(jwt.MapClaims)
}

// fakeSDK puts a class there that notes its calls and refuses lists.
const fakeSDK = `class PeopleTrackingSDK {
	constructor() { window.calls = []; }
	call(method, args) {
		calls.push([method, ...args]);
		return Promise.resolve(method === 'appendToList'
			? { success: false, error: { code: 2019, name: 'AppendToListError' } } : { success: true, data: null });
	}
	init(...args) { return this.call('init', args); }
	track(...args) { return this.call('track', args); }
	updatePerson(...args) { return this.call('updatePerson', args); }
	appendToList(...args) { return this.call('appendToList', args); }
}
window.PeopleTrackingSDK = PeopleTrackingSDK; 0`

func TestPageCallsTheSDKWhereThereIsOne(t *testing.T) {
	url, page := shop(t, nil)
	browsertest.Do(t, page, chromedp.EmulateViewport(1280, 1400), chromedp.Navigate(url+"/account.html"))
	browsertest.Until(t, page, `document.querySelector('.lc-widget-button')`)
	browsertest.Do(t, page, click(`[data-interest=kitchen]`))
	browsertest.Until(t, page, `document.querySelectorAll('#answers li').length === 1`)
	assert.Contains(t, browsertest.Eval(t, page, `document.querySelector('#answers').innerText`), "no People tracking")

	browsertest.Do(t, page, script(fakeSDK), fill(`[name=firstName]`, "Ada "),
		fill(`#details [name=email]`, "ada@shop.example"), fill(`[name=phone]`, "+44 20 7946 0000"),
		fill(`[name=car]`, "Estate"), click(`#details button:not([type])`), click(`[data-interest=kitchen]`))
	browsertest.Until(t, page, `document.querySelectorAll('#answers li').length === 4`)
	picture(t, page, "answers")
	assert.JSONEq(t, `[
		["init", "demo-shop-web-tracking"],
		["updatePerson", {"firstName": "Ada", "customAttributes": {"car": "Estate"},
			"contactInformation": {"email": [{"address": "ada@shop.example"}], "phone": [{"number": "442079460000"}]}}],
		["appendToList", "category", {"name": "kitchen"}]]`, browsertest.Eval(t, page, `calls`))
	assert.Contains(t, browsertest.Eval(t, page, `document.querySelector('#answers .failed').textContent`), "2019")

	browsertest.Do(t, page, chromedp.Navigate(url+"/product.html"))
	browsertest.Until(t, page, `document.querySelector('.lc-widget-button')`)
	browsertest.Do(t, page, script(fakeSDK), click(`#favourite`))
	browsertest.Until(t, page, `window.calls?.length === 2`)
	assert.JSONEq(t, `[["init", "demo-shop-web-tracking"], ["track", "action", {"name": "Button clicked", "label": "add-to-favorites"}]]`, browsertest.Eval(t, page, `calls`))
	picture(t, page, "favourite")
}

func TestCaddyfileKnowsTheKeyOfThePages(t *testing.T) {
	caddyfile, err := os.ReadFile("../Caddyfile")
	require.NoError(t, err)
	script, err := os.ReadFile(shopFolder + "/shop.js")
	require.NoError(t, err)
	key := regexp.MustCompile(`TRACKING_KEY = '(.+?)'`).FindSubmatch(script)
	require.NotNil(t, key)
	assert.Regexp(t, `(?m)^\s*api_key\s+`+regexp.QuoteMeta(string(key[1]))+`\s+web:tracking:sdk$`, string(caddyfile))
}
