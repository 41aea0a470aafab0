package sdk

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPoliciesOfTheSite(t *testing.T) {
	for name, c := range map[string]struct{ policy, tag string }{
		"self":          {"default-src 'none'; script-src 'self'; connect-src 'self'", ""},
		"trusted types": {"script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'", ""},
	} {
		t.Run("ok/"+name, func(t *testing.T) {
			s := newSite(t)
			s.headers.Set("Content-Security-Policy", c.policy)
			s.raw("/chat.js", `window.liveChat = function () {}; liveChat.q = [['init', 'w']]`)
			s.add("/", TagOptions{AutoInit: true, Key: "auto"}, `<script src="/chat.js"></script>`)
			p := s.tab(t).open("/")
			s.waitFor("init", "page")
			p.clean()
		})
	}
}

func TestPoliciesWithNonces(t *testing.T) {
	s := newSite(t)
	s.headers.Set("Content-Security-Policy", "script-src 'nonce-n0' 'strict-dynamic'; object-src 'none'; base-uri 'none'; require-trusted-types-for 'script'")
	tag, err := Plain().Tag(TagOptions{Base: "/_people", AutoInit: true, Key: "auto"})
	require.NoError(t, err)
	withNonce := strings.NewReplacer("<script", "<script nonce=n0").Replace
	s.raw("/", "<!doctype html>"+withNonce(string(tag)+stub))
	p := s.tab(t).open("/")
	s.waitFor("init", "page")
	p.clean()
}

// What a policy forbids is tried once.
func TestAPolicyThatForbidsTheRequests(t *testing.T) {
	t.Run("ok/enforced", func(t *testing.T) {
		s := newSite(t)
		s.headers.Set("Content-Security-Policy", "connect-src 'none'")
		s.add("/", TagOptions{}, `<script>window.violations = 0; addEventListener('securitypolicyviolation', () => violations++)</script>`+timers+stub)
		p := s.tab(t).open("/")
		const dropped = `"Person synchronization failed. Cause: dropped"`
		assert.JSONEq(t, dropped, p.eval(`window.sdk = new PeopleTrackingSDK(); const first = sdk.init('k');
			while (!late.some(l => l.ms == 500)) await new Promise(r => setTimeout(r, 5)); fire(500); return (await first).error.message`))
		assert.JSONEq(t, dropped, p.eval(`return (await sdk.init('k')).error.message`))
		assert.Equal(t, `[1,0]`, p.eval(`await new Promise(r => setTimeout(r, 100)); return [violations, localStorage.length - 1]`))
		assert.Empty(t, s.received())
	})

	t.Run("ok/only reported", func(t *testing.T) {
		s := newSite(t)
		s.headers.Set("Content-Security-Policy-Report-Only", "connect-src 'none'")
		s.add("/", TagOptions{}, stub)
		p := s.tab(t).open("/")
		assert.JSONEq(t, succeeded, p.eval(start))
		assert.JSONEq(t, succeeded, p.eval(`return sdk.track('x')`))
	})
}

func TestTheTagMayBeAsync(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{AutoInit: true, Key: "auto", Async: true}, `<base href="https://cdn.example/assets/">`+stub)
	p := s.tab(t).open("/")
	s.waitFor("init", "page")
	assert.Equal(t, s.URL+"/", s.received()[0].Pages[0].URL)
	p.clean()
}

func TestAPageThatShadowsTheDocument(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{AutoInit: true, Key: "auto"}, stub+`</head><body><form name=title></form><img name=referrer><form name=hidden></form><img name=visibilityState>
		<form name=documentElement></form><img name=addEventListener><form name=body></form><title>x\ud800</title>`)
	p := s.tab(t).open("/")
	s.until("init", func(b []batch) bool { return len(b) > 0 })
	assert.Empty(t, s.received()[0].Pages[0].Title)
	p.clean()
}

func TestHalfSurrogatePairs(t *testing.T) {
	s, p := open(t, "")
	assert.JSONEq(t, succeeded, p.eval(`document.title = 'a\ud83d'; return sdk.track('x', { a: '\udc00 \\ud83d 😀', '\ud83d': 1 })`))
	s.waitFor("init", "page", `track {"eventId":"x","properties":{"a":"`+"\ufffd"+` \\ud83d 😀","`+"\ufffd"+`":1}}`)
	assert.Equal(t, "a\ufffd", s.received()[1].Pages[0].Title)
	p.clean()
}

func TestViews(t *testing.T) {
	t.Run("ok/held while nobody sees the page", func(t *testing.T) {
		s := newSite(t)
		s.raw("/", "")
		tag, err := Plain().Tag(TagOptions{Base: "/_people", AutoInit: true, Key: "auto"})
		require.NoError(t, err)
		s.raw("/", `<!doctype html><script>let seen = false; Object.defineProperty(document, 'hidden', { get: () => !seen });
			window.show = () => { seen = true; dispatchEvent(new Event('visibilitychange')) }</script>`+string(tag)+`<title>One</title>`+stub)
		p := s.tab(t).open("/")
		s.waitFor("init")
		p.eval(`document.title = 'Two'; show()`)
		s.waitFor("init", "page")
		assert.Equal(t, "Two", s.received()[1].Pages[0].Title)
		p.eval(`show()`)
		assert.JSONEq(t, succeeded, p.eval(`window.sdk = new PeopleTrackingSDK(); return sdk.init('auto')`))
		s.waitFor("init", "page", "init")
		p.clean()
	})

	t.Run("ok/nothing leaves a page that is only prerendered", func(t *testing.T) {
		s := newSite(t)
		tag, err := Plain().Tag(TagOptions{Base: "/_people", AutoInit: true, Key: "auto"})
		require.NoError(t, err)
		s.raw("/", `<!doctype html><script>Object.defineProperty(document, 'prerendering', { value: true, configurable: true })</script>`+string(tag)+`<title>One</title>`+timers+stub)
		p := s.tab(t).open("/")
		p.eval(`window.sdk = new PeopleTrackingSDK(); window.first = sdk.init('k'); sdk.track('x'); await new Promise(r => setTimeout(r, 100))`)
		assert.Empty(t, s.received())
		assert.Equal(t, "[]", p.eval(`return late.map(l => l.ms)`), "no time-out of init or a call runs yet")
		assert.JSONEq(t, succeeded, p.eval(`document.dispatchEvent(new Event('prerenderingchange')); return first`))
		s.waitFor("init", "page", `track {"eventId":"x"}`)
		p.clean()
	})

	t.Run("ok/a page restored from the back/forward cache", func(t *testing.T) {
		s := newSite(t)
		s.add("/", TagOptions{AutoInit: true, Key: "auto"}, stub+`<script>addEventListener('pageshow', e => { window.persisted = e.persisted })</script>`)
		s.add("/next", TagOptions{AutoInit: true, Key: "auto"}, stub)
		p := s.tab(t).open("/")
		s.waitFor("init", "page")
		// A page that is left within the first moments may still be asking for
		// its lock, which the browser counts as holding it. The entry makes the
		// next page ask for that lock.
		p.eval(`while (!(await navigator.locks.query()).held.length || Object.keys(localStorage).length > 1) await new Promise(r => setTimeout(r, 10));
			localStorage[(await navigator.locks.query()).held[0].name + '-1000'] = 'null'`)
		p.open("/next")
		s.waitFor("init", "page", "init", "page")
		// Not with chromedp's own action, which waits for a load event: a
		// restored page has none.
		_, err := chromedp.Run(p.ctx, chromedp.Evaluate[chromedp.Void](`history.back()`))
		require.NoError(t, err)
		s.waitFor("init", "page", "init", "page", "page")
		require.Equal(t, "true", p.eval(`return window.persisted`), "not evicted: %s",
			p.eval(`return performance.getEntriesByType('navigation')[0].notRestoredReasons`))
		assert.JSONEq(t, succeeded, p.eval(`window.sdk = new PeopleTrackingSDK(); return sdk.init('k')`))
	})

	t.Run("ok/navigation inside a page", func(t *testing.T) {
		s := newSite(t)
		s.add("/", TagOptions{AutoInit: true, Key: "auto", PageViews: PageViewsNavigation}, stub)
		p := s.tab(t).open("/")
		s.waitFor("init", "page")
		p.eval(`history.replaceState(1, '', '/'); history.pushState(1, '', '/?q=1'); location.hash = 'x';
			history.pushState(1, '', '/a'); document.title = 'A'; await new Promise(r => setTimeout(r, 100));
			history.pushState(1, '', '/b'); history.pushState(1, '', '/c'); document.title = 'C'; await new Promise(r => setTimeout(r, 100))`)
		s.waitFor("init", "page", "page", "page", "page")
		var views []string
		for _, b := range s.received()[1:] {
			for _, c := range b.Calls {
				page := b.Pages[*c.Page]
				views = append(views, strings.ReplaceAll(page.URL+" "+page.Title+" from "+page.Referrer, s.URL, ""))
			}
		}
		// A view whose title never settled is counted at the next one's start.
		assert.Equal(t, []string{"/a A from /", "/b A from /a", "/c C from /b"}, views)
		p.clean()
	})

	t.Run("ok/navigation inside a page of an older browser", func(t *testing.T) {
		s := newSite(t)
		tag, err := Plain().Tag(TagOptions{Base: "/_people", AutoInit: true, Key: "auto", PageViews: PageViewsNavigation})
		require.NoError(t, err)
		s.raw("/", `<!doctype html><script>Object.defineProperty(window, 'navigation', { value: undefined })</script>`+string(tag)+`<title>One</title>`+stub)
		p := s.tab(t).open("/")
		s.waitFor("init", "page")
		assert.Equal(t, `["pushState",2,"TypeError",null]`, p.eval(`history.replaceState(1, '', '/'); history.pushState(1, '', '/?q=1'); location.hash = 'x';
			history.pushState(1, '', '/a'); document.title = 'A'; await new Promise(r => setTimeout(r, 100));
			history.replaceState(null, '', '/b'); history.pushState(null, '', '/c'); document.title = 'C'; await new Promise(r => setTimeout(r, 100));
			history.back(); await new Promise(r => setTimeout(r, 200));
			let thrown; try { history.pushState.call({}) } catch (e) { thrown = e.name }
			return [history.pushState.name, history.pushState.length, thrown, history.state]`))
		s.waitFor("init", "page", "page", "page", "page", "page")
		var views []string
		for _, b := range s.received()[1:] {
			for _, c := range b.Calls {
				views = append(views, strings.ReplaceAll(b.Pages[*c.Page].URL+" from "+b.Pages[*c.Page].Referrer, s.URL, ""))
			}
		}
		assert.Equal(t, []string{"/a from /", "/b from /a", "/c from /b", "/b from /c"}, views)
		p.clean()
	})

	t.Run("ok/one view a page without that option", func(t *testing.T) {
		s, p := open(t, "")
		p.eval(`history.pushState(1, '', '/a'); await new Promise(r => setTimeout(r, 100)); return sdk.page()`)
		s.waitFor("init", "page", "page")
		assert.Equal(t, s.URL+"/a", s.received()[1].Pages[0].URL)
	})
}

// The start of the script leaves the page alone: no storage, no request, no
// cookie, before there is an init.
func TestNothingHappensBeforeInit(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{}, stub)
	p := s.tab(t).open("/")
	assert.Equal(t, `[0,"",0]`, p.eval(`await new Promise(r => setTimeout(r, 100));
		return [localStorage.length, document.cookie, performance.getEntriesByType('resource').filter(e => e.name.includes('batch')).length]`))
	assert.Equal(t, `[]`, p.eval(`const f = document.createElement('iframe'); document.body.append(f);
		return Object.keys(window).filter(k => !(k in f.contentWindow) && !['liveChat', '0'].includes(k))`), "no global but the class")
	assert.Empty(t, s.received())
	p.clean()
}
