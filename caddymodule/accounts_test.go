package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/loopback"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// tenant is a site with its console, of one account.
type tenant struct {
	*instance
	name    string
	origin  string            // http://host:port of the site
	console string            // likewise of its console
	cookies map[string]string // of a browser that visits it
	boot    string
	calls   int
}

// tenants run the default account and one called shop in one Caddy, on one
// store. further goes into the global option.
type tenants struct {
	*instance
	store string
	all   map[string]*tenant
}

func newTenants(t *testing.T, store string) *tenants {
	t.Helper()
	c := newInstance(t)
	w := &tenants{instance: c, store: store, all: map[string]*tenant{}}
	for _, name := range []string{"default", "shop"} {
		w.all[name] = &tenant{
			instance: c, name: name, origin: "http://" + loopback.Free(t), console: "http://" + loopback.Free(t), cookies: map[string]string{},
			boot: "0123456789abcdef0123456789abcdef",
		}
	}
	return w
}

// The same in both accounts: what may be. Different: keys and widgets, which
// may not be the same.
const tenantConfig = `api_key track-%[1]s web:tracking:sdk
		api_key read-%[1]s people:read people:manage
		widget widget-%[1]s {
			secret_key k %[2]s
		}
		event only%[1]s
		event action {
			%[1]s string
		}
		attribute car%[1]s string`

func (w *tenants) config(further string) (global, sites string) {
	global = fmt.Sprintf("people_tracking {\n%s\n%s\naccount shop {\n%s\n}\n%s\n}", w.store,
		fmt.Sprintf(tenantConfig, "default", secret), fmt.Sprintf(tenantConfig, "shop", secret), further)
	for name, one := range w.all {
		sites += fmt.Sprintf("%s {\npeople_tracking {\naccount %s\nsession_cookie chat\n}\nrespond ok\n}\n", one.origin, name)
		sites += fmt.Sprintf("%s {\npeople_console {\naccount %s\n}\n}\n", one.console, name)
	}
	return global, sites
}

func (w *tenants) loaded(further string) {
	w.t.Helper()
	global, sites := w.config(further)
	require.NoError(w.t, w.load(global, sites))
}

// post makes a call in the tenant's site with its key, or another's.
func (s *tenant) post(key, method, params string) answer {
	s.t.Helper()
	s.calls++
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	body := fmt.Sprintf(`{"apiKey":%q,"sentAt":%q,"boot":%q,"pages":[],"calls":[{"id":"tab-%d","at":%q,"method":%q,"params":%s}]}`,
		key, now, s.boot, s.calls, now, method, params)
	var cookies []string
	for name, value := range s.cookies {
		cookies = append(cookies, name+"="+value)
	}
	got := s.do(http.MethodPost, s.origin+"/_people/v1/batch", body, "Content-Type", "application/json", "Origin", s.origin,
		"Sec-Fetch-Site", "same-origin", "Cookie", strings.Join(cookies, "; "))
	for _, line := range got.header.Values("Set-Cookie") {
		cookie, err := http.ParseSetCookie(line)
		require.NoError(s.t, err)
		s.cookies[cookie.Name] = cookie.Value
	}
	return got
}

func (s *tenant) must(method, params string) {
	s.t.Helper()
	got := s.post("track-"+s.name, method, params)
	require.Equal(s.t, http.StatusOK, got.status, got.body)
	require.Contains(s.t, got.body, `"success":true`)
}

func (s *tenant) refuses(method, params, reason string) {
	s.t.Helper()
	got := s.post("track-"+s.name, method, params)
	require.Equal(s.t, http.StatusOK, got.status, got.body)
	assert.Contains(s.t, got.body, reason)
}

func (s *tenant) token(t *testing.T, widget, subject string) string {
	t.Helper()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": widget, "ski": "k", "stp": "email", "sub": subject, "sid": "sid-1", "iat": time.Now().Unix(), "exp": time.Now().Unix() + 60,
	}).SignedString([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	return fmt.Sprintf(`{"state":"authenticated","token":%q}`, signed)
}

// api asks the tenant's console with a key.
func (s *tenant) api(method, path, key string) answer {
	s.t.Helper()
	return s.do(method, s.console+path, "", "Authorization", "App "+key, "Accept", "application/json")
}

type shown struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Subject   string `json:"subject"`
	FirstName string `json:"firstName"`
}

func (s *tenant) persons(query string) []shown {
	s.t.Helper()
	got := s.api(http.MethodGet, "/api/persons?query="+url.QueryEscape(query), "read-"+s.name)
	require.Equal(s.t, http.StatusOK, got.status, got.body)
	var list struct{ Persons []shown }
	require.NoError(s.t, json.Unmarshal([]byte(got.body), &list))
	return list.Persons
}

// Two sites in one process and one store, with the same boot, the same cookies
// and the same users: nothing of one account is honoured in the other.
func TestAccountsAreApart(t *testing.T) {
	w := newTenants(t, "store badger {dir}/people")
	w.loaded("")
	keepApart(t, w)
	home, shop := w.all["default"], w.all["shop"]
	before := shop.persons("")

	// Numbers stay with their names, whatever is configured around them.
	w.loaded("account another {\nevent x\n}")
	assert.Equal(t, before, shop.persons(""))
	require.NoError(t, caddy.Stop())
	delete(w.all, "default")
	w.loaded("account a\naccount zoo")
	assert.Equal(t, before, shop.persons(""), "after a restart, without the other site")
	shop.must("page", `{}`)
	assert.Len(t, shop.persons("anna@example.com"), 1, "still the same person")
	w.all["default"] = home
	w.loaded("")
	assert.NotEmpty(t, home.persons(""))
}

func TestAccountsInPostgreSQL(t *testing.T) {
	t.Setenv("PEOPLE_TEST_STORE", postgrestest.Start(t).Database(t))
	w := newTenants(t, "store postgres {env.PEOPLE_TEST_STORE}")
	w.loaded("")
	keepApart(t, w)
}

func keepApart(t *testing.T, w *tenants) {
	t.Helper()
	home, shop := w.all["default"], w.all["shop"]

	t.Log("devices: the same boot is another device, and a foreign cookie is none")
	home.must("page", `{}`)
	shop.must("page", `{}`)
	require.NotEqual(t, home.cookies["_people"], shop.cookies["_people"])
	stranger := &tenant{
		instance: shop.instance, name: "shop", origin: shop.origin, boot: "fedcba9876543210fedcba9876543210",
		cookies: map[string]string{"_people": home.cookies["_people"]},
	}
	stranger.must("page", `{}`)
	assert.NotContains(t, []string{home.cookies["_people"], shop.cookies["_people"]}, stranger.cookies["_people"])

	t.Log("chats: one cookie of the sites' makes a lead in each")
	home.cookies["chat"], shop.cookies["chat"] = "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"
	home.must("page", `{}`)
	home.must("updatePerson", `{"firstName":"Homer"}`)
	assert.Empty(t, shop.persons(""), "a chat in one is none in the other")
	shop.must("page", `{}`)
	shop.must("updatePerson", `{"firstName":"Shirley"}`)
	leads := [2][]shown{home.persons(""), shop.persons("")}
	for i, name := range []string{"Homer", "Shirley"} {
		require.Len(t, leads[i], 1)
		assert.Equal(t, name, leads[i][0].FirstName)
	}
	assert.Equal(t, http.StatusNotFound, shop.api(http.MethodGet, "/api/persons/"+leads[0][0].ID, "read-shop").status)
	assert.Empty(t, shop.persons("homer"), "search")
	assert.Len(t, home.persons("homer"), 1)

	t.Log("keys")
	assert.Equal(t, http.StatusUnauthorized, shop.post("track-default", "page", `{}`).status)
	assert.Equal(t, http.StatusUnauthorized, shop.post("auto", "page", `{}`).status)
	assert.Equal(t, http.StatusUnauthorized, shop.api(http.MethodGet, "/api/persons", "read-default").status)

	t.Log("definitions")
	home.must("track", `{"eventId":"onlydefault"}`)
	home.must("track", `{"eventId":"action","properties":{"default":"x"}}`)
	shop.refuses("track", `{"eventId":"onlydefault"}`, `event \"onlydefault\" is not defined`)
	shop.refuses("track", `{"eventId":"action","properties":{"default":"x"}}`, `property \"default\" is not defined`)
	shop.refuses("updatePerson", `{"customAttributes":{"cardefault":"x"}}`, `is not defined and was ignored`)

	t.Log("widgets and users: one subject is a person in each")
	shop.refuses("chat", shop.token(t, "widget-default", "anna@example.com"), "the token's widget (iss) is not known here")
	home.must("chat", home.token(t, "widget-default", "anna@example.com"))
	shop.must("chat", shop.token(t, "widget-shop", "anna@example.com"))
	annas := [2][]shown{home.persons("anna@example.com"), shop.persons("anna@example.com")}
	require.Len(t, annas[0], 1)
	require.Len(t, annas[1], 1)
	assert.NotEqual(t, annas[0][0].ID, annas[1][0].ID)

	t.Log("Live Chat sessions: our cookie, and the end of one")
	assert.NotEmpty(t, home.cookies["_people_chat"])
	assert.Equal(t, http.StatusNotFound, shop.api(http.MethodDelete, "/livechat/1/widgets/widget-default/sessions/sid-1", "read-shop").status)
	assert.Equal(t, http.StatusNoContent, home.api(http.MethodDelete, "/livechat/1/widgets/widget-default/sessions/sid-1", "read-default").status)
	shop.must("page", `{}`)
	assert.Equal(t, annas[1], shop.persons("anna@example.com"), "still signed in: the sid was the other account's")
	thief := &tenant{instance: shop.instance, name: "default", origin: home.origin, boot: "00000000000000000000000000000001", cookies: map[string]string{
		"_people": shop.cookies["_people"], "_people_chat": shop.cookies["_people_chat"],
	}}
	before := home.persons("")
	thief.must("page", `{}`)
	thief.must("track", `{"eventId":"onlydefault"}`)
	thief.refuses("updatePerson", `{"firstName":"Thief"}`, "this profile is a visitor's")
	assert.Equal(t, before, home.persons(""))
}

// A new account works at once where the store was not there at the start.
func TestB34AccountsOnAColdStartWithoutAStore(t *testing.T) {
	w := newTenants(t, "store badger {dir}/people")
	release := holdStore(t, w.dir+"/people")
	w.loaded("")
	shop := w.all["shop"]
	assert.Equal(t, "ok", shop.do(http.MethodGet, shop.origin+"/", "").body)
	assert.Equal(t, http.StatusServiceUnavailable, shop.post("track-shop", "page", `{}`).status)
	assert.Equal(t, http.StatusServiceUnavailable, shop.api(http.MethodGet, "/api/persons", "read-shop").status)
	release()
	require.Eventually(t, func() bool { return shop.post("track-shop", "page", `{}`).status == http.StatusOK }, 10*time.Second, 50*time.Millisecond)
	assert.Empty(t, shop.persons(""))
}

func TestAccountsThatAreWrong(t *testing.T) {
	c := newInstance(t)
	t.Setenv("PEOPLE_TEST_KEY", "k")
	for name, tt := range map[string]struct{ global, sites, err string }{
		"fail/handler": {
			global: "people_tracking {\naccount shop\n}", sites: "{site} {\npeople_tracking {\naccount shoe\n}\n}",
			err: "account shoe: allowed are default and shop, at Caddyfile:16",
		},
		"fail/console":                {sites: "{site} {\npeople_console {\naccount shoe\n}\n}", err: "account shoe: allowed are default, at Caddyfile:14"},
		"fail/key of another":         {global: "people_tracking {\napi_key a web:tracking:sdk\naccount shop {\napi_key b web:tracking:sdk\n}\n}", sites: "{site} {\npeople_tracking {\naccount shop\napi_key a\n}\n}", err: "api_key is none of those that the account shop has"},
		"fail/one key by placeholder": {global: "people_tracking {\napi_key k web:tracking:sdk\naccount shop {\napi_key {env.PEOPLE_TEST_KEY} people:read\n}\n}", sites: "{site} {\npeople_tracking\n}", err: "account shop: api key 1 belongs to the account default already"},
	} {
		t.Run(name, func(t *testing.T) {
			adapted, _, err := c.tryAdapt(tt.global, tt.sites)
			if err == nil {
				err = caddy.Load(adapted, true)
			}
			require.ErrorContains(t, err, tt.err)
		})
	}
	for name, tt := range map[string]struct{ app, handler, err string }{
		"fail/unknown":        {handler: `,"account":"shoe"`, err: `account "shoe" is not configured, there are default`},
		"fail/without a name": {app: `"accounts":[{}]`, err: "the name of an account has 1 to 64"},
		"fail/default":        {app: `"accounts":[{"name":"default"}]`, err: "stands outside of account blocks"},
		"fail/twice":          {app: `"accounts":[{"name":"a"},{"name":"a"}]`, err: "account a is configured twice"},
		"fail/one widget":     {app: `"widgets":[{"id":"w"}],"accounts":[{"name":"a","widgets":[{"id":"w"}]}]`, err: "widget w belongs to the account"},
		"fail/inside of one":  {app: `"accounts":[{"name":"a","events":[{"id":"?"}]}]`, err: `account a: event "?"`},
		"fail/token lifetime": {app: `"token_lifetime":"25h"`, err: "token_lifetime: 25h0m0s is over 24h0m0s"},
		"fail/negative":       {app: `"token_lifetime":-1`, err: "the longest lifetime of tokens is negative"},
	} {
		t.Run("json/"+name, func(t *testing.T) {
			config := fmt.Sprintf(`{"admin":{"disabled":true},"apps":{"people_tracking":{%s},"http":{"servers":{"s":{"listen":[%q],
				"routes":[{"handle":[{"handler":"people_tracking"%s}]}]}}}}}`, tt.app, c.site, tt.handler)
			require.ErrorContains(t, caddy.Load([]byte(config), true), tt.err)
		})
	}
}

// B4: exp − iat may be as long as token_lifetime and no longer.
func TestB4TokenLifetime(t *testing.T) {
	for option, refused := range map[string]string{
		"":                   "",
		"token_lifetime 2m":  "",
		"token_lifetime 1m":  "",
		"token_lifetime 59s": "the token lives longer (exp − iat) than 59s",
		"token_lifetime 10s": "the token lives longer (exp − iat) than 10s",
	} {
		t.Run(option, func(t *testing.T) {
			w := newTenants(t, "store badger {dir}/people\n"+option)
			w.loaded("")
			for name, site := range w.all { // it counts for every account
				token := site.token(t, "widget-"+name, "anna@example.com") // lives for 60 seconds
				if refused == "" {
					site.must("chat", token)
				} else {
					site.refuses("chat", token, refused)
				}
			}
		})
	}
}
