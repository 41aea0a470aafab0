package demo_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

const widgetID = "85ea1938-f457-496d-8532-8fa489beea63"

// answer is what a callback of liveChat got.
type answer struct {
	Error *struct {
		Code    int
		Message string
	}
	Result any
}

// result is what a promise of LiveChatSDK gave.
type result struct {
	Success bool
	Data    any
	Error   *struct {
		Code                            int
		Name, Message, Origin, Platform string
	}
}

// earlyPage issues commands while there is only the loader's function, the way
// a page does that does not wait. The widget's script comes when the test says.
const earlyPage = `<!doctype html><title>Early</title><link rel="icon" href="data:,"><body><script>
	window.liveChat = function () { (liveChat.q = liveChat.q || []).push(arguments); };
	liveChat.t = Date.now();
	window.answers = {};
	const note = (name) => (error, result) => { answers[name] = { error, result }; };
	liveChat('auth', ` + "`x.${btoa(JSON.stringify({ iss: '" + widgetID + `', sub: 'a@shop.example', stp: 'email', iat: Date.now() / 1000 }))}.x` + "`" + `, note('auth'));
	liveChat('init', '` + widgetID + `', note('init'));
	liveChat('show', null, note('show'));
	liveChat('dance', null, note('dance'));
	window.queued = liveChat.q.map((call) => call[0]);
	window.load = () => { document.head.append(Object.assign(document.createElement('script'), { src: '/widget.js' })); };
</script></body>`

func TestQueuedCommandsAreReplayed(t *testing.T) {
	url, page := shop(t, map[string]string{"/early": earlyPage})
	browsertest.Do(t, page, chromedp.Navigate(url+"/early"))
	assert.JSONEq(t, `["auth", "init", "show", "dance"]`, browsertest.Eval(t, page, `queued`))
	assert.Equal(t, `"undefined"`, browsertest.Eval(t, page, `typeof LiveChatSDK`), "the class comes with the script")

	browsertest.Do(t, page, script(`load()`))
	browsertest.Until(t, page, `Object.keys(answers).length === 4`)
	answers := browsertest.EvalInto[map[string]answer](t, page, `answers`)
	assert.Equal(t, map[string]any{"widgetId": widgetID}, answers["init"].Result)
	assert.Equal(t, map[string]any{"stp": "email", "sub": "a@shop.example"}, answers["auth"].Result, "auth may stand before init")
	for _, name := range []string{"auth", "init", "show"} {
		assert.Nil(t, answers[name].Error, name)
	}
	require.NotNil(t, answers["dance"].Error)
	assert.NotZero(t, answers["dance"].Error.Code)
	assert.Contains(t, answers["dance"].Error.Message, "dance")
	assert.Nil(t, answers["dance"].Result)
	assert.Equal(t, "true", browsertest.Eval(t, page, `document.querySelector('.lc-widget-panel').checkVisibility()`), "show was carried out")
}

func TestCommandsAnswerTheirCallbacks(t *testing.T) {
	url, page := shop(t, map[string]string{"/bare": `<!doctype html><title>Bare</title><link rel="icon" href="data:,"><body><script src="/widget.js"></script>`})
	browsertest.Do(t, page, chromedp.Navigate(url+"/bare"))
	call := func(arguments string) answer {
		return browsertest.EvalInto[answer](t, page, `new Promise((done) => liveChat(`+arguments+`, (error, result) => done({ error, result })))`)
	}
	const other = `'x.' + btoa(JSON.stringify({ iss: 'other', sub: 'a', stp: 'email', iat: Date.now() / 1000 })) + '.x'`
	const old = `'x.' + btoa(JSON.stringify({ iss: '` + widgetID + `', sub: 'a', stp: 'email', iat: Date.now() / 1000 - 16 })) + '.x'`
	for _, c := range []struct {
		name, arguments, fails string
	}{
		{"fail/show before init", `'show', null`, "not initialized"},
		{"fail/init without an id", `'init', 'shop'`, "not found"},
		{"ok/init with an object", `'init', { widgetId: '` + widgetID + `' }`, ""},
		{"ok/init again", `'init', '` + widgetID + `'`, ""},
		{"ok/show", `'show', null`, ""},
		{"ok/sendMessage", `'sendMessage', { message: 'Hello' }`, ""},
		{"fail/sendMessage without text", `'sendMessage', {}`, "text"},
		{"fail/auth with nonsense", `'auth', 'nonsense'`, "cannot be read"},
		{"fail/auth of another widget", `'auth', ` + other, "another widget"},
		{"fail/auth 16 s after iat without exp", `'auth', ` + old, "expired"},
		{"ok/logout", `'logout', null`, ""},
		{"ok/hide", `'hide', null`, ""},
		{"fail/unknown", `'toString', null`, "no command"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := call(c.arguments)
			if c.fails == "" {
				assert.Nil(t, got.Error)
				return
			}
			require.NotNil(t, got.Error)
			assert.Nil(t, got.Result)
			assert.NotZero(t, got.Error.Code)
			assert.Contains(t, got.Error.Message, c.fails)
		})
	}
	assert.Equal(t, "1", browsertest.Eval(t, page, `document.querySelectorAll('.lc-widget-wrapper').length`), "init twice makes one panel")
}

func TestLiveChatSDKResults(t *testing.T) {
	url, page := shop(t, map[string]string{"/bare": `<!doctype html><title>Bare</title><link rel="icon" href="data:,"><body><script src="/widget.js"></script>`})
	browsertest.Do(t, page, chromedp.Navigate(url+"/bare"), script(`window.sdk = new LiveChatSDK(); window.received = [];
		sdk.on('messageReceived', (message) => received.push(message)); 0`))
	call := func(expression string) result { return browsertest.EvalInto[result](t, page, `sdk.`+expression) }

	early := call(`sendMessage({ message: 'Hello' })`)
	require.NotNil(t, early.Error)
	assert.False(t, early.Success)
	assert.Equal(t, 4001, early.Error.Code)
	assert.Equal(t, "InitRequiredError", early.Error.Name)
	assert.Equal(t, "Livechat Widget", early.Error.Origin)
	assert.Equal(t, "fe-snippet", early.Error.Platform)

	browsertest.Do(t, page, script(`liveChat('init', '`+widgetID+`')`))
	assert.Equal(t, result{Success: true}, call(`getActiveThread()`))
	assert.Equal(t, result{Success: true, Data: []any{}}, call(`getThreads()`))

	first := call(`createThread({ message: 'Does it fit?' })`)
	require.True(t, first.Success)
	assert.Equal(t, first, call(`sendMessage({ message: 'An estate, 2014' })`), "a message goes to the active thread")
	assert.Equal(t, first, call(`getActiveThread()`))
	second := call(`createThread({ message: 'Another matter' })`)
	assert.Equal(t, []any{first.Data, second.Data}, call(`getThreads()`).Data)

	assert.True(t, call(`getWidget().showThread('`+first.Data.(map[string]any)["id"].(string)+`')`).Success)
	assert.Equal(t, first, call(`getActiveThread()`))
	assert.Equal(t, "ThreadNotFoundError", call(`getWidget().showThread('none')`).Error.Name)
	assert.True(t, call(`getWidget().openNewThread()`).Success)
	assert.Equal(t, result{Success: true}, call(`getActiveThread()`))

	for name, payload := range map[string]string{"nothing": ``, "no text": `{ message: 7 }`, "blanks": `{ message: '  ' }`, "too long": `{ message: 'x'.repeat(4097) }`} {
		assert.False(t, call(`sendMessage(`+payload+`)`).Success, name)
	}
	assert.True(t, call(`sendMessage({ message: 'x'.repeat(4096) })`).Success)
	browsertest.Until(t, page, `received.length === 4`)
	assert.Contains(t, browsertest.Eval(t, page, `received[0].message`), "Does it fit?")
}

func TestPanelKeepsTheChatAndForgetsItOnLogout(t *testing.T) {
	url, page := shop(t, nil)
	browsertest.Do(t, page, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url+"/product.html"))
	browsertest.Until(t, page, `document.querySelector('.lc-widget-button')`)
	// Neither face is called by the panel, as in the genuine widget's frame.
	browsertest.Do(t, page, script(`window.events = []; window.faces = 0;
		addEventListener('message', (event) => events.push({ origin: event.origin, ...event.data }));
		for (const name of ['sendMessage', 'createThread']) LiveChatSDK.prototype[name] = () => { faces++; };
		window.liveChat = () => { faces++; }; 0`),
		click(`.lc-widget-button`), chromedp.WaitVisible(chromedp.CSS(`.lc-widget-input`)))
	assert.Equal(t, `"lc-widget-input"`, browsertest.Eval(t, page, `document.activeElement.className`))
	assert.Contains(t, browsertest.Eval(t, page, `document.querySelector('.lc-widget-head').innerText`), "stand-in")
	browsertest.Do(t, page, chromedp.KeyEvent("Will it fit?"), chromedp.KeyEvent(kb.Enter))
	browsertest.Until(t, page, `document.querySelectorAll('.lc-widget-messages li').length === 2`)
	picture(t, page, "panel")

	echo := browsertest.Eval(t, page, `document.querySelector('.lc-widget-messages .echo').textContent`)
	assert.Contains(t, echo, "Will it fit?")
	assert.Contains(t, echo, "automatic echo")
	assert.Equal(t, "0", browsertest.Eval(t, page, `faces`))
	events := browsertest.EvalInto[[]map[string]any](t, page, `events`)
	var told []string
	for _, event := range events {
		assert.Equal(t, url, event["origin"])
		told = append(told, strings.TrimSuffix(event["destination"].(string)+" "+text(event["view"]), " "))
	}
	assert.Equal(t, []string{"viewChange THREAD_LIST", "messageSent", "threadCreated", "viewChange THREAD"}, told)

	browsertest.Do(t, page, chromedp.Navigate(url+"/"))
	browsertest.Until(t, page, `document.querySelectorAll('.lc-widget-messages li').length === 2`)
	assert.Equal(t, "true", browsertest.Eval(t, page, `document.querySelector('.lc-widget-panel').checkVisibility()`), "still open on the next page")

	browsertest.Do(t, page, script(`new Promise((done) => liveChat('logout', null, done))`))
	assert.Equal(t, "0", browsertest.Eval(t, page, `document.querySelectorAll('.lc-widget-messages li').length`))
	browsertest.Do(t, page, chromedp.Focus(chromedp.CSS(`.lc-widget-input`)), chromedp.KeyEvent(kb.Escape))
	assert.Equal(t, "false", browsertest.Eval(t, page, `document.querySelector('.lc-widget-panel').checkVisibility()`))
	assert.Equal(t, `"lc-widget-button"`, browsertest.Eval(t, page, `document.activeElement.className`), "the focus goes back")
}

func text(value any) string {
	s, _ := value.(string)
	return s
}
