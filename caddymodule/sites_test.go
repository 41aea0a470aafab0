package caddymodule

import (
	"context"
	"log/slog"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
	"github.com/stretchr/testify/assert"
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

// recorder keeps the messages that were logged.
type recorder struct {
	slog.Handler
	said []string
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }

func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	r.said = append(r.said, record.Message)
	return nil
}

func TestAnnouncement(t *testing.T) {
	shop, other, people := &Handler{}, &Handler{}, &Console{}
	sites := []site{
		{handler: shop, path: "", url: "http://a.example/"},
		{handler: shop, path: "", url: "http://b.example/"},
		{handler: shop, path: "/eu/", url: "http://a.example/eu/"},
		{handler: other, url: "https://a.example/"},
		{handler: people, path: "/people/", url: "http://localhost:8082/people/"},
	}
	log := new(recorder)
	app := &App{log: slog.New(log), lease: newLease("/data/people", false, nil)}
	app.announce(sites)
	assert.Equal(t, []string{
		"tracking pages of http://a.example/",
		"tracking pages of http://a.example/eu/",
		"tracking pages of https://a.example/",
		"console at http://localhost:8082/people/",
		`no api_key is configured: pages are tracked under the key "auto", and people are kept in /data/people`,
	}, log.said)
}
