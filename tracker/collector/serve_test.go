package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func TestRequestAsTheTrackerGetsIt(t *testing.T) {
	h, fake := newHandler(t, func(c *Config) {
		c.Account = func(context.Context) (tracker.Account, error) { return 7, nil }
		c.SessionCookies = []string{"lc_session", "lc_other"}
	})
	body := `{"apiKey":"` + wideKey + `","sentAt":"2026-11-22T11:00:00.5+01:00",
		"pages":[{"url":"https://shop.example/a?token=abc&x=1","title":"A"},{"url":"https://shop.example/b","websiteLanguage":"en"}],
		"calls":[
			{"id":"t-1","at":"2026-11-22T09:59:59.120Z","method":"init","params":{}},
			{"id":"t-2","at":"2026-11-22T09:59:59.130Z","epoch":"e1","page":1,"method":"page","params":{ }},
			{"id":"t-3","at":"2026-11-22T09:59:59.140Z","epoch":"+t-2","page":0,"method":"chat","params":{"state":"authenticated","token":"a.b.c","widgetId":"w"}},
			{"id":"t-4","at":"2026-11-22T09:59:59.150Z","epoch":"e1+t-3","page":0,"method":"updatePerson","params":{"anything":[{"a":"}],"}],"x":null}},
			{"id":"t-5","at":"2026-11-22T09:59:59.160Z","epoch":"","page":null,"method":"appendToList","params":{"value":{"name":"special"},"attributeName":"category"}}
		]}`
	r := post(body)
	r.Header.Set("Cookie", "__Secure-people=d1; theme=dark; lc_session=0123456789abcdef0123456789; __Secure-people_chat=c1; _people=plain")
	r.Header.Set("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0")
	w := serve(h, r)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Len(t, fake.requests, 1)

	at := func(ms int) time.Time { return time.Date(2026, 11, 22, 9, 59, 59, ms*1e6, time.UTC) }
	assert.Equal(t, &tracker.Request{
		Account: 7, ID: "request-1", ReceivedAt: testTime, SentAt: testTime.Add(500 * time.Millisecond),
		DeviceTokens: []string{"d1"}, ChatTokens: []string{"c1"},
		SiteCookies:     []tracker.SiteCookie{{Name: "lc_session", Value: "0123456789abcdef0123456789"}},
		SiteCookieNames: []string{"lc_session", "lc_other"},
		Agent:           tracker.Agent{DeviceType: "desktop", BrowserName: "Firefox", BrowserVersion: "128.0", BrowserOS: "Windows"},
		Pages:           []tracker.Page{{URL: "https://shop.example/a?token=&x=1", Title: "A"}, {URL: "https://shop.example/b", WebsiteLanguage: "en"}},
		Calls: []tracker.Call{
			{ID: "t-1", At: at(120), Page: -1, Method: "init", Params: json.RawMessage(`{}`)},
			{ID: "t-2", At: at(130), Epoch: "e1", Page: 1, Method: "page", Params: json.RawMessage(`{ }`)},
			{ID: "t-3", At: at(140), Epoch: "+t-2", Page: 0, Method: "chat", Params: json.RawMessage(`{"state":"authenticated","token":"a.b.c","widgetId":"w"}`)},
			{ID: "t-4", At: at(150), Epoch: "e1+t-3", Page: 0, Method: "updatePerson", Params: json.RawMessage(`{"anything":[{"a":"}],"}],"x":null}`)},
			{ID: "t-5", At: at(160), Page: -1, Method: "appendToList", Params: json.RawMessage(`{"value":{"name":"special"},"attributeName":"category"}`)},
		},
		Warnings: keyScopes,
	}, fake.requests[0])
}

func TestMediaTypes(t *testing.T) {
	for _, mediaType := range []string{
		"application/json", "application/json; charset=utf-8", "Application/JSON",
		"text/plain", "text/plain;charset=UTF-8", `text/plain; charset="utf-8"`,
	} {
		t.Run("ok/"+mediaType, func(t *testing.T) {
			h, fake := newHandler(t, nil)
			r := post(oneCall)
			r.Header.Set("Content-Type", mediaType)
			assert.Equal(t, 200, serve(h, r).Code)
			assert.Len(t, fake.requests, 1)
		})
	}
}

func TestHundredCallsPass(t *testing.T) {
	h, fake := newHandler(t, nil)
	require.Equal(t, 200, serve(h, post(calls(100))).Code)
	assert.Len(t, fake.requests[0].Calls, 100)
}

func TestB27Answers(t *testing.T) {
	h, fake := newHandler(t, nil)
	fake.answer = func(req *tracker.Request) (*tracker.Response, error) {
		res := succeed(req)
		res.Epoch = "c8a1"
		res.Results[1].Warnings = []tracker.Warning{{Code: "ignored_property", Message: `"shoe" <size>`}, {Code: "b", Message: "m"}}
		res.Results[2].Err = tracker.NewCallError(tracker.CodeTrack, "the property \"x\" is not declared")
		return res, nil
	}
	w := serve(h, post(calls(3)))
	require.Equal(t, 200, w.Code)
	parse(t, w)
	assert.JSONEq(t, `{"epoch":"c8a1","results":[
		{"id":"k3v9x2ab-Aa","success":true,"data":null},
		{"id":"k3v9x2ab-Ab","success":true,"data":{"warnings":[{"code":"ignored_property","message":"\"shoe\" <size>"},{"code":"b","message":"m"}]}},
		{"id":"k3v9x2ab-Ac","success":false,"error":{"code":2016,"name":"SdkTrackError",
			"message":"Error when calling track(). Cause: the property \"x\" is not declared","origin":"people-tracking","platform":"fe-snippet"}}]}`,
		w.Body.String())
	assert.Equal(t, fmt.Sprint(w.Body.Len()), w.Header().Get("Content-Length"))
}

func TestB34TrackerFailures(t *testing.T) {
	const detail = "disk /dev/sda is on fire"
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name       string
		ctx        context.Context
		err        error
		status     int
		cause      string
		retryAfter string
		logged     string
	}{
		{"fail/unavailable", t.Context(), fmt.Errorf("%s: %w", detail, store.ErrUnavailable), 503, "the store is unavailable", "5", "level=WARN"},
		{"fail/closed", t.Context(), fmt.Errorf("%s: %w", detail, store.ErrClosed), 503, "the store is unavailable", "5", "level=WARN"},
		{"fail/too large", t.Context(), fmt.Errorf("%s: %w", detail, store.ErrTooLarge), 500, "internal error", "", "level=ERROR"},
		{"fail/anything", t.Context(), errors.New(detail), 500, "internal error", "", "level=ERROR"},
		{"fail/browser gone", gone, context.Canceled, 503, "the request was given up", "5", ""},
	}
	for i, tt := range append(tests, tests...) {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			h, fake := newHandler(t, func(c *Config) {
				c.Logger = slog.New(slog.NewTextHandler(&log, nil))
				if i >= len(tests) { // already the account cannot be told
					c.Account = func(context.Context) (tracker.Account, error) { return 0, tt.err }
				}
			})
			fake.answer = func(*tracker.Request) (*tracker.Response, error) { return nil, tt.err }
			w := serve(h, post(oneCall).WithContext(tt.ctx))
			requireRefusal(t, w, tt.status, tt.cause)
			assert.Equal(t, tt.retryAfter, w.Header().Get("Retry-After"))
			if tt.logged == "" {
				assert.Empty(t, log.String(), "a visitor who leaves is no event")
				return
			}
			assert.Contains(t, log.String(), tt.logged)
			assert.Contains(t, log.String(), detail)
			assert.Contains(t, log.String(), "request=request-1")
		})
	}
}

func TestB34UnavailableStoreDoesNotFillTheLog(t *testing.T) {
	var log bytes.Buffer
	h, fake := newHandler(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	fake.answer = func(*tracker.Request) (*tracker.Response, error) { return nil, store.ErrUnavailable }
	for range 20 {
		require.Equal(t, 503, serve(h, post(oneCall)).Code)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "store unavailable"))
}

func TestResultsThatDoNotFitTheCallsAreNotShown(t *testing.T) {
	for name, results := range map[string][]tracker.Result{
		"fail/too few":     {{ID: "k3v9x2ab-Aa"}},
		"fail/other order": {{ID: "k3v9x2ab-Ab"}, {ID: "k3v9x2ab-Aa"}},
	} {
		t.Run(name, func(t *testing.T) {
			h, fake := newHandler(t, nil)
			fake.answer = func(*tracker.Request) (*tracker.Response, error) {
				return &tracker.Response{Epoch: "e", Results: results}, nil
			}
			requireRefusal(t, serve(h, post(calls(2))), 500, "internal error")
		})
	}
}

func TestObservations(t *testing.T) {
	var seen []Observation
	h, fake := newHandler(t, func(c *Config) { c.Observe = func(o Observation) { seen = append(seen, o) } })
	fake.answer = func(req *tracker.Request) (*tracker.Response, error) {
		res := succeed(req)
		res.Results[1].Err = tracker.NewCallError(tracker.CodeTrack, "x")
		return res, nil
	}
	serve(h, post(calls(2)))
	assert.Equal(t, []Observation{{Result: "ok"}, {Method: "track", Result: "ok"}, {Method: "track", Result: "2016"}}, seen)
	for _, o := range seen {
		_, refused := o.RefusedBy()
		assert.False(t, refused, o)
	}
}

// Nothing that identifies somebody or opens something stands in a log line,
// even at debug, or in an answer.
func TestB28NoSecretsInLogsAndAnswers(t *testing.T) {
	secrets := []string{trackingKey, "tokenvalue", "devicevalue", "chatvalue", "sitevalue", "/p?id=7", "203.0.113.9", "Mozilla", "evil.example"}
	body := strings.Replace(oneCall, `"track","params":{"eventId":"action","properties":{"name":"Button clicked"}}`,
		`"chat","params":{"state":"started","token":"tokenvalue"}`, 1)
	changes := map[string]func(*http.Request){
		"ok":           func(*http.Request) {},
		"fail/origin":  func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"fail/failed":  func(r *http.Request) { r.Header.Set("X-Fail", "1") },
		"fail/limited": func(r *http.Request) { r.RemoteAddr = "203.0.113.9:5" },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			h, fake := newHandler(t, func(c *Config) {
				c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				c.SessionCookies = []string{"lc"}
				c.Limits.Address = Limit{PerSecond: 1, Burst: 100}
			})
			if name == "fail/failed" {
				fake.answer = func(*tracker.Request) (*tracker.Response, error) { return nil, errors.New("broken") }
			}
			if name == "fail/limited" {
				r := post(calls(100))
				r.RemoteAddr = "203.0.113.9:5"
				require.Equal(t, 200, serve(h, r).Code)
			}
			r := post(body)
			r.Header.Set("Cookie", "__Secure-people=devicevalue; __Secure-people_chat=chatvalue; lc=sitevalue")
			r.Header.Set("User-Agent", "Mozilla/5.0")
			change(r)
			w := serve(h, r)
			require.Equal(t, name == "ok", w.Code == 200)
			for _, secret := range secrets {
				assert.NotContains(t, log.String(), secret)
				assert.NotContains(t, w.Body.String(), secret)
			}
		})
	}
}

func TestNewJudgesItsConfig(t *testing.T) {
	site := func(*http.Request) Site { return Site{} }
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"ok/defaults", func(*Config) {}, ""},
		{"fail/no tracker", func(c *Config) { c.Tracker = nil }, "required"},
		{"fail/no site", func(c *Config) { c.Site = nil }, "required"},
		{"fail/small burst", func(c *Config) { c.Limits.Device = Limit{PerSecond: 1, Burst: 99} }, "device rate limit"},
		{"fail/no rate", func(c *Config) { c.Limits.Address = Limit{Burst: 100} }, "address rate limit"},
		{"fail/origin with a path", func(c *Config) { c.Origins = []string{"https://a.example/x"} }, "more than"},
		{"fail/origin without scheme", func(c *Config) { c.Origins = []string{"a.example"} }, "scheme://host"},
		{"fail/origin of another scheme", func(c *Config) { c.Origins = []string{"ftp://a.example"} }, "neither http"},
		{"fail/wildcard origin", func(c *Config) { c.Origins = []string{"https://*.example"} }, "ASCII"},
		{"fail/origin in unicode", func(c *Config) { c.Origins = []string{"https://bücher.example"} }, "ASCII"},
		{"fail/own cookie", func(c *Config) { c.SessionCookies = []string{"_people_chat"} }, "our own"},
		{"fail/own secure cookie", func(c *Config) { c.SessionCookies = []string{"__Secure-people"} }, "our own"},
		{"fail/no cookie name", func(c *Config) { c.SessionCookies = []string{"a b"} }, "not a cookie name"},
		{"fail/cookie twice", func(c *Config) { c.SessionCookies = []string{"a", "a"} }, "twice"},
		{"fail/redact nothing", func(c *Config) { c.RedactQuery = []string{"-"} }, "letter or digit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{Tracker: &fakeTracker{}, Site: site}
			tt.change(&cfg)
			_, err := New(cfg)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, tt.want)
		})
	}
}
