package sdk

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/sdk/instrument"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// mostRules is what rules may cost a visitor more, compressed: the difference of
// the two bundles, without a site's own rules.
const mostRules = 1200

func TestSizeOfTheRules(t *testing.T) {
	plain, ruled := len(compress([]byte(plainScript))), len(compress([]byte(rulesScript)))
	t.Logf("%d bytes compressed with rules, %d without: %d", ruled, plain, ruled-plain)
	assert.LessOrEqual(t, ruled-plain, mostRules)
}

// definitions of the tests.
func definitions(t testing.TB) *schema.Schema {
	t.Helper()
	s, err := schema.New([]schema.Definition{{ID: "seen", Title: "Seen", Fields: []schema.Field{
		{Name: "name", Type: schema.TypeString},
		{Name: "label", Type: schema.TypeString},
		{Name: "flag", Type: schema.TypeBoolean},
		{Name: "price", Type: schema.TypeDecimal},
		{Name: "count", Type: schema.TypeNumeric},
		{Name: "at", Type: schema.TypeDateTime},
	}}}, []schema.Attribute{
		{Name: "car", Type: schema.TypeString},
		{Name: "since", Type: schema.TypeDate},
		{Name: "category", Type: schema.TypeList, Fields: []schema.Field{{Name: "name", Type: schema.TypeString}}},
	}, schema.Options{Strict: true})
	require.NoError(t, err)
	return s
}

// rule writes a rule in one line: on, selector, call, name, then names and
// values of properties.
func rule(on, selector, call, name string, properties ...string) instrument.Rule {
	r := instrument.Rule{On: on, Selector: selector, Call: call, Name: name}
	for i := 0; i < len(properties); i += 2 {
		r.Properties = append(r.Properties, instrument.Property{Name: properties[i], Value: properties[i+1]})
	}
	return r
}

func scroll(depth int, properties ...string) instrument.Rule {
	r := rule(instrument.OnScroll, "", instrument.CallTrack, "seen", properties...)
	r.Depth = depth
	return r
}

// ruled is a site with rules. Its pages are initialised automatically.
func ruled(t *testing.T, rules ...instrument.Rule) *site {
	t.Helper()
	return ruledWith(t, instrument.Options{}, rules...)
}

func ruledWith(t *testing.T, o instrument.Options, rules ...instrument.Rule) *site {
	t.Helper()
	compiled, err := instrument.Compile(rules, definitions(t), o)
	require.NoError(t, err)
	s := newSite(t)
	s.bundle = WithRules(compiled)
	return s
}

// show serves a page with the body and opens it in a new tab.
func (s *site) show(t *testing.T, body string) *tab {
	t.Helper()
	s.body("/", body)
	return s.tab(t).open("/")
}

// body serves a page with the body.
func (s *site) body(path, body string) {
	tag, err := s.bundle.Tag(TagOptions{Base: "/_people", AutoInit: true, Key: "auto"})
	require.NoError(s.t, err)
	s.raw(path, `<!doctype html><html lang="en"><head>`+string(tag)+`<title>Shop</title>`+stub+`</head><body>`+body+`</body></html>`)
}

// sent waits until the calls beside init and page views are exactly these, and
// then for one more call, so that none came too many.
func (p *tab) sent(want ...string) {
	p.t.Helper()
	p.eval(`const end = document.createElement('i'); end.className = 'end'; document.body.append(end); end.click(); end.remove()`)
	rules := func() []string {
		var list []string
		for _, c := range p.site.calls() {
			if c != "init" && c != "page" {
				list = append(list, c)
			}
		}
		return list
	}
	p.site.until(strings.Join(want, ", "), func([]batch) bool {
		got := rules()
		return len(got) > 0 && got[len(got)-1] == last
	})
	assert.Equal(p.t, append(want, last), rules())
}

// last is the call of the rule that ends a test.
const last = `track {"properties":{"label":"end"},"eventId":"seen"}`

var end = rule(instrument.OnClick, ".end", instrument.CallTrack, "seen", "label", "end")

func seen(properties string) string {
	return `track {"properties":{` + properties + `},"eventId":"seen"}`
}

func TestRulesOnClick(t *testing.T) {
	s := ruled(t, rule("click", ".buy", "track", "seen", "label", "{data-id}"), end)
	p := s.show(t, `<div class="buy" data-id="a"><p><b id="inner">x</b></p></div>
		<button class="buy" data-id="b"><svg id="svg" width="9" height="9"><path id="path" d="M0 0h9v9z"/></svg></button>
		<div id="host"></div><script>
			host.attachShadow({ mode: 'open' }).innerHTML = '<a class="buy" data-id="c"><i>shadow</i></a><div class="deep"></div>';
			host.shadowRoot.querySelector('.deep').attachShadow({ mode: 'open' }).innerHTML = '<u>deeper</u>';
			addEventListener('click', (e) => e.stopImmediatePropagation(), true);
		</script>`)
	p.eval(`inner.click(); path.dispatchEvent(new MouseEvent('click', { bubbles: true, composed: true }));
		host.shadowRoot.querySelector('i').click();
		const later = document.createElement('div'); later.innerHTML = '<a class="buy" data-id="d">later</a>';
		document.body.append(later); later.firstChild.click(); document.body.click();
		later.firstChild.className = ''; later.firstChild.click()`)
	p.sent(seen(`"label":"a"`), seen(`"label":"b"`), seen(`"label":"c"`), seen(`"label":"d"`))
	p.clean()
}

func TestRulesOnSubmit(t *testing.T) {
	s := ruled(t, rule("submit", "#f", "update_person", "",
		"firstName", "{input[name=first]}", "contactInformation.email", "{[name=email]}", "contactInformation.phone", "{[name=phone]}",
		"customAttributes.car", "{select@value}", "tags", "newsletter", "customAttributes.since", "{[type=date]}", "city", "{[name=t]}"),
		rule("submit", "#f", "append_to_list", "category", "name", "{input[name=kind]:checked}"),
		rule("submit", "form", "track", "seen", "label", "{id}"), end)
	s.body("/next", "next")
	const form = `<form id="f" action="/next"><input name="first" value="Ada"><input name="email" value=" ada@shop.example ">
		<input name="phone" value="+44 20 7946 0000"><select name="car"><option>A<option selected>Estate</select><input type="date" name="d" value="1993-02-01">
		<input type="radio" name="kind" value="a"><input type="radio" name="kind" value="b" checked><textarea name="t">old</textarea><button>ok</button></form>`
	const person = `updatePerson {"customAttributes":{"car":"Estate","since":"1993-02-01"},` +
		`"contactInformation":{"email":[{"address":"ada@shop.example"}],"phone":[{"number":"+44 20 7946 0000"}]},"firstName":"Ada","tags":["newsletter"],"city":"Bath"}`
	const item = `appendToList {"attributeName":"category","value":{"name":"b"}}`

	t.Run("a form that navigates", func(t *testing.T) {
		p := s.show(t, form)
		p.eval(`f.t.value = 'Bath'; const left = new Promise(() => {}); setTimeout(() => f.querySelector('button').click()); return 0`)
		s.until("the calls", func([]batch) bool { return strings.Contains(strings.Join(s.calls(), "\n"), seen(`"label":"f"`)) })
		p.until(`location.pathname === '/next' && location.search.includes('first=Ada')`)
		p.sent(person, item, seen(`"label":"f"`))
		p.clean()
	})
	t.Run("a form that the page handles itself, and resets", func(t *testing.T) {
		s := ruled(t, rule("submit", "form", "track", "seen", "label", "{input@value}"), end)
		p := s.show(t, `<form id="f"><input value="x"></form><form id="g"><input required></form><script>
			f.addEventListener('submit', (e) => { e.preventDefault(); f.firstChild.value = ''; throw new Error('of the page') })</script>`)
		p.eval(`f.requestSubmit(); g.requestSubmit()`)
		p.sent(seen(`"label":"x"`)) // g is not valid and not submitted
	})
	t.Run("a form whose fields hide its methods", func(t *testing.T) {
		s := ruled(t, rule("submit", "form", "track", "seen", "label", "{input[name=a]}"), rule("submit", "#f", "track", "seen"), end)
		p := s.show(t, `<form id="f" onsubmit="return false"><input name="matches"><input name="querySelector"><input name="parentNode"><input name="a" value="x"></form>`)
		p.eval(`f.requestSubmit()`)
		p.sent()
		p.clean()
	})
}

func TestRulesOnALinkThatNavigates(t *testing.T) {
	s := ruled(t, rule("click", "a", "track", "seen", "label", "{href}"), end)
	s.body("/next", "next")
	p := s.show(t, `<a id="a" href="/next">next</a>`)
	p.eval(`setTimeout(() => a.click()); return 0`)
	p.until(`location.pathname === '/next' && document.body`)
	p.sent(seen(`"label":"/next"`))
	p.clean()
}

func TestRulesOnVisible(t *testing.T) {
	s := ruled(t, rule("visible", ".promo", "track", "seen", "label", "{id}"), rule("visible", "#two, #three", "track", "seen", "name", "{id}"), end)
	p := s.show(t, `<div class="promo" id="one" style="height:100px">1</div><div style="height:3000px"></div>
		<div class="promo" id="two" style="height:100px">2</div><div class="promo" hidden id="never">3</div>`)
	one, two, two2 := seen(`"label":"one"`), seen(`"label":"two"`), seen(`"name":"two"`)
	has := func(n int) func([]batch) bool {
		return func([]batch) bool { return len(s.calls()) >= n }
	}
	s.until("one", has(3))
	p.eval(`scrollTo(0, 9999)`)
	s.until("two", has(5))
	p.eval(`scrollTo(0, 0); await new Promise(requestAnimationFrame); scrollTo(0, 9999);
		const later = document.createElement('p'); later.id = 'three'; later.className = 'promo'; later.textContent = 3; document.body.append(later)`)
	p.eval(`scrollTo(0, 9999)`)
	s.until("three", has(7))
	p.sent(one, two, two2, seen(`"label":"three"`), seen(`"name":"three"`))
	p.clean()

	t.Run("again in the next view of a single-page site", func(t *testing.T) {
		s := ruled(t, rule("visible", ".promo", "track", "seen", "label", "{url.path}"), scroll(50, "name", "{url.path}"), end)
		p := s.show(t, `<div class="promo">1</div><div style="height:3000px"></div>`)
		s.until("the first view", func([]batch) bool { return strings.Contains(strings.Join(s.calls(), ""), `"label":"/"`) })
		p.eval(`scrollTo(0, 9999); await new Promise(r => setTimeout(r, 50)); scrollTo(0, 5); await new Promise(r => setTimeout(r, 50)); scrollTo(0, 9999);`)
		s.until("the depth", func([]batch) bool { return strings.Contains(strings.Join(s.calls(), ""), `"name":"/"`) })
		p.eval(`scrollTo(0, 0); await new Promise(r => setTimeout(r, 50)); history.pushState(0, '', '/b'); document.body.append('b')`)
		s.until("the second view", func([]batch) bool { return strings.Contains(strings.Join(s.calls(), ""), `"label":"/b"`) })
		p.eval(`scrollTo(0, 9999)`)
		s.until("the depth", func([]batch) bool { return strings.Contains(strings.Join(s.calls(), ""), `"name":"/b"`) })
		p.sent(seen(`"label":"/"`), seen(`"name":"/"`), seen(`"label":"/b"`), seen(`"name":"/b"`))
		p.clean()
	})
}

func TestRulesOnScroll(t *testing.T) {
	s := ruled(t, scroll(75, "label", "75"), scroll(100, "label", "100"), end)
	p := s.show(t, `<div style="height:5000px"></div>`)
	p.eval(`scrollTo(0, 1000); await new Promise(r => setTimeout(r, 100))`)
	s.until("the view", func([]batch) bool { return len(s.calls()) == 2 })
	p.eval(`scrollTo(0, document.documentElement.scrollHeight * .75 - innerHeight + 2); await new Promise(r => setTimeout(r, 100))`)
	s.until("75", func([]batch) bool { return len(s.calls()) == 3 })
	p.eval(`scrollTo(0, 9999); await new Promise(r => setTimeout(r, 100)); scrollTo(0, 0); await new Promise(r => setTimeout(r, 100)); scrollTo(0, 9999);`)
	s.until("100", func([]batch) bool { return len(s.calls()) == 4 })
	p.sent(seen(`"label":"75"`), seen(`"label":"100"`))
	p.clean()
}

// Calls wait for an init, and no more of them than is reasonable.
func TestRulesBeforeInit(t *testing.T) {
	s := ruled(t, rule("click", "b", "track", "seen", "label", "{text}"), end)
	tag, err := s.bundle.Tag(TagOptions{Base: "/_people"})
	require.NoError(t, err)
	s.raw("/", `<!doctype html><head>`+string(tag)+stub+`</head><b id="b">x</b>`)
	p := s.tab(t).open("/")
	p.eval(`for (let i = 0; i < 100; i++) { b.textContent = i; b.click() }`)
	assert.Empty(t, s.received())
	assert.JSONEq(t, succeeded, p.eval(`return new PeopleTrackingSDK().init('mine')`))
	s.until("what waited", func([]batch) bool { return len(s.calls()) == 66 })
	assert.Equal(t, seen(`"label":"0"`), s.calls()[1])
	assert.Equal(t, seen(`"label":"63"`), s.calls()[64])
	for _, b := range s.received() {
		assert.Equal(t, "mine", b.APIKey)
	}
	p.clean()
}

// B21: a site with rules is no different to the page's own code.
func TestB21_InitWithRules(t *testing.T) {
	s := ruled(t, rule("click", "b", "track", "seen", "label", "{text}"), end)
	p := s.show(t, `<b id="b">x</b>`)
	s.waitFor("init", "page")
	p.eval(`b.click()`)
	assert.JSONEq(t, notInitialized, p.eval(`return new PeopleTrackingSDK().track('seen')`))
	assert.JSONEq(t, succeeded, p.eval(`return new PeopleTrackingSDK().init('mine')`))
	p.eval(`b.click()`)
	p.sent(seen(`"label":"x"`), seen(`"label":"x"`))
	p.clean()
}

// B30: rules record nothing before consent, and nothing of that time later.
func TestB30_RulesBeforeConsent(t *testing.T) {
	s := ruled(t, rule("click", "b", "track", "seen", "label", "{text}"), end)
	s.asking(required, TagOptions{AutoInit: true, Key: "auto"}, stub)
	p := s.tab(t).open("/")
	p.eval(`document.body.innerHTML = '<b>before</b>'; document.querySelector('b').click(); await new Promise(r => setTimeout(r, 50))`)
	assert.Empty(t, s.received())
	p.eval(`new PeopleTrackingSDK().consent(true); document.querySelector('b').textContent = 'after'; document.querySelector('b').click()`)
	s.until("the click after consent", func([]batch) bool { return strings.Contains(strings.Join(s.calls(), ""), `"label":"after"`) })
	for _, c := range s.calls() {
		assert.NotContains(t, c, "before")
	}
	p.clean()
}
