package caddymodule

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func TestSiteURL(t *testing.T) {
	tls := caddytls.ConnectionPolicies{{}}
	tests := map[string]struct {
		listen, host, path, want string
		tls                      caddytls.ConnectionPolicies
	}{
		"ok/every interface": {listen: ":8080", want: "http://localhost:8080/"},
		"ok/unspecified":     {listen: "0.0.0.0:8080", want: "http://localhost:8080/"},
		"ok/one interface":   {listen: "192.0.2.7:8080", want: "http://192.0.2.7:8080/"},
		"ok/IPv6":            {listen: "[::1]:8080", want: "http://[::1]:8080/"},
		"ok/IPv6 and usual":  {listen: "[2001:db8::1]:80", want: "http://[2001:db8::1]/"},
		"ok/host":            {listen: ":80", host: "shop.example", want: "http://shop.example/"},
		"ok/https":           {listen: ":443", host: "shop.example", want: "https://shop.example/", tls: tls},
		"ok/https elsewhere": {listen: ":8443", host: "shop.example", want: "https://shop.example:8443/", tls: tls},
		"ok/http beside it":  {listen: ":80", host: "shop.example", want: "http://shop.example/", tls: tls},
		"ok/path":            {listen: ":8080", path: "/people/", want: "http://localhost:8080/people/"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := siteWalk{app: new(caddyhttp.App), server: &caddyhttp.Server{TLSConnPolicies: test.tls}}
			assert.Equal(t, test.want, w.url(test.listen, test.host, test.path))
		})
	}
}

func TestAnnouncement(t *testing.T) {
	shop, other, people := &Handler{BasePath: "/p", key: tracker.Key{Value: autoKey}}, &Handler{BasePath: "/p"}, &Console{}
	everywhere := []string{""}
	sites := []site{
		{handler: shop, prefixes: everywhere, url: "http://a.example/"},
		{handler: shop, prefixes: everywhere, url: "http://b.example/"},
		{handler: shop, prefixes: everywhere, paths: []string{"/eu/"}, url: "http://a.example/eu/"},
		{handler: other, prefixes: everywhere, url: "https://a.example/"},
		{handler: people, paths: []string{"/people/"}, url: "http://localhost:8082/people/"},
	}
	log := new(recorder)
	app := &App{log: slog.New(log), lease: newLease("/data/people", false, nil), accounts: map[string]*account{"default": {listed: []tracker.Key{
		{Value: "page", Scopes: []string{tracker.ScopeTracking}},
		{Value: "program", Scopes: []string{tracker.ScopeRead}},
		{Value: strings.Repeat("long", 4), Scopes: []string{tracker.ScopeManage}},
	}}}}
	app.announce(newSites(sites))
	assert.Equal(t, []string{
		"tracking pages of http://a.example/",
		"tracking pages of http://a.example/eu/",
		"tracking pages of https://a.example/",
		"console at http://localhost:8082/people/",
		"an API key that opens people to programs is short enough to be guessed",
		`no api_key that may track is configured: pages are tracked under the key "auto", and people are kept in /data/people`,
	}, log.said)
}

func TestPagesWhoseCallsArriveNowhere(t *testing.T) {
	const warning = "calls of these pages do not arrive: no route leads their base path to people_tracking"
	tests := map[string]struct {
		site string
		want bool
	}{
		"ok/no matcher":                {site: "people_tracking"},
		"ok/a matcher with the path":   {site: "@pages path /shop/* /_people/*\npeople_tracking @pages"},
		"ok/another matcher":           {site: "@pages header X-Shop *\npeople_tracking @pages"},
		"ok/pattern":                   {site: "@pages path *.html\npeople_tracking @pages"},
		"ok/two handlers":              {site: "people_tracking /shop/*\npeople_tracking /_people/*"},
		"ok/base path in the matcher":  {site: "people_tracking /shop/* {\nbase_path /shop/people\n}"},
		"ok/capitals":                  {site: "people_tracking /Shop/* {\nbase_path /Shop/people\n}"},
		"ok/handle_path":               {site: "handle_path /shop/* {\npeople_tracking\n}"},
		"ok/handle_path in handle":     {site: "handle /eu/* {\nhandle_path /eu/shop/* {\npeople_tracking\n}\n}"},
		"ok/uri":                       {site: "uri /shop/* strip_prefix /shop\npeople_tracking"},
		"fail/matcher":                 {site: "people_tracking /shop/*", want: true},
		"fail/handle":                  {site: "handle /shop/* {\npeople_tracking\n}", want: true},
		"fail/matcher in handle_path":  {site: "handle_path /shop/* {\npeople_tracking /cart/*\n}", want: true},
		"fail/handler of another host": {site: "@a host a.localhost\npeople_tracking @a\nhandle /x/* {\npeople_tracking\n}", want: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newInstance(t)
			log := filepath.Join(c.dir, "log")
			require.NoError(t, c.load("log people {\noutput file "+log+"\ninclude people_tracking\n}", "{site} {\n"+test.site+"\nrespond ok\n}"))
			require.NoError(t, caddy.Stop())
			logged, err := os.ReadFile(log)
			require.NoError(t, err)
			assert.Contains(t, string(logged), "tracking pages of http://"+c.site+"/")
			assert.Equal(t, test.want, strings.Contains(string(logged), warning))
		})
	}
}
