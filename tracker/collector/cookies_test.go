package collector

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func TestCookiesRead(t *testing.T) {
	const long = maxCookieBytes + 72
	tests := []struct {
		name   string
		scheme string
		header []string
		device []string
		chat   []string
		site   []tracker.SiteCookie
	}{
		{"ok/none", "https", nil, nil, nil, nil},
		{"ok/https", "https", []string{"__Secure-people=a; __Secure-people_chat=b; lc=c"}, []string{"a"}, []string{"b"}, []tracker.SiteCookie{{Name: "lc", Value: "c"}}},
		{"ok/http", "http", []string{"_people=a; _people_chat=b"}, []string{"a"}, []string{"b"}, nil},
		{"fail/planted over http", "https", []string{"_people=a; _people_chat=b"}, nil, nil, nil},
		{"fail/secure name over http", "http", []string{"__Secure-people=a"}, nil, nil, nil},
		{"ok/every value", "https", []string{"__Secure-people=a; __Secure-people=b; __Secure-people=a"}, []string{"a", "b"}, nil, nil},
		{"ok/several headers", "https", []string{"__Secure-people=a", "__Secure-people=b"}, []string{"a", "b"}, nil, nil},
		{"ok/empty is none", "https", []string{"__Secure-people="}, nil, nil, nil},
		{"ok/cut, and still a value of its own", "https", []string{"__Secure-people=a; __Secure-people=" + strings.Repeat("x", long)}, []string{"a", strings.Repeat("x", maxCookieBytes)}, nil, nil},
		{"ok/bounded in number", "https", []string{"__Secure-people=a; __Secure-people=b; __Secure-people=c; __Secure-people=d; __Secure-people=e"}, []string{"a", "b", "c", "d"}, nil, nil},
		{"ok/the site's may be a token", "https", []string{"lc=" + strings.Repeat("j", 3000)}, nil, nil, []tracker.SiteCookie{{Name: "lc", Value: strings.Repeat("j", 3000)}}},
		{"ok/two of the site's", "https", []string{"lc=a; lc=b; other=c"}, nil, nil, []tracker.SiteCookie{{Name: "lc", Value: "a"}, {Name: "lc", Value: "b"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, fake := newHandler(t, func(c *Config) {
				c.SessionCookies = []string{"lc"}
				c.Site = func(*http.Request) Site { return Site{Scheme: tt.scheme, Host: "shop.example", Base: "/_people"} }
			})
			r := post(oneCall)
			r.Header.Set("Origin", tt.scheme+"://shop.example")
			r.Header["Cookie"] = tt.header
			require.Equal(t, 200, serve(h, r).Code)
			assert.Equal(t, tt.device, fake.requests[0].DeviceTokens)
			assert.Equal(t, tt.chat, fake.requests[0].ChatTokens)
			assert.Equal(t, tt.site, fake.requests[0].SiteCookies)
		})
	}
}

func TestCookiesSet(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef"
	set := func(age time.Duration) tracker.CookieChange {
		return tracker.CookieChange{Set: true, Value: token, MaxAge: age}
	}
	drop := tracker.CookieChange{Delete: true}
	tests := []struct {
		name         string
		site         Site
		device, chat tracker.CookieChange
		want         []string
	}{
		{"ok/nothing changed", Site{"https", "shop.example", "/_people"}, tracker.CookieChange{}, tracker.CookieChange{}, nil},
		{"ok/https", Site{"https", "shop.example", "/_people"}, set(time.Hour), set(24 * time.Hour), []string{
			"__Secure-people=" + token + "; Path=/_people; Max-Age=3600; HttpOnly; Secure; SameSite=Lax",
			"__Secure-people_chat=" + token + "; Path=/_people; Max-Age=86400; HttpOnly; Secure; SameSite=Lax",
		}},
		{"ok/http", Site{"http", "shop.example", "/_people"}, set(time.Hour), set(24 * time.Hour), []string{
			"_people=" + token + "; Path=/_people; Max-Age=3600; HttpOnly; SameSite=Lax",
			"_people_chat=" + token + "; Path=/_people; Max-Age=86400; HttpOnly; SameSite=Lax",
		}},
		{"ok/B39 prefix", Site{"https", "shop.example", "/shop/_people"}, set(time.Hour), tracker.CookieChange{}, []string{
			"__Secure-people=" + token + "; Path=/shop/_people; Max-Age=3600; HttpOnly; Secure; SameSite=Lax",
		}},
		{"ok/base is the root", Site{"https", "shop.example", ""}, set(time.Hour), tracker.CookieChange{}, []string{
			"__Secure-people=" + token + "; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax",
		}},
		{"ok/B7 chat without an age ends with the browser", Site{"https", "shop.example", "/_people"}, tracker.CookieChange{}, set(0), []string{
			"__Secure-people_chat=" + token + "; Path=/_people; HttpOnly; Secure; SameSite=Lax",
		}},
		{"ok/B7 deleted", Site{"https", "shop.example", "/_people"}, drop, drop, []string{
			"__Secure-people=; Path=/_people; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
			"__Secure-people_chat=; Path=/_people; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, fake := newHandler(t, func(c *Config) { c.Site = func(*http.Request) Site { return tt.site } })
			fake.answer = func(req *tracker.Request) (*tracker.Response, error) {
				res := succeed(req)
				res.Device, res.Chat = tt.device, tt.chat
				return res, nil
			}
			r := post(oneCall)
			r.Header.Set("Origin", tt.site.Scheme+"://shop.example")
			w := serve(h, r)
			require.Equal(t, 200, w.Code)
			assert.Equal(t, tt.want, w.Header().Values("Set-Cookie"))
		})
	}
}
