package caddymodule

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What was stored by events and attributes decides which definitions a reload
// may bring; the running configuration goes on when one is refused.
func TestReloadsThatChangeDefinitions(t *testing.T) {
	const before = `event action {
			label string
			items list {
				price decimal
			}
		}
		attribute car string
		account shop {
			event action {
				label numeric
			}
		}`
	for name, tt := range map[string]struct{ then, err string }{
		"ok/an event and an attribute more": {then: before + "\nevent other {\nx boolean\n}\nattribute boat list {\nname string\n}"},
		"ok/a property more":                {then: "event action {\nlabel string\ntotal decimal\nitems list {\nprice decimal\nid string\n}\n}"},
		"ok/all left out":                   {then: ""},
		"ok/another title":                  {then: "event action \"An action\" {\nlabel string\n}"},
		"ok/another account's":              {then: "account blog {\nevent action {\nlabel boolean\n}\n}"},
		"fail/another type":                 {then: "event action {\nlabel numeric\n}", err: `event "action": property "label": what is stored is of type string and cannot become numeric`},
		"fail/another type in a list":       {then: "event action {\nitems list {\nprice string\n}\n}", err: `property "items.price": what is stored is of type decimal and cannot become string`},
		"fail/attribute to a list":          {then: "attribute car list {\nname string\n}", err: `attribute "car": what is stored is of type string and cannot become list`},
		"fail/account":                      {then: "account shop {\nevent action {\nlabel string\n}\n}", err: `account shop: event "action": property "label": what is stored is of type numeric and cannot become string`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newInstance(t)
			site := c.siteOf(upstream(t, nil))
			with := func(definitions string) string {
				return "people_tracking {\nstore badger {dir}/people\n" + definitions + "\n}"
			}
			require.NoError(t, c.load(with(before), site))
			c.tracks()

			err := c.load(with(tt.then), site)
			if tt.err == "" {
				require.NoError(t, err)
				c.tracks()
				require.NoError(t, c.load(with(before), site), "and back again")
				return
			}
			require.ErrorContains(t, err, "the definitions contradict what is stored")
			require.ErrorContains(t, err, tt.err)
			c.tracks()
			assert.Contains(t, c.track(`{"eventId":"action","properties":{"label":"x"}}`).body, `"success":true`, "by the running configuration")

			// What was left out is in the store still.
			require.NoError(t, c.load(with(""), site))
			require.ErrorContains(t, c.load(with(tt.then), site), tt.err)
		})
	}
}

// B34: a start never fails for it, the site is served and calls are judged by
// the definitions that values were stored by.
func TestB34StartWithDefinitionsThatContradict(t *testing.T) {
	c := newInstance(t)
	site := c.siteOf(upstream(t, nil))
	with := func(definitions string) string {
		return "people_tracking {\nstore badger {dir}/people\n" + definitions + "\n}"
	}
	require.NoError(t, c.load(with("event action {\nlabel string\n}"), site))
	c.tracks()
	require.NoError(t, caddy.Stop())

	require.NoError(t, c.load(with("event action {\nlabel numeric\n}\nevent fresh {\nx numeric\n}"), site))
	assert.Equal(t, 1, scripts(c.get("/").body))
	assert.Contains(t, c.track(`{"eventId":"action","properties":{"label":"x"}}`).body, `"success":true`)
	assert.Contains(t, c.track(`{"eventId":"action","properties":{"label":5}}`).body, `must be a string, not a number`)
	assert.Contains(t, c.track(`{"eventId":"fresh","properties":{"x":5}}`).body, `"success":true`)
	assert.Equal(t, http.StatusOK, c.readiness().status, "calls are recorded")
	require.ErrorContains(t, c.load(with("event action {\nlabel numeric\n}"), site), "contradict", "a reload is refused still")
	require.NoError(t, c.load(with("event action {\nlabel string\n}"), site))
}
