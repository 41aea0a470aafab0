package collector

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func with(header, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(header, value) }
}

func without(header string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Del(header) }
}

// Every refusal that needs no look into the body. The body is a good one, so
// that only the named fault can be the reason.
func TestB37RefusedBeforeTheBody(t *testing.T) {
	const foreignOrigin = "the calling page's origin is not allowed"
	const mediaType = "the media type is neither application/json nor text/plain in UTF-8"
	tests := []struct {
		name   string
		change func(*http.Request)
		status int
		result string
		cause  string
	}{
		{"fail/get", func(r *http.Request) { r.Method = http.MethodGet }, 405, ResultMethod, "the method is not POST"},
		{"fail/put", func(r *http.Request) { r.Method = http.MethodPut }, 405, ResultMethod, "the method is not POST"},
		{"fail/options without listed origins", func(r *http.Request) {
			r.Method = http.MethodOptions
			r.Header.Set("Access-Control-Request-Method", "POST")
		}, 405, ResultMethod, "the method is not POST"},
		{"fail/no media type", without("Content-Type"), 415, ResultMediaType, mediaType},
		{"fail/form", with("Content-Type", "application/x-www-form-urlencoded"), 415, ResultMediaType, mediaType},
		{"fail/utf-16", with("Content-Type", "text/plain; charset=utf-16"), 415, ResultMediaType, mediaType},
		{"fail/broken media type", with("Content-Type", "text/plain; ="), 415, ResultMediaType, mediaType},
		{"fail/gzip", with("Content-Encoding", "gzip"), 415, ResultMediaType, "a content coding is not supported"},
		{"fail/announced too long", func(r *http.Request) { r.ContentLength = 65537 }, 413, ResultTooLarge, "the body is over 65536 bytes"},
		{"fail/other host", with("Origin", "https://shop.example.evil.example"), 403, ResultOrigin, foreignOrigin},
		{"fail/host in front", with("Origin", "https://evil-shop.example"), 403, ResultOrigin, foreignOrigin},
		{"fail/subdomain", with("Origin", "https://www.shop.example"), 403, ResultOrigin, foreignOrigin},
		{"fail/scheme", with("Origin", "http://shop.example"), 403, ResultOrigin, foreignOrigin},
		{"fail/scheme prefix", with("Origin", "https+x://shop.example"), 403, ResultOrigin, foreignOrigin},
		{"fail/port", with("Origin", "https://shop.example:8443"), 403, ResultOrigin, foreignOrigin},
		{"fail/null", with("Origin", "null"), 403, ResultOrigin, foreignOrigin},
		{"fail/empty origin", with("Origin", ""), 403, ResultOrigin, foreignOrigin},
		{"fail/two origins", func(r *http.Request) { r.Header.Add("Origin", "https://shop.example") }, 403, ResultOrigin, foreignOrigin},
		{"fail/own origin but cross-site", with("Sec-Fetch-Site", "cross-site"), 403, ResultOrigin, foreignOrigin},
		{"fail/own origin but same-site", with("Sec-Fetch-Site", "same-site"), 403, ResultOrigin, foreignOrigin},
		{"fail/neither origin nor metadata", func(r *http.Request) {
			r.Header.Del("Origin")
			r.Header.Del("Sec-Fetch-Site")
		}, 403, ResultOrigin, foreignOrigin},
		{"fail/no origin, typed address", func(r *http.Request) {
			r.Header.Del("Origin")
			r.Header.Set("Sec-Fetch-Site", "none")
		}, 403, ResultOrigin, foreignOrigin},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var seen []Observation
			h, fake := newHandler(t, func(c *Config) { c.Observe = func(o Observation) { seen = append(seen, o) } })
			r := post(oneCall)
			tt.change(r)
			r.Body = io.NopCloser(unreadable{t})
			w := serve(h, r)
			requireRefusal(t, w, tt.status, tt.cause)
			assert.Empty(t, fake.requests, "nothing reaches the tracker")
			assert.Equal(t, []Observation{{Result: tt.result}}, seen)
			rule, refused := seen[0].RefusedBy()
			assert.True(t, refused)
			assert.Regexp(t, `^B(28|34|37|38)$`, rule)
			assert.Empty(t, w.Header().Values("Set-Cookie"))
			assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
			assert.Equal(t, tt.status == 405, w.Header().Get("Allow") == "POST")
		})
	}
}

type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body is read although the headers are refused")
	return 0, io.EOF
}

func TestMalformedBodies(t *testing.T) {
	const shape = "the body is not a request of this protocol"
	call := func(old, with string) string {
		require.Contains(t, oneCall, old)
		return strings.Replace(oneCall, old, with, 1)
	}
	tests := []struct{ name, body, cause string }{
		{"fail/empty", "", shape},
		{"fail/not json", "hello", shape},
		{"fail/array", "[]", shape},
		{"fail/null", "null", "sentAt is missing or out of range"},
		{"fail/cut off", oneCall[:len(oneCall)-1], shape},
		{"fail/two values", oneCall + oneCall, shape},
		{"fail/unknown member", call(`"sentAt"`, `"secret":"s3cr3t","sentAt"`), shape},
		{"fail/other case", call(`"apiKey"`, `"APIKEY"`), shape},
		{"fail/unknown member of a page", call(`"title"`, `"secret":1,"title"`), shape},
		{"fail/unknown member of a call", call(`"at"`, `"secret":1,"at"`), shape},
		{"fail/member twice", call(`"apiKey"`, `"apiKey":"a","apiKey"`), shape},
		{"fail/member of a call twice", call(`"at"`, `"at":"2026-11-22T09:59:59Z","at"`), shape},
		{"fail/member of params twice", call(`"eventId"`, `"eventId":"b","eventId"`), shape},
		{"fail/member of properties twice", call(`"name"`, `"name":"b","name"`), shape},
		{"fail/invalid utf-8", call("Shoes", "Sho\xffes"), shape},
		{"fail/lone surrogate", call("Shoes", `\ud800`), shape},
		{"fail/wrong type", call(`"k3v9x2ab-1"`, `7`), shape},
		{"fail/too deep outside of params", call(`"k3v9x2ab-1"`, strings.Repeat("[", 40)+strings.Repeat("]", 40)), "the body is nested deeper than 32"},
		{"fail/very deep", strings.Repeat(`{"calls":[`, 6500), "the body is nested deeper than 32"},
		{"fail/no calls", `{"apiKey":"a","sentAt":"2026-11-22T10:00:00Z","calls":[]}`, "there are no calls"},
		{"fail/calls absent", `{"apiKey":"a","sentAt":"2026-11-22T10:00:00Z"}`, "there are no calls"},
		{"fail/calls null", `{"apiKey":"a","sentAt":"2026-11-22T10:00:00Z","calls":null}`, shape},
		{"fail/101 calls", calls(101), "more than 100 entries in a list"},
		{"fail/thousands of calls", `{"calls":[` + strings.Repeat("{},", 20000) + `{}]}`, "more than 100 entries in a list"},
		{"fail/101 pages", `{"pages":[` + strings.Repeat("{},", 100) + `{}]}`, "more than 100 entries in a list"},
		{"fail/call null", `{"apiKey":"a","sentAt":"2026-11-22T10:00:00Z","calls":[null]}`, "call 0: id is not 1 to 36 of A-Za-z0-9_-"},
		{"fail/long key", call(trackingKey, strings.Repeat("k", 257)), "apiKey is longer than 256 bytes"},
		{"fail/no sentAt", call(`"sentAt":"2026-11-22T10:00:00.000Z",`, ``), "sentAt is missing or out of range"},
		{"fail/sentAt no time", call(`"2026-11-22T10:00:00.000Z"`, `"yesterday"`), shape},
		{"fail/sentAt without zone", call(`"2026-11-22T10:00:00.000Z"`, `"2026-11-22T10:00:00"`), shape},
		{"fail/sentAt before 1970", call(`2026-11-22T10:00:00.000Z`, `1969-12-31T23:59:59Z`), "sentAt is missing or out of range"},
		{"fail/at after 2199", call(`2026-11-22T09:59:59.120Z`, `2200-01-01T00:00:00Z`), "call 0: at is missing or out of range"},
		{"fail/no at", call(`"at":"2026-11-22T09:59:59.120Z",`, ``), "call 0: at is missing or out of range"},
		{"fail/boot short", call(`0123456789abcdef0123456789abcdef`, `0123456789abcdef`), "boot is not 32 lower-case hex digits"},
		{"fail/boot upper case", call(`0123456789abcdef0123456789abcdef`, `0123456789ABCDEF0123456789abcdef`), "boot is not 32 lower-case hex digits"},
		{"fail/B26 id empty", call(`k3v9x2ab-1`, ``), "call 0: id is not 1 to 36 of A-Za-z0-9_-"},
		{"fail/B26 id too long", call(`k3v9x2ab-1`, strings.Repeat("a", 37)), "call 0: id is not 1 to 36 of A-Za-z0-9_-"},
		{"fail/B26 id with a dot", call(`k3v9x2ab-1`, `k3v9.1`), "call 0: id is not 1 to 36 of A-Za-z0-9_-"},
		{"fail/epoch too long", call(`"page":0`, `"epoch":"`+strings.Repeat("e", 33)+`","page":0`), "call 0: epoch is malformed"},
		{"fail/epoch with a space", call(`"page":0`, `"epoch":"a b","page":0`), "call 0: epoch is malformed"},
		{"fail/epoch waits for nothing", call(`"page":0`, `"epoch":"e1+","page":0`), "call 0: epoch is malformed"},
		{"fail/epoch waits twice", call(`"page":0`, `"epoch":"e1+a+b","page":0`), "call 0: epoch is malformed"},
		{"fail/page beyond", call(`"page":0`, `"page":1`), "call 0: page is no index into pages"},
		{"fail/page negative", call(`"page":0`, `"page":-1`), "call 0: page is no index into pages"},
		{"fail/page fraction", call(`"page":0`, `"page":0.5`), shape},
		{"fail/method unknown", call(`"track"`, `"forget"`), "call 0: method is unknown"},
		{"fail/method empty", call(`"track"`, `""`), "call 0: method is unknown"},
		{"fail/params absent", call(`,"params":{"eventId":"action","properties":{"name":"Button clicked"}}`, ``), "call 0: params is not an object with the members of the method"},
		{"fail/params null", call(`{"eventId":"action","properties":{"name":"Button clicked"}}`, `null`), "call 0: params is not an object with the members of the method"},
		{"fail/params array", call(`{"eventId":"action","properties":{"name":"Button clicked"}}`, `[]`), "call 0: params is not an object with the members of the method"},
		{"fail/params with a further member", call(`"eventId"`, `"extra":1,"eventId"`), "call 0: params is not an object with the members of the method"},
		{"fail/init with params", call(`"track"`, `"init"`), "call 0: params is not an object with the members of the method"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, fake := newHandler(t, nil)
			require.LessOrEqual(t, len(tt.body), maxBody)
			w := serve(h, post(tt.body))
			requireRefusal(t, w, http.StatusBadRequest, tt.cause)
			assert.Empty(t, fake.requests, "nothing reaches the tracker")
			assert.NotContains(t, w.Body.String(), "secret")
		})
	}
}

func TestB28Keys(t *testing.T) {
	withKey := func(key string) string { return strings.Replace(oneCall, trackingKey, key, 1) }
	noKeys := func(c *Config) { c.Keys = nil; c.Origins = []string{"https://blog.example"} }
	listedOrigin := func(r *http.Request) {
		r.Header.Set("Origin", "https://blog.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	tests := []struct {
		name     string
		config   func(*Config)
		key      string
		change   func(*http.Request)
		status   int
		cause    string
		warnings []tracker.Warning
	}{
		{"ok/single scope", nil, trackingKey, nil, 200, "", nil},
		{"ok/further scopes warn", nil, wideKey, nil, 200, "", keyScopes},
		{"fail/unknown", nil, "deadbeef", nil, 401, "unknown API key", nil},
		{"fail/none", nil, "", nil, 401, "unknown API key", nil},
		{"fail/auto where keys are configured", nil, "auto", nil, 401, "unknown API key", nil},
		{"fail/without the scope", nil, readKey, nil, 403, "the API key lacks the scope web:tracking:sdk", nil},
		{"ok/auto", noKeys, "auto", nil, 200, "", nil},
		{"fail/another than auto", noKeys, trackingKey, nil, 401, "unknown API key", nil},
		{"fail/auto from a listed origin", noKeys, "auto", listedOrigin, 403, "the key auto is good for the site's own origin only, configure an API key", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, fake := newHandler(t, tt.config)
			r := post(withKey(tt.key))
			if tt.change != nil {
				tt.change(r)
			}
			w := serve(h, r)
			if tt.status != 200 {
				requireRefusal(t, w, tt.status, tt.cause)
				assert.Empty(t, fake.requests, "nothing reaches the tracker")
				return
			}
			require.Equal(t, 200, w.Code, w.Body.String())
			require.Len(t, fake.requests, 1)
			assert.Equal(t, tt.warnings, fake.requests[0].Warnings)
		})
	}
}

func TestBodyLimitHoldsWithoutContentLength(t *testing.T) {
	tests := []struct {
		name   string
		pad    int
		status int
	}{
		{"ok/65536 bytes", maxBody, 200},
		{"fail/65537 bytes", maxBody + 1, 413},
		{"fail/endless", 1 << 22, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, fake := newHandler(t, nil)
			body := oneCall + strings.Repeat(" ", tt.pad-len(oneCall))
			r := post(body)
			counted := &counter{r: strings.NewReader(body)}
			r.Body, r.ContentLength = io.NopCloser(counted), -1
			w := serve(h, r)
			require.Equal(t, tt.status, w.Code)
			assert.LessOrEqual(t, counted.n, maxBody+1, "reading stops at the limit")
			assert.Equal(t, tt.status == 200, len(fake.requests) == 1)
		})
	}
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestB35BrokenBodyKeepsTheCalls(t *testing.T) {
	h, fake := newHandler(t, nil)
	r := post(oneCall)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(oneCall[:100]), failing{io.ErrUnexpectedEOF}))
	w := serve(h, r)
	requireRefusal(t, w, 503, "the body broke off")
	assert.Equal(t, "5", w.Header().Get("Retry-After"))
	assert.Empty(t, fake.requests)

	r = post(oneCall)
	r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 100) // the operator's own, tighter limit
	requireRefusal(t, serve(h, r), 413, "the body is over 65536 bytes")
	assert.Empty(t, fake.requests)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
