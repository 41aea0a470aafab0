package sdk

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

// realScript plays widget.js: it takes over the function, replays what the stub
// queued and defines the class. log is what a page can see of it.
const realScript = `(function () {
	const queued = (window.liveChat && window.liveChat.q) || [];
	const real = function (name, argument, callback) {
		log.push(['real', name, argument, arguments.length, this === window || this === undefined]);
		if (name === 'explode') throw new RangeError('boom');
		if (callback) callback(null, { ok: name });
		return 'done ' + name;
	};
	real.version = 3;
	window.liveChat = real;
	queued.forEach(a => window.liveChat.apply(window, a));
	window.LiveChatSDK = class LiveChatSDK {
		#secret = 1;
		static #made = 0;
		static count() { return this.#made }
		async sendMessage(m) { log.push(['send', m, this.#secret, this instanceof LiveChatSDK]); return { success: true, data: m } }
		async createThread(m) { log.push(['thread', m]); throw new TypeError('no') }
		on(n, f) { log.push(['on', n]) }
	};
})();`

// variant is a page with Live Chat. Its scripts push what they see to log; that
// must be the same with and without us.
type variant struct {
	name string
	head string // after our tag
	want []string
}

const use = `<script>
	log.push(['stub', typeof liveChat, liveChat.name, liveChat.length, Object.keys(liveChat).join(), Array.isArray(liveChat.q), 'liveChat' in window]);
	log.push(['property', Object.keys(window).includes('liveChat'), { ...Object.getOwnPropertyDescriptor(window, 'liveChat'), value: 0 }, liveChat === window.liveChat]);
</script>`

const talk = `<script>
	addEventListener('unhandledrejection', e => { log.push(['rejected', String(e.reason)]); e.preventDefault() });
	log.push(['returns', liveChat('auth', 'jwt-1', (e, r) => log.push(['callback', e, r]))]);
	try { liveChat('explode') } catch (e) { log.push(['threw', String(e)]) }
	log.push(['call', liveChat.call(null, 'show', null), liveChat.apply(null, ['hide']), liveChat.bind(null, 'x')()]);
	log.push(['version', liveChat.version]);
	(async () => {
		const chat = new LiveChatSDK();
		log.push(['class', LiveChatSDK.name, LiveChatSDK.count(), chat.constructor === LiveChatSDK, Object.getOwnPropertyNames(LiveChatSDK.prototype).join(), chat.sendMessage.name, chat.sendMessage.length]);
		log.push(['sent', await chat.sendMessage({ message: 'hi' })]);
		class Mine extends LiveChatSDK { async sendMessage(m) { return ['mine', await super.sendMessage(m)] } }
		log.push(['sub', await new Mine().sendMessage('yo')]);
		chat.createThread('t');
		await new Promise(r => setTimeout(r, 30));
		liveChat('logout');
		log.push('end');
	})();
</script>`

const startLog = `<script>window.log = []</script>`

func variants() []variant {
	inline := "<script>" + realScript + "</script>"
	whole := []string{chatCall("authenticated", "jwt-1"), chatCall("started", ""), chatCall("ended", "")}
	return []variant{
		{"stub before, real script later", startLog + stub + use + inline + talk, whole},
		{"minified loader in one line", startLog + `<script>!function(t,e,i,a,c){t[c]=t[c]||function(){(t[c].q=t[c].q||[]).push(arguments)},t[c].t=1*new Date;var n=e.createElement(i);n.src=a,e.head.append(n)}(window,document,"script","/late.js","liveChat"),liveChat("init","` + widgetID + `")</script>` + use + inline + talk, whole},
		{"function declaration", startLog + `<script>function liveChat() { (liveChat.q = liveChat.q || []).push(arguments) } liveChat('init', '` + widgetID + `')</script>` + use + inline + talk, whole},
		{"var", startLog + `<script>var liveChat = function () { (liveChat.q = liveChat.q || []).push(arguments) }; liveChat('init', '` + widgetID + `')</script>` + use + inline + talk, whole},
		{
			"auth before init", startLog + `<script>window.liveChat = window.liveChat || function () { (liveChat.q = liveChat.q || []).push(arguments) };
			liveChat('auth', 'jwt-0'); liveChat('init', { widgetId: '` + widgetID + `', domain: 'd' })</script>` + use + inline + talk,
			[]string{chatCall("authenticated", "jwt-0"), chatCall("authenticated", "jwt-1"), chatCall("started", ""), chatCall("ended", "")},
		},
		{
			"guarded loader", startLog + `<script>
				if (!("liveChat" in window)) { window["liveChat"] = function () { (window["liveChat"].q = window["liveChat"].q || []).push(arguments); }; }
				liveChat( "init", { widgetId: "` + widgetID + `" } );
			</script>` + use + inline + talk, whole,
		},
		{
			"loader and real script from files", startLog + `<script src="/loader.js"></script>` + use + `<script src="/widget.js"></script>` + talk, whole,
		},
		{
			"real script added by the loader", startLog + stub + `<script>const s = document.createElement('script'); s.src = '/widget.js'; document.head.append(s);
				s.onload = () => { const talk = document.createElement('script'); talk.textContent = document.querySelector('template').content.textContent; document.head.append(talk) }</script>
				<template>` + strings.NewReplacer("<script>", "", "</script>", "").Replace(talk) + `</template>`, whole,
		},
		{"real script loaded twice", startLog + stub + use + inline + inline + talk, whole},
		{"real script in strict mode", startLog + stub + use + `<script>'use strict';` + realScript + `</script>` + talk, whole},
		{"only the real script", startLog + inline + `<script>liveChat('init', '` + widgetID + `')</script>` + talk, whole},
	}
}

// B9: what the page sees of Live Chat is the same with and without us, and we
// see what happened.
func TestB9_ObservationIsTransparent(t *testing.T) {
	for _, v := range variants() {
		t.Run("ok/"+v.name, func(t *testing.T) {
			s := newSite(t)
			s.add("/with", TagOptions{AutoInit: true, Key: "auto"}, v.head)
			s.raw("/without", `<!doctype html><html lang="en"><head><title>Shop</title>`+v.head+`</head><body>Hello</body></html>`)
			s.raw("/late.js", ";")
			s.raw("/loader.js", strings.NewReplacer("<script>", "", "</script>", "").Replace(stub))
			s.raw("/widget.js", realScript)
			const read = `while (log.at(-1) != 'end') await new Promise(r => setTimeout(r, 5)); return log`
			plain := s.tab(t).open("/without")
			want := plain.eval(read)
			plain.clean()
			p := s.tab(t).open("/with")
			assert.JSONEq(t, want, p.eval(read))
			s.waitForChats(v.want...)
			p.clean()
		})
	}
}

// Things a page may do with the name that have nothing to do with functions.
func TestB9_OtherValuesOfLiveChat(t *testing.T) {
	for name, script := range map[string]string{
		"null":                  `window.liveChat = null; log.push(liveChat)`,
		"object":                `window.liveChat = { open: 1 }; log.push(liveChat.open, typeof liveChat)`,
		"own accessor":          `let n = 0; Object.defineProperty(window, 'liveChat', { get: () => ++n, set: v => { n = v }, configurable: true }); liveChat = 5; log.push(liveChat, liveChat)`,
		"throwing accessor":     `Object.defineProperty(window, 'liveChat', { get() { throw new Error('x') } })`,
		"frozen":                `Object.defineProperty(window, 'liveChat', { value: Object.freeze(function f() { return 7 }) }); log.push(liveChat())`,
		"lexical":               `let liveChat = () => 8; log.push(liveChat(), typeof window.liveChat)`,
		"lexical class":         `class liveChat {} log.push(typeof liveChat)`,
		"guarded":               `log.push('liveChat' in window, window.hasOwnProperty('liveChat'), typeof liveChat); try { liveChat } catch (e) { log.push(e.name) }`,
		"strict assignment":     `'use strict'; try { liveChat = 1 } catch (e) { log.push(e.name) }`,
		"deleted":               `window.liveChat = () => 1; log.push(delete window.liveChat, 'liveChat' in window)`,
		"queue of other things": `window.liveChat = function () {}; liveChat.q = [null, 3, 'init', { length: 1 }]; log.push(liveChat.q.length)`,
	} {
		t.Run("ok/"+name, func(t *testing.T) {
			s := newSite(t)
			head := startLog + "<script>" + script + "</script><script>log.push('next', Object.keys(window).includes('liveChat'))</script>"
			s.add("/with", TagOptions{AutoInit: true, Key: "auto"}, head)
			s.raw("/without", `<!doctype html><head>`+head)
			want := s.tab(t).open("/without").eval(`return log`)
			p := s.tab(t).open("/with")
			assert.JSONEq(t, want, p.eval(`return log`))
			p.clean()
		})
	}
}

func TestB9_ChatIsReportedOnceUntilItEnds(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{AutoInit: true, Key: "auto"}, stub)
	p := s.tab(t).open("/")
	s.waitFor("init", "page")
	p.eval(`liveChat('show'); liveChat('sendMessage', 'a'); liveChat('sendMessage', 'b'); liveChat('createThread');
		await 0; liveChat('logout'); liveChat('sendMessage', 'c')`)
	s.waitFor("init", "page", chatCall("started", ""), chatCall("ended", ""), chatCall("started", ""))
	p.clean()
}

func TestB9_AClassThatComesLate(t *testing.T) {
	for name, script := range map[string]string{
		"on window":   `window.LiveChatSDK = class { async sendMessage() { return 1 } }`,
		"declaration": `class LiveChatSDK { async sendMessage() { return 1 } }`,
	} {
		t.Run("ok/"+name, func(t *testing.T) {
			s := newSite(t)
			s.add("/", TagOptions{AutoInit: true, Key: "auto"}, "")
			s.raw("/widget.js", script)
			p := s.tab(t).open("/")
			p.eval(`const s = document.createElement('script'); s.src = '/widget.js';
				await new Promise(r => { s.onload = r; document.head.append(s) });
				return new LiveChatSDK().sendMessage()`)
			s.waitForChats(`chat {"state":"started"}`)
			p.clean()
		})
	}
}

// Behind the last script of a page nothing is parsed any more.
func TestB9_ALoaderAtTheVeryEnd(t *testing.T) {
	s := newSite(t)
	tag, err := Plain().Tag(TagOptions{Base: "/_people", AutoInit: true, Key: "auto"})
	require.NoError(t, err)
	s.raw("/", "<!doctype html>"+string(tag)+"<p>Hello"+stub)
	p := s.tab(t).open("/")
	s.waitFor("init", "page")
	p.clean()
}

func TestB9_SignalsCanBeTurnedOff(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{AutoInit: true, Key: "auto", Signals: []string{}}, startLog+stub+"<script>"+realScript+"</script>")
	p := s.tab(t).open("/")
	s.waitFor("init", "page")
	p.eval(`liveChat('auth', 'x'); liveChat('sendMessage'); await new LiveChatSDK().sendMessage(); const sdk = new PeopleTrackingSDK(); await sdk.init('auto'); await sdk.track('x')`)
	s.waitFor("init", "page", "init", `track {"eventId":"x"}`)
}

func TestB9_ChatByTheSite(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{}, stub)
	p := s.tab(t).open("/")
	require.JSONEq(t, succeeded, p.eval(exampleInit))
	assert.JSONEq(t, succeeded, p.eval(`return sdk.chat('started')`))
	assert.JSONEq(t, succeeded, p.eval(`liveChat('sendMessage', 'x'); return sdk.chat('authenticated', 'jwt')`))
	assert.JSONEq(t, succeeded, p.eval(`return sdk.chat('ended')`))
	s.waitFor("init", "page", chatCall("started", ""), chatCall("authenticated", "jwt"), chatCall("ended", ""))
	p.clean()
}

// B9 c: the widget's frame tells the page, from its own origin only.
func TestB9_Messages(t *testing.T) {
	frame := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><script>onmessage = e => parent.postMessage(e.data, '*'); parent.postMessage('ready', '*')</script>`)
	}))
	t.Cleanup(frame.Close)
	addr := frame.Listener.Addr().String()
	own := browsertest.NewBrowser(
		browsertest.Host("livechat.infobip.com", addr), browsertest.Host("livechat-shop.infobip.com", addr),
		browsertest.Host("livechat.infobip.com.evil.example", addr), browsertest.Host("chat.example.com", addr))
	t.Cleanup(own.Close)

	for _, c := range []struct {
		name, origin, message string
		started               bool
	}{
		{"ok/the widget", "https://livechat.infobip.com", `{ destination: 'sendMessage' }`, true},
		{"ok/a widget of its own domain, as text", "https://livechat-shop.infobip.com", `'{"event":"threadCreated"}'`, true},
		{"ok/an operator's widget host", "https://chat.example.com", `{ type: 'messageSent' }`, true},
		{"ok/opening is no start", "https://livechat.infobip.com", `{ destination: 'viewChange', view: 'THREAD' }`, false},
		{"ok/other data", "https://livechat.infobip.com", `[null, 1n]`, false},
		{"fail/a foreign origin", "https://livechat.infobip.com.evil.example", `{ destination: 'sendMessage' }`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.add("/", TagOptions{AutoInit: true, Key: "auto", WidgetOrigins: []string{"https://chat.example.com"}}, stub)
			p := s.in(t, own.Page(t)).open("/")
			s.waitFor("init", "page")
			p.eval(`dispatchEvent(new MessageEvent('message', { origin: 'https://livechat.infobip.com', data: { type: 'sendMessage' } }));
				const f = document.createElement('iframe'); f.src = '` + c.origin + `/';
				await new Promise(r => { onmessage = r; document.body.append(f) });
				await new Promise(r => { onmessage = r; f.contentWindow.postMessage(` + c.message + `, '*') });
				const sdk = new PeopleTrackingSDK(); await sdk.init('auto')`)
			want := []string{"init", "page", "init"}
			if c.started {
				want = []string{"init", "page", chatCall("started", ""), "init"}
			}
			s.waitFor(want...)
			p.clean()
		})
	}
}

// B9 d: what is received counts once the visitor went into the widget's frame.
func TestB9_Received(t *testing.T) {
	frame := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><input>`)
	}))
	t.Cleanup(frame.Close)
	addr := frame.Listener.Addr().String()
	own := browsertest.NewBrowser(browsertest.Host("livechat.infobip.com", addr), browsertest.Host("video.example", addr))
	t.Cleanup(own.Close)
	const class = `<script>window.handlers = []; window.made = 0;
		window.LiveChatSDK = class { constructor() { made++ } on(name, handler) { handlers.push([name, handler]) } };
		window.receive = () => handlers.forEach(([n, h]) => n == 'messageReceived' && h({ message: 'hello' }))</script>`

	for _, c := range []struct {
		name, origin string
		signals      []string
		started      bool
	}{
		{"ok/the widget's frame", "https://livechat.infobip.com", nil, true},
		{"ok/another frame", "https://video.example", nil, false},
		{"ok/turned off", "https://livechat.infobip.com", []string{SignalCalls, SignalMessages}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.add("/", TagOptions{AutoInit: true, Key: "auto", Signals: c.signals}, class+stub)
			p := s.in(t, own.Page(t)).open("/")
			s.waitFor("init", "page")
			p.eval(`const f = document.createElement('iframe'); f.src = '` + c.origin + `/';
				await new Promise(r => { f.onload = r; document.body.append(f) });
				receive(); window.focus(); f.focus();
				for (let i = 0; i < 20 && !handlers.length; i++) await new Promise(r => setTimeout(r, 10));
				receive(); receive();
				const sdk = new PeopleTrackingSDK(); await sdk.init('auto')`)
			if c.started {
				s.waitFor("init", "page", chatCall("started", ""), "init")
				assert.Equal(t, "1", p.eval(`return made`))
			} else {
				s.waitFor("init", "page", "init")
				assert.Equal(t, "0", p.eval(`return made`), "the widget is left alone")
			}
			p.clean()
		})
	}
}

// Section 2 of the findings: whoever defines the name later, the site's calls
// keep reaching us.
func TestTheNameIsKept(t *testing.T) {
	for name, script := range map[string]string{
		"assignment":      `window.PeopleTrackingSDK = class {}`,
		"bare assignment": `PeopleTrackingSDK = class {}`,
		"strict":          `'use strict'; PeopleTrackingSDK = 1`,
		"var":             `var PeopleTrackingSDK = class {}`,
		"function":        `function PeopleTrackingSDK() {}`,
		"class":           `class PeopleTrackingSDK {}`,
		"let":             `let PeopleTrackingSDK = 5`,
		"self":            `self['PeopleTrackingSDK'] = class {}`,
		"again and again": `PeopleTrackingSDK = 1</script><script>var PeopleTrackingSDK = 2</script><script>PeopleTrackingSDK = 3`,
		"define value":    `Object.defineProperty(window, 'PeopleTrackingSDK', { value: 1 })`,
		"define getter":   `Object.defineProperty(window, 'PeopleTrackingSDK', { get: () => 1 })`,
	} {
		t.Run("ok/"+name, func(t *testing.T) {
			s := newSite(t)
			s.add("/", TagOptions{}, stub+"<script>"+script+"</script><script>window.sdk = new PeopleTrackingSDK(); window.done = sdk.init('k')</script>")
			p := s.tab(t).open("/")
			assert.JSONEq(t, succeeded, p.eval(`return done`))
			assert.Equal(t, `[true,true]`, p.eval(`return [sdk instanceof PeopleTrackingSDK, sdk instanceof window.PeopleTrackingSDK]`))
			s.waitFor("init", "page")
			assert.Empty(t, p.Errors())
			require.Len(t, p.All(), 1)
			assert.Equal(t, "console.warning", p.All()[0].Kind)
		})
	}
	// Where a definition cannot be undone, it is said once.
	for name, c := range map[string]struct{ script, ours string }{
		"const":  {`const PeopleTrackingSDK = class { init() { return { theirs: true } } }`, `[false,true]`},
		"frozen": {`Object.defineProperty(window, 'PeopleTrackingSDK', { value: class { init() { return { theirs: true } } }, configurable: false })`, `[false,false]`},
	} {
		t.Run("fail/"+name, func(t *testing.T) {
			s := newSite(t)
			s.add("/", TagOptions{AutoInit: true, Key: "auto"}, "<script>window.Ours = PeopleTrackingSDK</script>"+stub+"<script>"+c.script+"</script><script>1</script>")
			p := s.tab(t).open("/")
			s.waitFor("init", "page")
			assert.Equal(t, c.ours, p.eval(`return [PeopleTrackingSDK === Ours, window.PeopleTrackingSDK === Ours]`))
			assert.Equal(t, `{"theirs":true}`, p.eval(`return new PeopleTrackingSDK().init()`))
			require.Len(t, p.All(), 1)
			assert.Equal(t, "console.warning", p.All()[0].Kind)
		})
	}
	for name, script := range map[string]string{
		"guard": `window.PeopleTrackingSDK = window.PeopleTrackingSDK || class {}`,
		"in":    `if (!('PeopleTrackingSDK' in window)) PeopleTrackingSDK = 1`,
		"twice": `</script><script src="/_people/v1/sdk.js?again">`,
	} {
		t.Run("ok/silent "+name, func(t *testing.T) {
			s := newSite(t)
			s.add("/", TagOptions{AutoInit: true, Key: "auto"}, stub+"<script>"+script+"</script>")
			p := s.tab(t).open("/")
			s.waitFor("init", "page")
			p.clean()
		})
	}
}
