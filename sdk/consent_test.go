package sdk

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	notRecorded = `{"success":true,"data":{"warnings":[{"code":"not_recorded","message":"not_recorded"}]}}`
	required    = ` data-consent="required"`
	byCookie    = required + ` data-consent-cookie="choice=yes"`
	empty       = `[0,"",0]`
	// What a browser keeps and sends: stored keys, cookies a page sees, requests.
	traces = `return [localStorage.length, document.cookie, performance.getEntriesByType('resource').filter(e => e.name.includes('batch')).length]`
)

// asking serves a page whose tag has further attributes.
func (s *site) asking(attributes string, o TagOptions, head string) {
	o.Base = "/_people"
	tag, err := s.bundle.Tag(o)
	require.NoError(s.t, err)
	s.raw("/", `<!doctype html><html lang="en"><head>`+strings.Replace(string(tag), "<script", "<script"+attributes, 1)+
		`<title>Shop</title>`+head+`</head><body>Hello</body></html>`)
}

func TestB30_NothingBeforeConsent(t *testing.T) {
	s := newSite(t)
	s.asking(required, TagOptions{AutoInit: true, Key: "auto", PageViews: PageViewsNavigation}, stub)
	s.raw("/next", "<!doctype html>")
	p := s.tab(t).open("/")
	assert.JSONEq(t, notRecorded, p.eval(`window.sdk = new PeopleTrackingSDK(); return sdk.init('k')`))
	for _, call := range []string{"track('e')", "updatePerson({})", "appendToList('a', {})", "page()", "chat('started')"} {
		assert.JSONEq(t, notRecorded, p.eval(`return sdk.`+call), call)
	}
	assert.Equal(t, empty, p.eval(`history.pushState(1, '', '/b'); dispatchEvent(new Event('visibilitychange')); dispatchEvent(new Event('online'));
		await new Promise(r => setTimeout(r, 200)); `+traces))
	p.open("/next")
	assert.Empty(t, s.received(), "nor when the page ends")
	assert.Equal(t, empty, p.eval(traces))
	p.clean()
}

func TestB30_ConsentIsGiven(t *testing.T) {
	t.Run("ok/what waited follows the decision", func(t *testing.T) {
		s := newSite(t)
		s.asking(required, TagOptions{AutoInit: true, Key: "auto", PageViews: PageViewsNavigation}, stub)
		p := s.tab(t).open("/")
		p.eval(`liveChat('sendMessage', 'x'); history.pushState(1, '', '/b'); await new Promise(r => setTimeout(r, 100))`)
		assert.JSONEq(t, succeeded, p.eval(`window.sdk = new PeopleTrackingSDK(); return sdk.consent(true)`))
		s.waitFor(`consent {"granted":true}`, "init", "page", chatCall("started", ""), "page")
		got := s.received()[0]
		assert.Equal(t, s.URL+"/", got.Pages[*got.Calls[2].Page].URL)
		assert.Equal(t, s.URL+"/b", got.Pages[*got.Calls[4].Page].URL)
		assert.JSONEq(t, succeeded, p.eval(`await sdk.init('auto'); return sdk.track('e')`))
		p.clean()
	})

	t.Run("ok/before init", func(t *testing.T) {
		s := newSite(t)
		s.asking(required, TagOptions{}, stub+`<script>window.sdk = new PeopleTrackingSDK(); window.given = sdk.consent(true); window.first = sdk.init('k')</script>`)
		p := s.tab(t).open("/")
		assert.JSONEq(t, `{"success":true,"data":{"warnings":[{"code":"not_initialized","message":"not_initialized"}]}}`, p.eval(`return given`))
		assert.JSONEq(t, succeeded, p.eval(`return first`))
		s.waitFor(`consent {"granted":true}`, "init", "page")
		p.clean()
	})

	t.Run("ok/by the site's cookie, at any time", func(t *testing.T) {
		s := newSite(t)
		s.asking(byCookie, TagOptions{AutoInit: true, Key: "auto"}, stub)
		p := s.tab(t).open("/")
		p.eval(`document.cookie = 'choice=no'; document.cookie = 'other=choice=yes'; await new Promise(r => setTimeout(r, 50)); dispatchEvent(new Event('visibilitychange'))`)
		assert.Empty(t, s.received())
		p.eval(`document.cookie = 'choice=yes'; window.sdk = new PeopleTrackingSDK(); await sdk.init('auto')`)
		s.waitFor("init", "page", "init")
		p.open("/")
		s.waitFor("init", "page", "init", "init", "page")
		p.clean()
	})

	t.Run("fail/only true is a consent", func(t *testing.T) {
		s := newSite(t)
		s.asking(required, TagOptions{AutoInit: true, Key: "auto"}, stub)
		p := s.tab(t).open("/")
		p.eval(`await new Promise(r => setTimeout(r, 50)); for (const v of ['true', 1, {}, undefined]) await new PeopleTrackingSDK().consent(v)`)
		for _, c := range s.calls() {
			assert.Equal(t, `consent {"granted":false}`, c)
		}
		p.clean()
	})
}

// B30: withdrawal empties the queue and the storage, of all tabs, and is told
// to the server; consent may be asked for only or withdrawn without that.
func TestB30_ConsentIsWithdrawn(t *testing.T) {
	for name, attributes := range map[string]string{"required": required, "implied": ""} {
		t.Run("ok/"+name, func(t *testing.T) {
			s := newSite(t)
			s.asking(attributes, TagOptions{}, stub)
			p := s.tab(t).open("/")
			p.eval(`window.sdk = new PeopleTrackingSDK(); await sdk.consent(true); return sdk.init('k')`)
			release := s.hold()
			p.eval(`sdk.track('flying'); await new Promise(r => setTimeout(r, 50)); window.lost = sdk.track('lost'); await 0;
				localStorage['people' + location.origin + '/_people/v1/batch-other'] = '[]'; localStorage.mine = 1; window.withdrawn = sdk.consent(false)`)
			assert.JSONEq(t, notRecorded, p.eval(`return lost`))
			release()
			assert.JSONEq(t, succeeded, p.eval(`return withdrawn`))
			assert.JSONEq(t, notRecorded, p.eval(`return sdk.track('after')`))
			assert.Equal(t, `["mine"]`, p.eval(`await new Promise(r => setTimeout(r, 100)); return Object.keys(localStorage)`))
			s.waitFor(`consent {"granted":true}`, "init", "page", `track {"eventId":"flying"}`, `consent {"granted":false}`)

			assert.JSONEq(t, succeeded, p.eval(`return sdk.consent(true)`), "and given again")
			assert.JSONEq(t, succeeded, p.eval(`return sdk.track('again')`))
			batches := s.received()
			last := batches[len(batches)-2]
			assert.Equal(t, "consent", last.Calls[0].Method)
			assert.Regexp(t, "^[0-9a-f]{32}$", last.Boot, "as a browser that nobody knows")
			assert.Empty(t, last.Calls[0].Epoch)
			p.clean()
		})
	}

	t.Run("ok/the newest decision counts", func(t *testing.T) {
		s, p := open(t, timers)
		p.eval(`sdk.consent(false); sdk.consent(true); sdk.consent(false); return sdk.consent(true)`)
		s.waitFor("init", "page", `consent {"granted":true}`)
		p.clean()
	})
}
