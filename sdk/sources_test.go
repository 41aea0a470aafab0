package sdk

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/sdk/instrument"
)

// onClick tracks one property of an element with the id x.
func onClick(property, value string) instrument.Rule {
	return rule("click", "#x", "track", "seen", property, value)
}

func TestRuleSources(t *testing.T) {
	const head = `<meta property="og:title" content="The title"><meta name="price" content="12.50">
		<script type="application/ld+json">{"broken": }</script>
		<script type="application/ld+json">{"@context":"https://schema.org","@graph":[
			{"@type":"Organization","name":"Shop","logo":null},
			{"@type":["Product","Vehicle"],"name":"Platform","brand":{"@type":"Brand","name":"Lay-by"},"isRelatedTo":{"@type":"Product","name":"Other"},
			 "offers":[{"@type":"Offer","price":480,"priceCurrency":"GBP","available":false},{"price":500}]}]}</script>
		<script type="application/ld+json">[]</script>`
	const body = `<section class="card" data-sku="s1"><h2>First</h2><i class="price">1</i></section>
		<section class="card" data-sku="s2"><h2> Second
			<b>card</b><script>0</script></h2><div><button id="x" data-label="lbl" data-empty="" value="v">Buy <span data-people-ignore>secret</span>now</button></div>
		<form><input name="email" value="a@b.example"><select name="size"><option value="">choose<option value="m" selected>Medium</select>
			<input type="checkbox" name="off"><input type="checkbox" name="on" value="yes!" checked>
			<select name="none"><option value="">choose</select></form></section>`
	cases := []struct{ property, value, want string }{
		{"label", "a literal", `"label":"a literal"`},
		{"label", `\{data-label\}`, `"label":"{data-label}"`},
		{"label", "5", `"label":"5"`},
		{"price", "5", `"price":5`},
		{"flag", "false", `"flag":false`},
		{"label", "{data-label}", `"label":"lbl"`},
		{"label", "{@data-label}", `"label":"lbl"`},
		{"label", "{data-missing}", ""},
		{"label", "{data-empty}", ""},
		{"label", "{text}", `"label":"Buy now"`},
		{"label", "{value}", `"label":"v"`},
		{"label", "{h2@text}", `"label":"Second card"`},
		{"label", "{.card@data-sku}", `"label":"s2"`},
		{"label", "{.price}", `"label":"1"`},
		{"label", "{.nothing}", ""},
		{"label", "{:unknown-to-browsers(x)}", ""},
		{"label", "{[name=email]}", `"label":"a@b.example"`},
		{"label", "{[name=size]}", `"label":"m"`},
		{"label", "{[name=none]}", ""},
		{"label", "{[name=on]}", `"label":"yes!"`},
		{"label", "{[name=off]}", ""},
		{"flag", "{[name=on]}", `"flag":true`},
		{"flag", "{[name=off]}", `"flag":false`},
		{"label", `{meta[property="og:title"]}`, `"label":"The title"`},
		{"price", "{[name=price]}", `"price":12.5`},
		{"label", "{url.path}", `"label":"/"`},
		{"label", "{url.hash}", `"label":"#part"`},
		{"label", "{url.query.campaign}", `"label":"spring sale"`},
		{"label", "{url.query.none}", ""},
		{"label", "{jsonld.Product.name}", `"label":"Platform"`},
		{"label", "{jsonld.Product.brand.name}", `"label":"Lay-by"`},
		{"price", "{jsonld.Product.offers.price}", `"price":480`},
		{"flag", "{jsonld.Offer.available}", `"flag":false`},
		{"label", "{jsonld.Product.offers}", ""},
		{"label", "{jsonld.Organization.logo}", ""},
		{"label", "{jsonld.Event.name}", ""},
		{"label", "{jsonld.offers.priceCurrency}", `"label":"GBP"`},
	}
	rules, want := []instrument.Rule{}, []string{}
	for _, c := range cases {
		rules, want = append(rules, onClick(c.property, c.value)), append(want, event(c.want))
	}
	s := ruled(t, append(rules, end)...)
	tag, err := s.bundle.Tag(TagOptions{Base: "/_people", AutoInit: true, Key: "auto"})
	require.NoError(t, err)
	s.raw("/", `<!doctype html><head>`+string(tag)+stub+head+`</head><body>`+body+`</body>`)
	p := s.tab(t).open("/?campaign=spring+sale#part")
	p.eval(`x.click()`)
	p.sent(want...)
	p.clean()
}

// event is a call to track with the properties, or with none.
func event(properties string) string {
	if properties == "" {
		return `track {"eventId":"seen"}`
	}
	return seen(properties)
}

func TestRuleTypes(t *testing.T) {
	values := map[string][][2]string{ // by property: text and JSON, or nothing
		"price": {
			{"12.50", "12.5"},
			{"0.500", "0.5"},
			{"1.234", "1.234"},
			{"-3", "-3"},
			{"1e3", "1000"},
			{"€ 12,50", "12.5"},
			{"12,50 €", "12.5"},
			{"$1,234.56", "1234.56"},
			{"1.234,56 €", "1234.56"},
			{"1 234,56", "1234.56"},
			{"1'234.50 CHF", "1234.5"},
			{"1,234,567", "1234567"},
			{"1,234", "1234"},
			{"EUR 1.234", "1234"},
			{"0,500 kg", "0.5"},
			{"-$5", "-5"},
			{"£ -5.00", "-5"},
			{"12.", "12"},
			{"was £15 now £12", ""},
			{"1.2.3", ""},
			{"free", ""},
			{"Infinity", ""},
			{"NaN", ""},
			{"12 34", ""},
			{"2026-11-22", ""},
			{"10-20", ""},
			{"   ", ""},
		},
		"count": {{"3", "3"}, {"3 items", "3"}, {"1,000", "1000"}, {"3.5", ""}, {"3.0", "3"}},
		"flag": {
			{"true", "true"}, {"YES", "true"}, {"1", "true"}, {"on", "true"}, {"false", "false"}, {"no", "false"}, {"0", "false"}, {"Off", "false"}, {"maybe", ""}, {"2", ""},
		},
		"at": {
			{"2026-11-22", `"2026-11-22T00:00:00.000Z"`}, {"2026-11-22T10:00:00+02:00", `"2026-11-22T08:00:00.000Z"`}, {"11/22/2026", ""}, {"2026-13-45", ""}, {"soon", ""},
		},
		"label": {{" a \\n\\t b\\u00a0c ", `"a b c"`}, {"\\ud83d\\ude00", `"😀"`}, {"\\ud83d", `"�"`}},
	}
	for property, cases := range values {
		t.Run(property, func(t *testing.T) {
			s := ruled(t, onClick(property, "{data-v}"), end)
			p := s.show(t, `<p id="x"></p>`)
			want := make([]string, 0, len(cases))
			for _, c := range cases {
				p.eval(`x.dataset.v = '` + strings.ReplaceAll(c[0], `'`, `\'`) + `'; x.click()`)
				if c[1] == "" {
					want = append(want, event(""))
				} else {
					want = append(want, seen(`"`+property+`":`+c[1]))
				}
			}
			p.sent(want...)
			p.clean()
		})
	}
}

// What is private is never read: not by a selector for it, not by one around it,
// not as an attribute.
func TestRulesNeverReadWhatIsPrivate(t *testing.T) {
	fields := []string{
		`<input type="password" class="f" value="hunter2">`,
		`<input type="text" name="password" class="f" value="hunter2">`, // shown by a button
		`<input id="user_pwd" class="f" value="hunter2">`,
		`<input autocomplete="new-password" class="f" value="hunter2">`,
		`<input autocomplete="billing cc-number" class="f" value="hunter2">`,
		`<input autocomplete="cc-csc" class="f" value="hunter2">`,
		`<select autocomplete="cc-exp-month" class="f"><option selected>hunter2</select>`,
		`<input name="cardNumber" class="f" value="hunter2">`,
		`<input name="cvc" class="f" value="hunter2">`,
		`<input autocomplete="one-time-code" class="f" value="hunter2">`,
		`<input type="hidden" name="_csrf" class="f" value="hunter2">`,
		`<input type="hidden" name="authenticity_token" class="f" value="hunter2">`,
		`<meta name="csrf-token" class="f" content="hunter2">`,
		`<input class="f" value="hunter2" data-people-ignore>`,
		`<p data-people-ignore><b><textarea class="f">hunter2</textarea></b></p>`,
		`<p data-people-ignore=""><b class="f" value="hunter2">hunter2</b></p>`,
		`<script type="application/ld+json" data-people-ignore class="f">{"name":"hunter2"}</script>`,
	}
	s := ruled(t, rule("submit", "form", "track", "seen", "label", "{.f}"), rule("submit", "form", "track", "seen", "label", "{.f@value}"),
		rule("submit", "form", "track", "seen", "label", "{.f@content}"), rule("submit", "form", "track", "seen", "label", "{text}"),
		rule("submit", "form", "track", "seen", "label", "{jsonld.name}"),
		rule("submit", "form", "update_person", "", "firstName", "{.f}", "contactInformation.email", "{.f@text}"), end)
	body, want := "", []string{}
	for _, field := range fields {
		body += `<form onsubmit="return false">visible ` + field + `</form>`
		want = append(want, event(""), event(""), event(""), seen(`"label":"visible"`), event(""))
	}
	body += `<form onsubmit="return false">visible <input class="f" value="public"></form>` // what the rules are for
	want = append(want, seen(`"label":"public"`), seen(`"label":"public"`), event(""), seen(`"label":"visible"`), event(""),
		`updatePerson {"contactInformation":{},"firstName":"public"}`)
	p := s.show(t, body)
	p.eval(`for (const f of document.forms) f.requestSubmit()`)
	p.sent(want...)
	for _, c := range s.calls() {
		assert.NotContains(t, c, "hunter2")
	}
	p.clean()
	t.Run("nothing that happens in it is noticed", func(t *testing.T) {
		s := ruled(t, rule("click", "p", "track", "seen", "label", "click"), rule("submit", "form", "track", "seen", "label", "submit"),
			rule("visible", "p", "track", "seen", "label", "visible"), end)
		p := s.show(t, `<div data-people-ignore><p id="x">x</p><form id="f" onsubmit="return false"></form><div id="host"></div></div>`)
		p.eval(`x.click(); f.requestSubmit(); host.attachShadow({ mode: 'open' }).innerHTML = '<p>x</p>'; host.shadowRoot.firstChild.click();
			await new Promise(r => setTimeout(r, 300))`)
		p.sent()
		p.clean()
	})
}

func TestRulesOnHostilePages(t *testing.T) {
	label := `"label":"` + strings.Repeat("a", 2048) + `"`
	for _, c := range []struct{ name, value, body, script, want string }{
		{"a huge attribute", "{data-v}", ``, `x.dataset.v = 'a'.repeat(1 << 20)`, label},
		{"a huge text", "{text}", ``, `x.textContent = 'a'.repeat(1 << 22)`, label},
		{"very many elements", "{text}", ``, `x.innerHTML = '<i></i>'.repeat(1e5) + 'end'`, ""},
		{"a cut through a character", "{data-v}", ``, `x.dataset.v = 'a'.repeat(2047) + '\u{1f600}'`, `"label":"` + strings.Repeat("a", 2047) + `�"`},
		{"very deep elements", "{.none}", ``, `let e = x; for (let i = 0; i < 3000; i++) e = e.appendChild(document.createElement('i')); e.id = 'deep'`, ""},
		{"huge data", "{jsonld.name}", `<script type="application/ld+json" id="d"></script>`, `d.textContent = JSON.stringify({ name: 'x', more: 'a'.repeat(1 << 20) })`, ""},
		{"deep data", "{jsonld.name}", `<script type="application/ld+json" id="d"></script>`, `d.textContent = '['.repeat(1e5) + ']'.repeat(1e5)`, ""},
		{"data that refers to itself", "{jsonld.Thing.parent.parent.name}", `<script type="application/ld+json">{"@type":"Thing","@id":"#a","parent":{"@id":"#a"}}</script>`, ``, ""},
		{"a getter that throws", "{value}", ``, `Object.defineProperty(x, 'value', { get() { throw new Error('of the page') } })`, ""},
		{"a prototype that was changed", "{text}", ``, `Object.prototype.toJSON = () => { throw 1 }; Element.prototype.matches = () => { throw 1 }`, "nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ruled(t, onClick("label", c.value), end)
			p := s.show(t, `<p id="x"></p>`+c.body)
			s.waitFor("init", "page")
			p.eval(c.script + `; (document.querySelector('#deep') ?? x).click()`)
			if c.want == "nothing" {
				assert.Equal(t, []string{"init", "page"}, s.calls())
			} else {
				p.sent(event(c.want))
			}
			p.clean()
		})
	}
}

// A rule that this browser cannot carry out takes nothing from the others.
func TestRulesWithASelectorThatBrowsersDoNotKnow(t *testing.T) {
	s := ruled(t, rule("click", ":nobody-knows(this)", "track", "seen", "label", "no"), rule("visible", "p:nobody-knows", "track", "seen", "label", "no"),
		rule("visible", "p", "track", "seen", "label", "yes"), end)
	p := s.show(t, `<p>x</p>`)
	s.until("the rule that works", func([]batch) bool { return len(s.calls()) == 3 })
	p.sent(seen(`"label":"yes"`))
	p.clean()
}

// Under the strictest policy that lets the script run, rules do as well.
func TestRulesUnderAStrictPolicy(t *testing.T) {
	s := ruled(t, rule("click", "#x", "track", "seen", "label", "{text}", "name", "{jsonld.name}"), rule("visible", "#x", "track", "seen", "label", "visible"), end)
	s.headers.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'")
	s.raw("/chat.js", `window.liveChat = function () { (liveChat.q = liveChat.q || []).push(arguments) }; liveChat('init', 'w')`)
	tag, err := s.bundle.Tag(TagOptions{Base: "/_people", AutoInit: true, Key: "auto"})
	require.NoError(t, err)
	s.raw("/", `<!doctype html><head>`+string(tag)+`<script src="/chat.js"></script></head><p id="x">buy</p><script type="application/ld+json">{"name":"n"}</script>`)
	p := s.tab(t).open("/")
	s.until("the view", func([]batch) bool { return len(s.calls()) == 3 })
	p.eval(`x.click()`)
	p.sent(seen(`"label":"visible"`), seen(`"label":"buy","name":"n"`))
	p.clean()
}

func TestRulesSayWhatTheyLeaveOut(t *testing.T) {
	s := ruledWith(t, instrument.Options{Debug: true}, rule("click", "#x", "track", "seen", "price", "{text}", "label", "{id}"), end)
	p := s.show(t, `<p id="x">free</p>`)
	p.eval(`x.click(); x.click()`)
	p.sent(seen(`"label":"x"`), seen(`"label":"x"`))
	require.Len(t, p.All(), 1)
	assert.Equal(t, `people_tracking: on click "#x" track seen: price is left out`, strings.ReplaceAll(p.All()[0].Text, `\`, ``))
}

func TestBundlesOfRules(t *testing.T) {
	a, b := WithRules([]byte(`[]`)), WithRules([]byte(`[["click","a","track",{}]]`))
	assert.NotEqual(t, a.Hash(), b.Hash())
	assert.NotEqual(t, a.Integrity(), b.Integrity())
	assert.NotEqual(t, Plain().Hash(), a.Hash())
	tag, err := b.Tag(TagOptions{Base: "/_people"})
	require.NoError(t, err)
	assert.Contains(t, string(tag), "?v="+b.Hash())
	s := newSite(t)
	s.bundle = b
	res, err := http.Get(s.URL + "/_people/v1/sdk.js?v=" + b.Hash())
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, immutable, res.Header.Get("Cache-Control"))
	for _, c := range rulesScript {
		require.Less(t, c, rune(0x80))
	}
}
