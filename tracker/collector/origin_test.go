package collector

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestB37OwnOrigin(t *testing.T) {
	tests := []struct {
		name             string
		site             Site
		origin, metadata string
		want             caller
	}{
		{"ok/https", Site{Scheme: "https", Host: "shop.example"}, "https://shop.example", "same-origin", sameOrigin},
		{"ok/no metadata", Site{Scheme: "https", Host: "shop.example"}, "https://shop.example", "", sameOrigin},
		{"ok/metadata alone", Site{Scheme: "https", Host: "shop.example"}, "", "same-origin", sameOrigin},
		{"ok/http", Site{Scheme: "http", Host: "localhost:8080"}, "http://localhost:8080", "same-origin", sameOrigin},
		{"ok/host in capitals", Site{Scheme: "https", Host: "Shop.Example"}, "https://shop.example", "", sameOrigin},
		{"ok/scheme in capitals", Site{Scheme: "HTTPS", Host: "shop.example"}, "https://shop.example", "", sameOrigin},
		{"ok/default port in host", Site{Scheme: "https", Host: "shop.example:443"}, "https://shop.example", "", sameOrigin},
		{"ok/default port in origin", Site{Scheme: "http", Host: "shop.example"}, "http://shop.example:80", "", sameOrigin},
		{"ok/ipv6", Site{Scheme: "http", Host: "[::1]:8080"}, "http://[::1]:8080", "", sameOrigin},
		{"fail/port of the other scheme", Site{Scheme: "https", Host: "shop.example:80"}, "https://shop.example", "", foreign},
		{"fail/scheme alone", Site{Scheme: "https", Host: ""}, "https://", "", foreign},
		{"fail/no scheme", Site{Scheme: "https", Host: "shop.example"}, "shop.example", "", foreign},
		{"fail/user", Site{Scheme: "https", Host: "shop.example"}, "https://u@shop.example", "", foreign},
		{"fail/path", Site{Scheme: "https", Host: "shop.example"}, "https://shop.example/", "", foreign},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, _ := newHandler(t, nil)
			r := post(oneCall)
			r.Header.Del("Origin")
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			r.Header.Set("Sec-Fetch-Site", tt.metadata)
			assert.Equal(t, tt.want, h.judgeOrigin(r, tt.site))
		})
	}
}

func TestListedOrigins(t *testing.T) {
	h, fake := newHandler(t, func(c *Config) { c.Origins = []string{"HTTPS://Blog.Example:443/", "http://localhost:3000"} })

	call := func(origin, metadata, body string) http.Header {
		r := post(body)
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", metadata)
		return serve(h, r).Header()
	}
	cors := func(header http.Header) map[string]string {
		found := map[string]string{}
		for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Vary"} {
			if v := header.Get(name); v != "" {
				found[name] = v
			}
		}
		return found
	}
	allowed := map[string]string{
		"Access-Control-Allow-Origin": "https://blog.example", "Access-Control-Allow-Credentials": "true",
		"Access-Control-Expose-Headers": "Retry-After", "Vary": "Origin",
	}
	assert.Equal(t, allowed, cors(call("https://blog.example", "cross-site", oneCall)))
	assert.Equal(t, allowed, cors(call("https://blog.example", "same-site", oneCall)))
	require.Len(t, fake.requests, 2)
	assert.Equal(t, allowed, cors(call("https://blog.example", "cross-site", "{")), "refusals are readable, too")
	assert.Equal(t, map[string]string{"Vary": "Origin"}, cors(call("https://shop.example", "same-origin", oneCall)), "the site itself needs none")
	require.Len(t, fake.requests, 3)
	for _, origin := range []string{"https://evil.example", "null", "https://blog.example.evil.example", "http://blog.example"} {
		assert.Equal(t, map[string]string{"Vary": "Origin"}, cors(call(origin, "cross-site", oneCall)))
	}
	assert.Len(t, fake.requests, 3, "nothing else reached the tracker")
}

func TestNoCORSHeadersByDefault(t *testing.T) {
	h, _ := newHandler(t, nil)
	header := serve(h, post(oneCall)).Header()
	for name := range header {
		assert.NotContains(t, name, "Access-Control")
	}
	assert.Empty(t, header.Get("Vary"))
}

func TestPreflight(t *testing.T) {
	tests := []struct {
		name, origin string
		asks         bool
		status       int
	}{
		{"ok/listed", "https://blog.example", true, 204},
		{"fail/foreign", "https://evil.example", true, 405},
		{"fail/no preflight", "https://blog.example", false, 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, fake := newHandler(t, func(c *Config) { c.Origins = []string{"https://blog.example"} })
			r := post("")
			r.Method = http.MethodOptions
			r.Header.Set("Origin", tt.origin)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			if tt.asks {
				r.Header.Set("Access-Control-Request-Method", "POST")
				r.Header.Set("Access-Control-Request-Headers", "content-type")
			}
			w := serve(h, r)
			require.Equal(t, tt.status, w.Code)
			assert.Empty(t, fake.requests)
			if tt.status == 204 {
				assert.Equal(t, "POST", w.Header().Get("Access-Control-Allow-Methods"))
				assert.Equal(t, "Content-Type", w.Header().Get("Access-Control-Allow-Headers"))
				assert.Equal(t, "https://blog.example", w.Header().Get("Access-Control-Allow-Origin"))
				return
			}
			assert.Equal(t, "OPTIONS, POST", w.Header().Get("Allow"))
			assert.Empty(t, w.Header().Get("Access-Control-Allow-Methods"))
		})
	}
}

// An operator whose front proxy hides the site's public name lists it.
func TestB37OwnOriginListed(t *testing.T) {
	h, fake := newHandler(t, func(c *Config) {
		c.Keys = nil
		c.Origins = []string{"https://public.example"}
	})
	r := post(`{"apiKey":"auto","sentAt":"2026-11-22T10:00:00Z","calls":[{"id":"a","at":"2026-11-22T10:00:00Z","method":"init","params":{}}]}`)
	r.Header.Set("Origin", "https://public.example")
	require.Equal(t, 200, serve(h, r).Code)
	assert.Len(t, fake.requests, 1)
}
