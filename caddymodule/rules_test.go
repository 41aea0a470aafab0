package caddymodule

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const ruleDefinitions = `event action "Action" {
	name string
	price decimal
}
attribute car string
attribute category list {
	name string
}`

const someRules = `on click "#buy .now" track action {
	name  {data-label}
	price 12.50
}
on submit "#newsletter" update_person {
	firstName {input[name="first name"]}
	contactInformation.email {input[name=email]}
	customAttributes.car {select@value}
}
on visible .promo append_to_list category {
	name {text}
}
on scroll 75 track action`

func TestRulesInTheCaddyfile(t *testing.T) {
	c := newInstance(t)
	config := c.adapt("people_tracking {\n"+ruleDefinitions+"\n}", "{site} {\npeople_tracking {\n"+
		strings.Replace(someRules, `{input[name="first name"]}`, "`{input[name=\"first name\"]}`", 1)+"\n}\n}")
	handler := regexp.MustCompile(`\{[^{}]*"handler":"people_tracking"`).Find(config)
	assert.NotNil(t, handler)
	on := regexp.MustCompile(`"on":(\[.*?\}\])\}`).FindSubmatch(config)
	require.NotNil(t, on, string(config))
	assert.JSONEq(t, `[
		{"on":"click","selector":"#buy .now","call":"track","name":"action","properties":[{"name":"name","value":"{data-label}"},{"name":"price","value":"12.50"}]},
		{"on":"submit","selector":"#newsletter","call":"update_person","properties":[{"name":"firstName","value":"{input[name=\"first name\"]}"},
			{"name":"contactInformation.email","value":"{input[name=email]}"},{"name":"customAttributes.car","value":"{select@value}"}]},
		{"on":"visible","selector":".promo","call":"append_to_list","name":"category","properties":[{"name":"name","value":"{text}"}]},
		{"on":"scroll","depth":75,"call":"track","name":"action"}]`, string(on[1]))
	require.NoError(t, caddy.Load(config, true), "what was adapted loads")
}

// A mistake is told with its line, before anything is loaded.
func TestMistakesInRules(t *testing.T) {
	c := newInstance(t)
	for name, test := range map[string]struct{ rules, err string }{
		"fail/event":        {"on click a track sell", `event "sell" is not defined, at Caddyfile:`},
		"fail/property":     {"on click a track action {\nname x\ncolour red\n}", `colour: property "colour" is not defined, at Caddyfile:`},
		"fail/literal":      {"on click a track action {\nprice five\n}", "must be a number, not a string, at Caddyfile:"},
		"fail/selector":     {`on click "a[" track action`, `on click: selector "a[": it ends too early, at Caddyfile:`},
		"fail/placeholder":  {"on click a track action {\nname {url.query.session}\n}", "never stored, at Caddyfile:"},
		"fail/redacted":     {"redact_query voucher\non click a track action {\nname {url.query.voucher}\n}", "never stored, at Caddyfile:"},
		"fail/Caddy's own":  {"on click a track action {\nname {method}\n}", "write the attribute of that name as {@name}, at Caddyfile:"},
		"fail/person":       {"on submit a update_person {\nage 5\n}", "age: no property of a person: use address,"},
		"fail/attribute":    {"on submit a update_person {\ncustomAttributes.boat 5\n}", `"boat" is not defined, at Caddyfile:`},
		"fail/list":         {"on click a append_to_list car {\nname x\n}", "is of type string, not list, at Caddyfile:"},
		"fail/percentage":   {"on scroll half track action", `"half" is no percentage, at Caddyfile:`},
		"fail/words":        {"on click", "on wants an event, a selector"},
		"fail/comment":      {"on click #a track action", "on wants an event, a selector in quotation marks"},
		"fail/two values":   {"on click a track action {\nname two words\n}", "name wants one value, a text with spaces in quotation marks"},
		"fail/trigger":      {"on hover a track action", "use click, submit, visible, scroll"},
		"fail/other option": {"on click a track action\nonclick a", `unrecognized option "onclick"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := c.tryAdapt("people_tracking {\n"+ruleDefinitions+"\n}", "{site} {\npeople_tracking {\n"+test.rules+"\n}\n}")
			require.ErrorContains(t, err, test.err)
			assert.Regexp(t, `Caddyfile:\d+`, err.Error())
		})
	}
	t.Run("the line of the property", func(t *testing.T) {
		_, _, err := c.tryAdapt("people_tracking {\n"+ruleDefinitions+"\n}", "{site} {\npeople_tracking {\non click a track action {\nname x\n\ncolour red\n}\n}\n}")
		_, _, other := c.tryAdapt("people_tracking {\n"+ruleDefinitions+"\n}", "{site} {\npeople_tracking {\non click a track action {\ncolour red\n}\n}\n}")
		line := func(err error) (n int) {
			_, scanErr := fmt.Sscanf(regexp.MustCompile(`Caddyfile:\d+`).FindString(err.Error()), "Caddyfile:%d", &n)
			require.NoError(t, scanErr)
			return n
		}
		assert.Equal(t, 2, line(err)-line(other))
	})
}

func TestRulesAreOfTheAccount(t *testing.T) {
	c := newInstance(t)
	const accounts = "people_tracking {\nevent theirs\naccount second {\nevent ours\n}\n}"
	_, _, err := c.tryAdapt(accounts, "{site} {\npeople_tracking {\non click a track ours\naccount second\n}\n}")
	require.NoError(t, err)
	_, _, err = c.tryAdapt(accounts, "{site} {\npeople_tracking {\non click a track theirs\naccount second\n}\n}")
	require.ErrorContains(t, err, `event "theirs" is not defined`)
}

func TestRulesOfAJSONConfiguration(t *testing.T) {
	c := newInstance(t)
	config := fmt.Sprintf(`{"admin":{"disabled":true},"apps":{"http":{"servers":{"s":{"listen":[%q],"routes":[{"handle":[
		{"handler":"people_tracking","on":[{"on":"click","selector":"a","call":"track","name":"sell"}]}]}]}}}}}`, c.site)
	require.ErrorContains(t, caddy.Load([]byte(config), true), `on: rule 1: event "sell" is not defined`)
}

// The script of a site with rules has a name of its own, so that browsers and
// pages that they keep follow a change of the rules.
func TestRulesChangeTheScript(t *testing.T) {
	script := regexp.MustCompile(`src="(/_people/v1/sdk\.js\?v=[0-9a-f]{16})"`)
	load := func(rules string) (src, body, etag string) {
		c := tracked(t, ruleDefinitions, rules, served(page, "ETag", `"1"`))
		answer := c.get("/")
		found := script.FindStringSubmatch(answer.body)
		require.NotNil(t, found, answer.body)
		served := c.get(found[1])
		assert.Equal(t, "public, max-age=31536000, immutable", served.header.Get("Cache-Control"))
		return found[1], served.body, answer.header.Get("ETag")
	}
	plain, plainBody, plainTag := load("")
	one, oneBody, oneTag := load("on click a track action")
	two, _, twoTag := load("on click b track action")
	assert.NotContains(t, plainBody, "RULES", "a site without rules gets nothing of them")
	assert.Contains(t, oneBody, `RULES=[["click","a","track",{"eventId":"action"}]]`)
	for _, pair := range [][2]string{{plain, one}, {one, two}, {plainTag, oneTag}, {oneTag, twoTag}} {
		assert.NotEqual(t, pair[0], pair[1])
	}
	var again Handler
	require.NoError(t, json.Unmarshal([]byte(`{"on":[{"on":"click","call":"track","name":"x","selector":"a"}]}`), &again))
	assert.Len(t, again.On, 1)
}

// The examples of the documentation are taken as they stand.
func TestExamplesOfRules(t *testing.T) {
	text, err := os.ReadFile("../docs/instrumentation.md")
	require.NoError(t, err)
	example := regexp.MustCompile("(?s)```caddyfile\n(.*?)```").FindSubmatch(text)
	require.NotNil(t, example)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(example[1], map[string]any{"filename": "Caddyfile"})
	require.NoError(t, err)
	assert.Equal(t, 4, strings.Count(string(config), `"on":"`))

	example = regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(text)
	require.NotNil(t, example)
	var handler struct {
		Name string `json:"handler"`
		Handler
	}
	require.NoError(t, caddy.StrictUnmarshalJSON(example[1], &handler))
	assert.Len(t, handler.On, 2)
}
