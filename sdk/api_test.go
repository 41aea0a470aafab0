package sdk

import (
	"context"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/specification"
)

type ctx = context.Context

const (
	succeeded      = specification.Success
	notInitialized = specification.Failure
)

// The specification's examples, each as a script of its own.
const (
	exampleInit   = `const sdk = window.sdk = new PeopleTrackingSDK(); return sdk.init('725f7...55b9');`
	exampleTrack  = `const pe = sdk; return ` + specification.Track
	exampleAppend = `const pe = sdk; return ` + specification.AppendToList
	examplePerson = `return ` + specification.UpdatePerson
	personParams  = `{"address":"Kirchmayer street 97","birthDate":"1993-01-01","city":"Prague",` +
		`"contactInformation":{"email":[{"address":"email@infobip.com"}],"phone":[{"number":"421905123450"}]},` +
		`"country":"Czech Republic","customAttributes":{"car":"Mercedes"},"firstName":"Semi","gender":"male",` +
		`"lastName":"Holsen","middleName":"Gabcik","preferredLanguage":"it-it","profilePicture":"https://profile.com",` +
		`"tags":["reading","technology"]}`
)

func TestExamplesOfTheSpecification(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{}, stub)
	p := s.tab(t).open("/")

	assert.JSONEq(t, succeeded, p.eval(exampleInit))
	assert.JSONEq(t, succeeded, p.eval(exampleTrack))
	assert.JSONEq(t, succeeded, p.eval(examplePerson))
	assert.JSONEq(t, succeeded, p.eval(exampleAppend))

	s.waitFor("init", "page",
		`track {"eventId":"action","properties":{"name":"Button clicked","label":"add-to-favorites"}}`,
		"updatePerson "+personParams,
		`appendToList {"attributeName":"category","value":{"name":"special"}}`)
	first := s.received()[0]
	assert.Equal(t, "725f7...55b9", first.APIKey)
	assert.Len(t, first.Calls, 2, "init and its page view travel together")
	assert.Equal(t, []pageBlock{{URL: s.URL + "/", Title: "Shop", Language: "en-US", WebsiteLanguage: "en"}}, first.Pages)
	for _, b := range s.received() {
		for _, c := range b.Calls {
			assert.Regexp(t, `^[a-z0-9]{1,20}-[1-9][0-9]*$`, c.ID)
			assert.WithinDuration(t, b.SentAt, c.At, patience)
			require.NotNil(t, c.Page)
		}
	}
	p.clean()
}

// Every error of the specification, with its name and message word for word.
func TestErrors(t *testing.T) {
	failure := func(code, name, message, origin string) string {
		return `{"success":false,"error":{"code":` + code + `,"name":"` + name + `","message":"` + message +
			`","origin":"` + origin + `","platform":"fe-snippet"}}`
	}
	const cyclic = "const o = {}; o.o = o; "

	t.Run("ok/found in the page", func(t *testing.T) {
		s := newSite(t)
		s.add("/", TagOptions{}, stub)
		p := s.tab(t).open("/")
		for _, method := range []string{"track('x')", "updatePerson({})", "appendToList('x', {})", "page()", "chat('started')", "track(1n)"} {
			assert.JSONEq(t, notInitialized, p.eval("return new PeopleTrackingSDK()."+method), method)
		}
		assert.JSONEq(t, failure("2020", "PersonStateError", "Person synchronization failed. Cause: TypeError: Cannot convert a Symbol value to a string", "fe-snippet"),
			p.eval("return new PeopleTrackingSDK().init(Symbol())"))
		require.JSONEq(t, succeeded, p.eval(exampleInit))
		for script, want := range map[string]string{
			"sdk.track('x', { a: 1n })":           failure("2016", "SdkTrackError", "Error when calling track(). Cause: TypeError: Do not know how to serialize a BigInt", "fe-snippet"),
			"sdk.updatePerson()":                  failure("2017", "PeopleUpdateError", "Error when calling updatePerson(). Cause: not an object", "fe-snippet"),
			"sdk.updatePerson([])":                failure("2017", "PeopleUpdateError", "Error when calling updatePerson(). Cause: not an object", "fe-snippet"),
			"sdk.appendToList('x', {a:1n})":       failure("2019", "AppendToListError", "Error when calling appendToList(). Cause: TypeError: Do not know how to serialize a BigInt", "fe-snippet"),
			"sdk.init('another')":                 failure("2020", "PersonStateError", "Person synchronization failed. Cause: other key in use", "fe-snippet"),
			"sdk.track('x', {a:'y'.repeat(6e4)})": failure("2016", "SdkTrackError", "Error when calling track(). Cause: too large", "fe-snippet"),
		} {
			assert.JSONEq(t, want, p.eval("return "+script), script)
		}
		assert.Contains(t, p.eval(cyclic+"return (await sdk.track('x', o)).error.message"), "Error when calling track(). Cause: TypeError: Converting circular structure")
		s.waitFor("init", "page")
		p.clean()
	})

	t.Run("ok/passed through from the server", func(t *testing.T) {
		s := newSite(t)
		s.add("/", TagOptions{}, stub)
		s.onCall(func(c call) any {
			switch c.Method {
			case "track":
				return refusal(c, 2016, "SdkTrackError", "Error when calling track(). Cause: event action is not defined")
			case "updatePerson":
				return map[string]any{"id": c.ID, "success": true, "data": map[string]any{
					"warnings": []any{map[string]any{"code": "ignored_property", "message": "shoeSize"}},
				}}
			}
			return nil
		})
		p := s.tab(t).open("/")
		require.JSONEq(t, succeeded, p.eval(exampleInit))
		assert.JSONEq(t, failure("2016", "SdkTrackError", "Error when calling track(). Cause: event action is not defined", "people-tracking"), p.eval(exampleTrack))
		assert.JSONEq(t, `{"success":true,"data":{"warnings":[{"code":"ignored_property","message":"shoeSize"}]}}`, p.eval(examplePerson))
		p.clean()
	})

	t.Run("ok/a refused batch settles every call", func(t *testing.T) {
		s := newSite(t)
		s.add("/", TagOptions{}, stub)
		const body = `{"success":false,"error":{"code":2020,"name":"PersonStateError","message":"Person synchronization failed. Cause: unknown API key","origin":"people-tracking","platform":"fe-snippet"}}`
		s.onRequest(func(w http.ResponseWriter, _ batch, _ int) bool {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(body))
			return true
		})
		p := s.tab(t).open("/")
		assert.JSONEq(t, body, p.eval(exampleInit))
		assert.JSONEq(t, notInitialized, p.eval(exampleTrack), "a refused init leaves the SDK uninitialized")
		assert.Len(t, s.received(), 1, "nothing is retried")
		s.onRequest(nil)
		assert.JSONEq(t, succeeded, p.eval("return sdk.init('right')"), "another key may follow")
	})
}

func TestB21_Init(t *testing.T) {
	const initRequired = `{"success":false,"error":{"code":4001,"name":"InitRequiredError","message":"Live Chat is not initialized","origin":"fe-snippet","platform":"fe-snippet"}}`
	// The page's clock: timers of ten seconds fire when the test says so.
	const clock = `<script>window.late = []; const real = setTimeout;
		window.setTimeout = (f, ms, ...a) => ms >= 4000 ? late.push({ f, ms }) : real(f, ms, ...a)</script>`

	open := func(t *testing.T, o TagOptions, head string) (*site, *tab) {
		s := newSite(t)
		s.add("/", o, clock+head)
		return s, s.tab(t).open("/")
	}

	t.Run("fail/4001 after ten seconds without Live Chat", func(t *testing.T) {
		s, p := open(t, TagOptions{}, "")
		assert.Equal(t, `[10000]`, p.eval(`window.sdk = new PeopleTrackingSDK(); late.length = 0;
			window.first = sdk.init('k'); window.waiting = sdk.track('x'); await new Promise(r => setTimeout(r, 20));
			return late.map(l => l.ms)`))
		assert.JSONEq(t, initRequired, p.eval(`late.forEach(l => l.f()); return first`))
		assert.JSONEq(t, notInitialized, p.eval(`return waiting`))
		assert.Empty(t, s.received())
		p.eval(`window.liveChat = function () {}; document.head.append(document.createElement('meta')); await new Promise(r => setTimeout(r)); liveChat('init', 'w')`)
		assert.JSONEq(t, succeeded, p.eval(`return sdk.init('k')`), "a later init is a new attempt")
		p.clean()
	})

	t.Run("ok/waits for Live Chat and calls wait for init", func(t *testing.T) {
		s, p := open(t, TagOptions{}, "")
		p.eval(`window.sdk = new PeopleTrackingSDK(); window.all = Promise.all([sdk.init('k'), sdk.track('one'), sdk.track('two')])`)
		assert.Empty(t, s.received())
		p.eval(`window.liveChat = function () {}; document.head.append(document.createElement('meta')); await new Promise(r => setTimeout(r)); liveChat('init', {widgetId: 'w'})`)
		assert.JSONEq(t, `[`+succeeded+`,`+succeeded+`,`+succeeded+`]`, p.eval(`return all`))
		s.waitFor("init", "page", `track {"eventId":"one"}`, `track {"eventId":"two"}`)
		assert.Len(t, s.received(), 1)
		p.clean()
	})

	t.Run("ok/automatic when the page makes no init", func(t *testing.T) {
		s, p := open(t, TagOptions{AutoInit: true, Key: "auto"}, stub)
		s.waitFor("init", "page")
		assert.Equal(t, "auto", s.received()[0].APIKey)
		assert.JSONEq(t, notInitialized, p.eval(`return new PeopleTrackingSDK().track('x')`))
		assert.JSONEq(t, succeeded, p.eval(`window.sdk = new PeopleTrackingSDK(); return sdk.init('mine')`))
		assert.JSONEq(t, succeeded, p.eval(`return sdk.track('x')`))
		s.waitFor("init", "page", "init", `track {"eventId":"x"}`)
		assert.Equal(t, "mine", s.received()[2].APIKey, "the explicit key is used from then on")
		p.clean()
	})

	t.Run("ok/an explicit init comes first and there is no automatic one", func(t *testing.T) {
		s, p := open(t, TagOptions{AutoInit: true, Key: "auto"}, stub+`<script>window.sdk = new PeopleTrackingSDK(); window.first = sdk.init('mine')</script>`)
		assert.JSONEq(t, succeeded, p.eval(`return first`))
		assert.JSONEq(t, succeeded, p.eval(`return sdk.track('x')`))
		s.waitFor("init", "page", `track {"eventId":"x"}`)
		for _, b := range s.received() {
			assert.Equal(t, "mine", b.APIKey)
		}
		p.clean()
	})

	t.Run("ok/a further init warns", func(t *testing.T) {
		s, p := open(t, TagOptions{}, stub)
		const warned = `{"success":true,"data":{"warnings":[{"code":"already_initialized","message":"already_initialized"}]}}`
		assert.JSONEq(t, `[`+succeeded+`,`+warned+`,`+warned+`]`,
			p.eval(`window.sdk = new PeopleTrackingSDK(); window.other = new PeopleTrackingSDK(); return Promise.all([sdk.init('k'), sdk.init('k'), other.init('k')])`))
		assert.JSONEq(t, succeeded, p.eval(`return other.track('x')`))
		assert.JSONEq(t, notInitialized, p.eval(`return new PeopleTrackingSDK().track('x')`))
		s.waitFor("init", "page", `track {"eventId":"x"}`)
		p.clean()
	})

	t.Run("ok/a view refused under the automatic key is counted under the explicit one", func(t *testing.T) {
		s := newSite(t)
		s.add("/", TagOptions{AutoInit: true, Key: "auto"}, stub)
		s.onRequest(func(w http.ResponseWriter, b batch, nth int) bool {
			if b.APIKey == "auto" {
				w.WriteHeader(http.StatusUnauthorized)
			}
			return b.APIKey == "auto"
		})
		p := s.tab(t).open("/")
		s.waitFor("init", "page")
		assert.JSONEq(t, succeeded, p.eval(`await new Promise(r => setTimeout(r, 50)); return new PeopleTrackingSDK().init('mine')`))
		s.waitFor("init", "page", "init", "page")
	})
}

// B20: whatever is passed, a method answers with a promise that resolves.
func TestB20_HostileInput(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{}, stub)
	p := s.tab(t).open("/")
	require.JSONEq(t, succeeded, p.eval(exampleInit))
	script := `
		const cyclic = {}; cyclic.self = cyclic;
		const thrower = { get a() { throw new Error('no') } };
		const worse = { get a() { throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 1 } }) } };
		const revoked = Proxy.revocable({}, {}); revoked.revoke();
		const angry = new Proxy({}, { ownKeys() { throw undefined }, get() { throw null } });
		const frame = document.createElement('iframe'); document.body.append(frame);
		const inputs = [undefined, null, 0, NaN, -0, 1n, '', 'x', true, Symbol('s'), () => 1, class {}, [], [1], {}, cyclic, thrower, worse,
			revoked.proxy, angry, new Date(NaN), new Map, /x/, window, document, document.body, frame.contentWindow, Object.create(null),
			{ toJSON() { throw 'no' } }, { toJSON() { return undefined } }, { toJSON: () => 5n }, new Error('e'), Promise.reject(1), new Uint8Array(3),
			{ then(r) { r(1) } }, '\ud800', { '\udfff': '\ud800 \\ud800' }, '__proto__', JSON.parse('{"__proto__":{"x":1}}')];
		inputs.forEach(i => { try { i?.catch?.(() => {}) } catch {} });
		const bad = [];
		for (const name of ['init', 'track', 'updatePerson', 'appendToList', 'chat', 'page'])
			for (const a of inputs) for (const b of inputs) {
				let promise;
				try { promise = sdk[name](a, b) } catch (e) { bad.push(name + ' threw') ; continue }
				if (!(promise instanceof Promise)) { bad.push(name + ' returned no promise'); continue }
				try {
					const r = await Promise.race([promise, new Promise(f => setTimeout(f, 20000, 'pending'))]);
					if (typeof r.success != 'boolean' || Object.keys(r).length != 2) bad.push(name + ' resolved to ' + JSON.stringify(r));
					if (!r.success && !(r.error.code && r.error.name && typeof r.error.message == 'string')) bad.push(name + ' ' + JSON.stringify(r));
				} catch (e) { bad.push(name + ' rejected') }
			}
		for (const name of ['init', 'track', 'updatePerson', 'appendToList', 'chat', 'page']) {
			try { const r = await sdk[name].call(undefined, 'x', {}); if (name != 'init' && r.error.code != 2015) bad.push(name + ' detached ' + JSON.stringify(r)) }
			catch (e) { bad.push(name + ' detached threw ' + e) }
		}
		return bad`
	assert.JSONEq(t, `[]`, p.eval(script))
	for _, b := range s.received() {
		for _, c := range b.Calls {
			assert.NotRegexp(t, regexp.MustCompile(`[^\\]\\ud[89a-f]`), string(c.Params), "half surrogate pairs would spoil the batch")
		}
	}
	p.clean()
}
