package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// B39: behind a stripped prefix the script, the calls and the cookies carry it.
func TestB39StrippedPrefix(t *testing.T) {
	for name, site := range map[string]string{
		"ok/handle_path": `{site} {
	handle_path /shop/* {
		people_tracking
		reverse_proxy %[1]s
	}
}`,
		"ok/uri in a route": `{site} {
	route /shop/* {
		uri strip_prefix /shop
		people_tracking
		reverse_proxy %[1]s
	}
}`,
		"ok/uri": `{site} {
	uri /shop/* strip_prefix /shop
	people_tracking
	reverse_proxy %[1]s
}`,
		"ok/named route": `&(tracked) {
	route {
		people_tracking
		reverse_proxy %[1]s
	}
}
{site} {
	handle_path /shop/* {
		invoke tracked
	}
	handle {
		invoke tracked
	}
}`,
		"ok/handle_path and a rewrite": `{site} {
	handle_path /shop/* {
		rewrite * /page.html
		people_tracking
		reverse_proxy %[1]s
	}
}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newInstance(t)
			require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", fmt.Sprintf(site, upstream(t, nil))))
			got := c.get("/shop/cart")
			require.Equal(t, 1, scripts(got.body))
			assert.Contains(t, got.body, `src="/shop/_people/v1/sdk.js?v=`)
			assert.Contains(t, c.get("/shop/_people/v1/sdk.js").body, "PeopleTrackingSDK")
			called := c.call("/shop/_people", "auto")
			require.Equal(t, http.StatusOK, called.status, called.body)
			assert.Contains(t, called.header.Get("Set-Cookie"), "Path=/shop/_people")
		})
	}
}

func TestB39PrefixInAPrefix(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("", fmt.Sprintf(`{site} {
	handle_path /eu/* {
		handle_path /shop/* {
			people_tracking
			reverse_proxy %s
		}
	}
}`, upstream(t, nil))))
	assert.Contains(t, c.get("/eu/shop/cart").body, `src="/eu/shop/_people/v1/sdk.js?v=`)
	assert.Equal(t, http.StatusOK, c.call("/eu/shop/_people", "auto").status)
}

func TestB39WithoutAPrefixNothingIsAdded(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("", "{site} {\nuri /shop/* strip_prefix /shop\npeople_tracking\nreverse_proxy "+upstream(t, nil)+"\n}"))
	assert.Contains(t, c.get("/other").body, `src="/_people/v1/sdk.js?v=`)
	assert.Contains(t, c.get("/shopping").body, `src="/_people/v1/sdk.js?v=`)
}

// B39: the script's URL has no host in it, whatever the client calls us.
func TestB39TheHostHasNoSay(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("", strings.ReplaceAll(c.siteOf(upstream(t, nil)), "{site}", "http://:"+strings.Split(c.site, ":")[1])))
	assert.Contains(t, c.get("/", "Host", "evil.example", "X-Forwarded-Host", "evil.example").body, `src="/_people/v1/sdk.js?v=`)
}

// B40
func TestB40HandlersThatContradictEachOther(t *testing.T) {
	tests := map[string]struct{ sites, err string }{
		"ok/the same options twice":  {sites: "{site} {\npeople_tracking /a/*\npeople_tracking /b/*\nrespond ok\n}"},
		"ok/different base paths":    {sites: "{site} {\nhandle /a/* {\npeople_tracking {\nbase_path /a/people\nload async\n}\n}\nhandle {\npeople_tracking\n}\n}"},
		"ok/different prefixes":      {sites: "{site} {\nhandle_path /a/* {\npeople_tracking {\nload async\n}\n}\nhandle_path /b/* {\npeople_tracking\n}\n}"},
		"ok/different hosts":         {sites: "http://a.localhost:{port} {\npeople_tracking {\nload async\n}\n}\nhttp://b.localhost:{port} {\npeople_tracking\n}"},
		"fail/one host":              {sites: "{site} {\nhandle /a/* {\npeople_tracking {\nload async\n}\n}\nhandle {\npeople_tracking\n}\n}", err: "two people_tracking handlers of"},
		"fail/one of several hosts":  {sites: "http://a.localhost:{port}, http://b.localhost:{port} {\nhandle /x {\npeople_tracking {\nload async\n}\n}\nhandle {\npeople_tracking\n}\n}", err: "/_people"},
		"fail/the same prefix twice": {sites: "{site} {\nhandle_path /a/* {\nroute /1 {\npeople_tracking {\nload async\n}\n}\nroute /2 {\npeople_tracking\n}\n}\n}", err: "/a/_people"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newInstance(t)
			sites := strings.ReplaceAll(test.sites, "{port}", strings.Split(c.site, ":")[1])
			err := c.load("", sites)
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.err)
		})
	}
}

// B39: addresses and cookies carry a prefix as browsers write it.
func TestB39PrefixThatBrowsersEscape(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", fmt.Sprintf(`{site} {
	handle_path "/großer laden/*" {
		people_tracking
		reverse_proxy %s
	}
	handle_path "/unsere leute/*" {
		people_console {
			authenticated_by {http.request.header.X-Operator}
		}
	}
}`, upstream(t, nil))))
	const prefix = "/gro%C3%9Fer%20laden"
	assert.Contains(t, c.get(prefix+"/cart").body, `src="`+prefix+`/_people/v1/sdk.js?v=`)
	assert.Contains(t, c.get(prefix+"/_people/v1/sdk.js").body, "PeopleTrackingSDK")
	called := c.call(prefix+"/_people", "auto")
	require.Equal(t, http.StatusOK, called.status, called.body)
	assert.Contains(t, called.header.Get("Set-Cookie"), "Path="+prefix+"/_people;")
	assert.Contains(t, c.get("/unsere%20leute/", "X-Operator", "ana").body, `href="/unsere%20leute/live"`)
}

// B39: Caddy matches and strips prefixes in any case of letters; addresses carry
// them as configured.
func TestB39PrefixInAnotherCase(t *testing.T) {
	c := newInstance(t)
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}",
		fmt.Sprintf("{site} {\nhandle_path /Shop/* {\npeople_tracking\nreverse_proxy %s\n}\n}", upstream(t, nil))))
	for _, path := range []string{"/Shop/cart", "/shop/cart", "/SHOP/"} {
		assert.Contains(t, c.get(path).body, `src="/Shop/_people/v1/sdk.js?v=`, path)
	}
	for _, base := range []string{"/Shop/_people", "/shop/_people"} {
		called := c.call(base, "auto")
		require.Equal(t, http.StatusOK, called.status, called.body)
		assert.Contains(t, called.header.Get("Set-Cookie"), "Path=/Shop/_people;")
	}
}
