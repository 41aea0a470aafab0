package caddymodule

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// tracked loads the options of a handler in front of an upstream.
func tracked(t *testing.T, global, options string, handler http.HandlerFunc) *instance {
	t.Helper()
	c := newInstance(t)
	require.NoError(t, c.load("people_tracking {\n"+global+"\n}",
		"{site} {\npeople_tracking {\n"+options+"\n}\nreverse_proxy "+upstream(t, handler)+"\n}"))
	return c
}

// served is an upstream that answers page with headers.
func served(body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		io.WriteString(w, body)
	}
}

func TestOptionsOfTheScript(t *testing.T) {
	for options, want := range map[string]string{
		"":                                `<script src="/_people/v1/sdk.js?v=%s" data-key="auto"></script>`,
		"base_path /p/q":                  `<script src="/p/q/v1/sdk.js?v=%s" data-key="auto"></script>`,
		"load async":                      `<script src="/_people/v1/sdk.js?v=%s" data-key="auto" async=""></script>`,
		"auto_init off":                   `<script src="/_people/v1/sdk.js?v=%s"></script>`,
		"page_views navigation":           `<script src="/_people/v1/sdk.js?v=%s" data-key="auto" data-views="navigation"></script>`,
		"chat_signals calls messages":     `<script src="/_people/v1/sdk.js?v=%s" data-key="auto" data-signals="calls messages"></script>`,
		"chat_signals off":                `<script src="/_people/v1/sdk.js?v=%s" data-key="auto" data-signals=""></script>`,
		"consent implied":                 `<script src="/_people/v1/sdk.js?v=%s" data-key="auto"></script>`,
		"consent required":                `<script src="/_people/v1/sdk.js?v=%s" data-key="auto" data-consent="required"></script>`,
		"consent required cookie cmp all": `<script src="/_people/v1/sdk.js?v=%s" data-key="auto" data-consent="required" data-consent-cookie="cmp=all"></script>`,
		"consent implied cookie cmp all":  `<script src="/_people/v1/sdk.js?v=%s" data-key="auto" data-consent-cookie="cmp=all"></script>`,
		"widget_origins https://chat.example:444": `<script src="/_people/v1/sdk.js?v=%s" data-key="auto" data-widget-origins="https://chat.example:444"></script>`,
	} {
		t.Run("ok/"+options, func(t *testing.T) {
			c := tracked(t, "", options, nil)
			body := c.get("/").body
			_, rest, found := strings.Cut(body, "<head>")
			require.True(t, found)
			hash := ""
			if _, after, found := strings.Cut(rest, "?v="); found {
				hash, _, _ = strings.Cut(after, `"`)
			}
			assert.True(t, strings.HasPrefix(rest, fmt.Sprintf(want, hash)), rest)
		})
	}
}

func TestOptionsOfPages(t *testing.T) {
	const policy = "default-src 'none'; script-src https://cdn.example"
	t.Run("ok/csp skip and debug", func(t *testing.T) {
		c := tracked(t, "", "debug", served(page, "Content-Security-Policy", policy))
		got := c.get("/")
		assert.Zero(t, scripts(got.body))
		assert.Equal(t, "skipped_csp", got.header.Get("X-Script-Injection"))
		assert.Equal(t, policy, got.header.Get("Content-Security-Policy"))
	})
	t.Run("ok/csp amend", func(t *testing.T) {
		c := tracked(t, "", "csp amend", served(page, "Content-Security-Policy", policy))
		got := c.get("/")
		assert.Equal(t, 1, scripts(got.body))
		assert.NotEqual(t, policy, got.header.Get("Content-Security-Policy"))
	})
	t.Run("ok/without debug", func(t *testing.T) {
		c := tracked(t, "", "", served(page, "Content-Security-Policy", policy))
		assert.Empty(t, c.get("/").header.Get("X-Script-Injection"))
	})
	t.Run("ok/app shell", func(t *testing.T) {
		c := tracked(t, "", "app_shell /offline", nil)
		assert.Equal(t, 1, scripts(c.get("/offline", "Sec-Fetch-Dest", "empty").body))
		assert.Equal(t, 0, scripts(c.get("/other", "Sec-Fetch-Dest", "empty").body))
	})
	t.Run("ok/app shell behind a rewrite", func(t *testing.T) {
		c := newInstance(t)
		root := filepath.Join(c.dir, "root")
		writeFile(t, root, "index.html", page)
		require.NoError(t, c.load("", "{site} {\nroot "+root+"\ntry_files {path} /index.html\npeople_tracking {\napp_shell /index.html\n}\nfile_server\n}"))
		for _, path := range []string{"/", "/cart"} {
			assert.Equal(t, 1, scripts(c.get(path, "Sec-Fetch-Dest", "empty").body), path)
		}
	})
	t.Run("ok/frames", func(t *testing.T) {
		assert.Equal(t, 1, scripts(tracked(t, "", "frames", nil).get("/", "Sec-Fetch-Dest", "iframe").body))
		assert.Equal(t, 0, scripts(tracked(t, "", "", nil).get("/", "Sec-Fetch-Dest", "iframe").body))
	})
	t.Run("ok/xhtml", func(t *testing.T) {
		const xhtml = `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>Shop</title></head><body/></html>`
		served := served(xhtml, "Content-Type", "application/xhtml+xml")
		for _, options := range []string{"xhtml", "xhtml\nload async"} {
			got := tracked(t, "", options, served).get("/").body
			assert.Equal(t, 1, scripts(got))
			assert.NoError(t, wellFormed(got), got)
		}
		assert.Equal(t, 0, scripts(tracked(t, "", "", served).get("/").body))
	})
	t.Run("ok/after X-UA-Compatible", func(t *testing.T) {
		const meta = `<meta http-equiv="X-UA-Compatible" content="IE=edge">`
		old := strings.Replace(page, "<head>", "<head>"+meta, 1)
		assert.Contains(t, tracked(t, "", "after_x_ua", served(old)).get("/").body, meta+"<script ")
		assert.Contains(t, tracked(t, "", "", served(old)).get("/").body, "<head><script ")
	})
}

func TestOptionsOfCalls(t *testing.T) {
	t.Run("ok/origins", func(t *testing.T) {
		c := tracked(t, "api_key web web:tracking:sdk", "origins https://www.shop.example", nil)
		got := c.call("/_people", "web", "Origin", "https://www.shop.example", "Sec-Fetch-Site", "cross-site")
		assert.Equal(t, http.StatusOK, got.status)
		assert.Equal(t, "https://www.shop.example", got.header.Get("Access-Control-Allow-Origin"))
		assert.Equal(t, http.StatusForbidden, c.call("/_people", "web", "Origin", "https://shop.example", "Sec-Fetch-Site", "cross-site").status)
	})
	t.Run("ok/session_cookie and redact_query", func(t *testing.T) {
		c := tracked(t, "store badger {dir}/people", "session_cookie chat\nredact_query voucher", nil)
		body := strings.Replace(fmt.Sprintf(batchBody, "auto"), "shop.example/", "shop.example/?voucher=ABC&page=2", 1)
		got := c.do(http.MethodPost, "http://"+c.site+"/_people/v1/batch", body,
			"Content-Type", "application/json", "Origin", "http://"+c.site, "Cookie", "chat=0123456789abcdef0123456789abcdef")
		require.Equal(t, http.StatusOK, got.status, got.body)
		found, err := serviceNow(t).Persons(t.Context(), tracker.DefaultAccount, tracker.PersonQuery{})
		require.NoError(t, err)
		require.Len(t, found.Persons, 1, "the site's cookie tells that a chat was started")
		events, _, err := serviceNow(t).Events(t.Context(), tracker.DefaultAccount, found.Persons[0].ID, tracker.EventQuery{})
		require.NoError(t, err)
		require.NotEmpty(t, events)
		assert.Contains(t, string(events[0].Properties), "voucher=")
		assert.NotContains(t, string(events[0].Properties), "ABC")
	})
	t.Run("ok/visitor_ttl", func(t *testing.T) {
		c := tracked(t, "visitor_ttl 2d", "", nil)
		assert.Contains(t, c.call("/_people", "auto").header.Get("Set-Cookie"), "Max-Age=172800")
	})
	t.Run("ok/rate_limit", func(t *testing.T) {
		c := tracked(t, "rate_limit {\naddress 0.001 100\n}", "", nil)
		for range 50 { // two calls each
			require.Equal(t, http.StatusOK, c.call("/_people", "auto").status)
		}
		got := c.call("/_people", "auto")
		assert.Equal(t, http.StatusTooManyRequests, got.status)
		assert.NotEmpty(t, got.header.Get("Retry-After"))
	})
	for name, test := range map[string]struct{ global, want string }{
		"fail/undefined event":               {want: `"code":2016`},
		"ok/defined event":                   {global: "event action Action {\nname string\n}"},
		"fail/property of another type":      {global: "event action {\nname decimal\n}", want: `"code":2016`},
		"ok/strict_events off":               {global: "strict_events off"},
		"fail/strict_events off, but events": {global: "strict_events off\nevent other", want: `"code":2016`},
	} {
		t.Run(name, func(t *testing.T) {
			c := tracked(t, test.global, "", nil)
			body := strings.Replace(fmt.Sprintf(batchBody, "auto"), `"method":"page","params":{}`,
				`"method":"track","params":{"eventId":"action","properties":{"name":"x"}}`, 1)
			got := c.do(http.MethodPost, "http://"+c.site+"/_people/v1/batch", body, "Content-Type", "application/json", "Origin", "http://"+c.site)
			require.Equal(t, http.StatusOK, got.status, got.body)
			if test.want == "" {
				assert.NotContains(t, got.body, `"success":false`)
				return
			}
			assert.Contains(t, got.body, test.want)
		})
	}
}

func TestJSONIsJudgedLikeTheCaddyfile(t *testing.T) {
	c := newInstance(t)
	for name, test := range map[string]struct{ app, handler, err string }{
		"fail/store":            {app: `"store":{"engine":"sqlite"}`, err: `unknown store "sqlite", allowed are badger and postgres`},
		"fail/place of both":    {app: `"store":{"engine":"postgres","directory":"x"}`, err: "directory, accept_loss and memtable are for the engine badger"},
		"fail/memtable":         {app: `"store":{"directory":"x","memtable":-1}`, err: "memtable 0 B is not between"},
		"fail/dsn of badger":    {app: `"store":{"dsn":"x"}`, err: "a dsn is for the engine postgres"},
		"fail/empty dsn":        {app: `"store":{"engine":"postgres","dsn":"{env.PEOPLE_TEST_NONE}"}`, err: "the dsn: a placeholder is empty or not known"},
		"fail/empty place":      {app: `"store":{"directory":"{env.PEOPLE_TEST_NONE}"}`, err: "the directory: a placeholder is empty or not known"},
		"fail/authenticate":     {app: `"on_authenticate":"merge"`, err: "allowed are keep_lead and absorb_lead"},
		"fail/lifetime":         {app: `"session_timeout":-1`, err: "under a second"},
		"fail/retention":        {app: `"event_retention":3600000000000`, err: "event retention 1h0m0s is under 48h0m0s"},
		"fail/rate":             {app: `"rate_limit":{"device":{"per_second":1,"burst":1}}`, err: "burst of at least 100"},
		"fail/key":              {app: `"api_keys":[{"key":"a"}]`, err: "no scope"},
		"fail/scope for a key":  {app: `"api_keys":[{"key":"people:read","scopes":["people:manage"]}]`, err: "api key 1: the scope people:read stands in place of a key"},
		"fail/misspelled key":   {app: `"api_keys":[{"key":"{PEOPLE_KEY}","scopes":["people:manage"]}]`, err: "api key 1: a placeholder is empty or not known; {env.NAME} is"},
		"fail/half a key":       {app: `"api_keys":[{"key":"a{env.PEOPLE_TEST_NONE}","scopes":["people:manage"]}]`, err: "api key 1: a placeholder is empty"},
		"fail/misspelled dsn":   {app: `"store":{"engine":"postgres","dsn":"{PEOPLE_DSN}"}`, err: "store: the dsn: a placeholder is empty or not known"},
		"fail/misspelled place": {app: `"store":{"directory":"{PEOPLE_DATA}/people"}`, err: "store: the directory: a placeholder is empty or not known"},
		"fail/secret not set":   {app: `"widgets":[{"id":"w","secret_keys":[{"id":"k","secret":"{env.PEOPLE_TEST_NONE}"}]}]`, err: "widget w: secret key 1: a placeholder is empty"},
		"fail/app shell":        {handler: `"app_shell":["offline"]`, err: "is no path such as /offline"},
		"fail/scope":            {app: `"api_keys":[{"key":"a","scopes":["b"]}]`, err: "unknown scope"},
		"fail/secret":           {app: `"widgets":[{"id":"w","secret_keys":[{"id":"k","secret":"%"}]}]`, err: "secret key 1 is not Base64"},
		"fail/short secret":     {app: `"widgets":[{"id":"w","secret_keys":[{"id":"k","secret":"c2hvcnQ="}]}]`, err: "32"},
		"fail/shared widget": {
			app: `"widgets":[{"id":"w","secret_keys":[{"id":"k","secret":"` + secret + `"}]}],"accounts":[{"name":"a","widgets":[{"id":"w","secret_keys":[{"id":"k","secret":"` + secret + `"}]}]}]`,
			err: "widget w belongs to the account",
		},
		"fail/type":           {app: `"events":[{"id":"a","properties":[{"name":"b","type":"c"}]}]`, err: "b"},
		"fail/unknown member": {app: `"stores":{}`, err: "unknown field"},
		"fail/base path":      {handler: `"base_path":"people"`, err: "is no path"},
		"fail/load":           {handler: `"load":"defer"`, err: "allowed are sync and async"},
		"fail/page views":     {handler: `"page_views":"all"`, err: "allowed are init and navigation"},
		"fail/csp":            {handler: `"csp":"ignore"`, err: "allowed are skip and amend"},
		"fail/consent":        {handler: `"consent":"asked"`, err: "allowed are implied and required"},
		"fail/consent cookie": {handler: `"consent_cookie":{"name":"cmp"}`, err: "consent cookie"},
		"fail/respect":        {handler: `"respect":["p3p"]`, err: "allowed are dnt and gpc"},
		"fail/signals":        {handler: `"chat_signals":["off","calls"]`, err: "off stands alone"},
		"fail/origin":         {handler: `"origins":["shop.example"]`, err: "shop.example"},
		"fail/widget origin":  {handler: `"widget_origins":["chat.example"]`, err: "chat.example"},
		"fail/session cookie": {handler: `"session_cookies":["_people"]`, err: "_people"},
	} {
		t.Run(name, func(t *testing.T) {
			handler := `{"handler":"people_tracking"` + strings.Replace(","+test.handler+"}", ",}", "}", 1)
			config := fmt.Sprintf(`{"admin":{"disabled":true},"apps":{"people_tracking":{%s},"http":{"servers":{"s":{"listen":[%q],"routes":[{"handle":[%s]}]}}}}}`,
				test.app, c.site, handler)
			require.ErrorContains(t, caddy.Load([]byte(config), true), test.err)
		})
	}
}

func TestConsoleInJSONIsJudgedLikeTheCaddyfile(t *testing.T) {
	c := newInstance(t)
	for options, want := range map[string]string{
		`"authenticated_by":"admin"`:                      `authenticated_by: "admin" is no placeholder, and would let everybody in`,
		`"authenticated_by":"x{http.auth.user.id}"`:       "is no placeholder",
		`"account":"shop"`:                                `account "shop" is not configured, there are default`,
		`"account":"default","authenticated_by":"{a}{b}"`: "is no placeholder",
	} {
		config := fmt.Sprintf(`{"admin":{"disabled":true},"apps":{"http":{"servers":{"s":{"listen":[%q],"routes":[{"handle":[{"handler":"people_console",%s}]}]}}}}}`, c.site, options)
		require.ErrorContains(t, caddy.Load([]byte(config), true), want)
	}
}

func TestGlobalOptionStandsOnce(t *testing.T) {
	c := newInstance(t)
	_, _, err := c.tryAdapt("people_tracking\npeople_tracking", "{site} {\npeople_tracking\n}")
	require.ErrorContains(t, err, "people_tracking is already specified")
}

// wellFormed says what an XML reader would stop at.
func wellFormed(text string) error {
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
