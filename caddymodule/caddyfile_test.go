package caddymodule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // 32 bytes

func TestAppCaddyfile(t *testing.T) {
	tests := map[string]struct {
		input string
		want  *App
		err   string
	}{
		"ok/bare":  {input: `people_tracking`},
		"ok/empty": {input: "people_tracking {\n}"},
		"ok/store": {
			input: "people_tracking {\nstore badger /srv/people\n}",
			want:  &App{Store: Store{Engine: "badger", Directory: "/srv/people"}},
		},
		"ok/store with losses": {
			input: "people_tracking {\nstore badger /srv/people {\naccept_loss\n}\n}",
			want:  &App{Store: Store{Engine: "badger", Directory: "/srv/people", AcceptLoss: true}},
		},
		"ok/store with a larger memtable": {
			input: "people_tracking {\nstore badger /srv/people {\nmemtable 16MiB\n}\n}",
			want:  &App{Store: Store{Engine: "badger", Directory: "/srv/people", Memtable: 16 << 20}},
		},
		"ok/database": {
			input: "people_tracking {\nstore postgres {env.PEOPLE_DSN}\n}",
			want:  &App{Store: Store{Engine: "postgres", DSN: "{env.PEOPLE_DSN}"}},
		},
		"ok/lifetimes": {
			input: "people_tracking {\nsession_timeout 20m\nvisitor_ttl 30d\nchat_session_ttl 10d\nauth_session_ttl 12h\nevent_retention 400d\n}",
			want: &App{
				SessionTimeout: caddy.Duration(20 * time.Minute), VisitorTTL: caddy.Duration(30 * 24 * time.Hour), EventRetention: caddy.Duration(400 * 24 * time.Hour),
				ChatSessionTTL: caddy.Duration(10 * 24 * time.Hour), AuthSessionTTL: caddy.Duration(12 * time.Hour),
			},
		},
		"ok/token lifetime": {input: "people_tracking {\ntoken_lifetime 5m\n}", want: &App{TokenLifetime: caddy.Duration(5 * time.Minute)}},
		"ok/accounts": {
			input: "people_tracking {\napi_key a web:tracking:sdk\naccount shop {\napi_key b web:tracking:sdk\nevent action {\nlabel string\n}\n}\naccount blog-2\nevent action {\nlabel numeric\n}\n}",
			want: &App{
				AccountConfig: AccountConfig{
					APIKeys: []APIKey{{Key: "a", Scopes: []string{"web:tracking:sdk"}}},
					Events:  []Event{{ID: "action", Properties: []Field{{Name: "label", Type: "numeric"}}}},
				},
				Accounts: []*Account{
					{Name: "shop", AccountConfig: AccountConfig{
						APIKeys: []APIKey{{Key: "b", Scopes: []string{"web:tracking:sdk"}}},
						Events:  []Event{{ID: "action", Properties: []Field{{Name: "label", Type: "string"}}}},
					}},
					{Name: "blog-2"},
				},
			},
		},
		"ok/strict events are the default": {input: "people_tracking {\nstrict_events on\n}"},
		"ok/leads are kept by default":     {input: "people_tracking {\non_authenticate keep_lead\n}", want: &App{OnAuthenticate: "keep_lead"}},
		"ok/leads are absorbed":            {input: "people_tracking {\non_authenticate absorb_lead\n}", want: &App{OnAuthenticate: "absorb_lead"}},
		"ok/lenient events":                {input: "people_tracking {\nstrict_events off\n}", want: &App{LenientEvents: true}},
		"ok/rate limit": {
			input: "people_tracking {\nrate_limit {\ndevice 0.5 100\naddress 50 1000\n}\n}",
			want:  &App{RateLimit: RateLimit{Device: Rate{0.5, 100}, Address: Rate{50, 1000}}},
		},
		"ok/rate of all": {
			input: "people_tracking {\nrate_limit {\ntotal 5000 10000\n}\n}",
			want:  &App{RateLimit: RateLimit{Total: Rate{5000, 10000}}},
		},
		"ok/purge interval": {input: "people_tracking {\npurge_interval 6h\n}", want: &App{PurgeInterval: caddy.Duration(6 * time.Hour)}},
		"ok/no purges":      {input: "people_tracking {\npurge_interval off\n}", want: &App{PurgeInterval: -1}},
		"ok/keys": {
			input: "people_tracking {\napi_key one web:tracking:sdk\napi_key two people:read people:manage\n}",
			want: &App{AccountConfig: AccountConfig{APIKeys: []APIKey{
				{Key: "one", Scopes: []string{"web:tracking:sdk"}}, {Key: "two", Scopes: []string{"people:read", "people:manage"}},
			}}},
		},
		"ok/widget": {
			input: "people_tracking {\nwidget w1 {\nsecret_key k1 " + secret + "\nsecret_key k2 {env.SECRET}\nkeep_authenticated_as_leads\n}\n}",
			want: &App{AccountConfig: AccountConfig{Widgets: []Widget{{
				ID: "w1", SecretKeys: []SecretKey{{ID: "k1", Secret: secret}, {ID: "k2", Secret: "{env.SECRET}"}}, KeepAuthenticatedAsLeads: true,
			}}}},
		},
		"ok/events": {
			input: "people_tracking {\nevent ping\nevent action \"Action\" {\nname string\nitems list {\nsku string\nprice decimal\n}\nat datetime\n}\n}",
			want: &App{AccountConfig: AccountConfig{Events: []Event{{ID: "ping"}, {ID: "action", Title: "Action", Properties: []Field{
				{Name: "name", Type: "string"},
				{Name: "items", Type: "list", Fields: []Field{{Name: "sku", Type: "string"}, {Name: "price", Type: "decimal"}}},
				{Name: "at", Type: "datetime"},
			}}}}},
		},
		"ok/attributes": {
			input: "people_tracking {\nattribute car string\nattribute category list {\nname string\n}\nattribute \"shoe size\" integer\n}",
			want: &App{AccountConfig: AccountConfig{Attributes: []Attribute{
				{Name: "car", Type: "string"},
				{Name: "category", Type: "list", Fields: []Field{{Name: "name", Type: "string"}}},
				{Name: "shoe size", Type: "integer"},
			}}},
		},
		"fail/account without name":   {input: "people_tracking {\naccount {\n}\n}", err: "wants a name, at Testfile:2"},
		"fail/account with two names": {input: "people_tracking {\naccount a b\n}", err: "wants a name, at Testfile:2"},
		"fail/account default":        {input: "people_tracking {\naccount default {\n}\n}", err: "the account default is what stands outside of account blocks, at Testfile:2"},
		"fail/account name":           {input: "people_tracking {\naccount a/b\n}", err: "the name of an account has 1 to 64 of the letters, digits and . _ -, at Testfile:2"},
		"fail/account twice":          {input: "people_tracking {\naccount a\naccount a {\n}\n}", err: "account a is already specified, at Testfile:3"},
		"fail/option of the app":      {input: "people_tracking {\naccount a {\nvisitor_ttl 1d\n}\n}", err: `unrecognized option "visitor_ttl", allowed are api_key, attribute, event and widget, at Testfile:3`},
		"fail/key of another account": {input: "people_tracking {\naccount a {\napi_key k people:read\n}\naccount b {\napi_key k people:read\n}\n}", err: "api_key: the same key is already specified in the account a, at Testfile:6"},
		"fail/key of default":         {input: "people_tracking {\napi_key k people:read\naccount b {\napi_key k people:read\n}\n}", err: "in the account default, at Testfile:4"},
		"fail/widget of another":      {input: "people_tracking {\naccount a {\nwidget w {\nsecret_key k " + secret + "\n}\n}\nwidget w {\nsecret_key k " + secret + "\n}\n}", err: "widget w is already specified in the account a, at Testfile:7"},
		"fail/token lifetime":         {input: "people_tracking {\ntoken_lifetime 25h\n}", err: "token_lifetime: 25h0m0s is over 24h0m0s, at Testfile:2"},
		"fail/event id":               {input: "people_tracking {\nevent ok\nevent add-to-cart {\nx string\n}\n}", err: `event "add-to-cart": an event's id is 1 to 36 letters and digits, at Testfile:3`},
		"fail/standard event":         {input: "people_tracking {\nevent PageView\n}", err: "the id belongs to a standard event, at Testfile:2"},
		"fail/property name":          {input: "people_tracking {\nevent a {\nLabel string\n}\n}", err: "the first a lower-case letter or an underscore, at Testfile:2"},
		"fail/two lists":              {input: "people_tracking {\nevent a {\nb list {\nx string\n}\nc list {\nx string\n}\n}\n}", err: "an event has at most one list, at Testfile:2"},
		"fail/attribute name":         {input: "people_tracking {\nattribute \"a[0]\" string\n}", err: "the name has one of { } [ ], at Testfile:2"},
		"fail/argument":               {input: `people_tracking on`, err: "wrong argument count"},
		"fail/unknown option": {
			input: "people_tracking {\nstores badger x\n}",
			err:   `unrecognized option "stores", allowed are account, api_key, attribute, auth_session_ttl, chat_session_ttl, event, event_retention, on_authenticate, purge_interval, rate_limit, session_timeout, store, strict_events, token_lifetime, visitor_ttl and widget, at Testfile:2`,
		},
		"fail/option twice":           {input: "people_tracking {\nsession_timeout 1h\nsession_timeout 2h\n}", err: "session_timeout is already specified, at Testfile:3"},
		"fail/unexpected block":       {input: "people_tracking {\nsession_timeout 1h {\nx\n}\n}", err: "a block is not possible here, at Testfile:2"},
		"fail/store without path":     {input: "people_tracking {\nstore badger\n}", err: "store badger <directory>"},
		"fail/store of three":         {input: "people_tracking {\nstore badger a b\n}", err: "store badger <directory>"},
		"fail/unknown store":          {input: "people_tracking {\nstore sqlite x\n}", err: "the first argument is no engine, allowed are badger and postgres"},
		"fail/option of a store":      {input: "people_tracking {\nstore badger a {\nsync off\n}\n}", err: `unrecognized option "sync", allowed are accept_loss and memtable`},
		"fail/memtable missing":       {input: "people_tracking {\nstore badger a {\nmemtable\n}\n}", err: "wrong argument count"},
		"fail/memtable's size":        {input: "people_tracking {\nstore badger a {\nmemtable large\n}\n}", err: "memtable large: no size such as 16MiB, at Testfile:3"},
		"fail/small memtable":         {input: "people_tracking {\nstore badger a {\nmemtable 4MiB\n}\n}", err: "memtable 4.0 MiB is not between 8.0 MiB and 256 MiB, at Testfile:3"},
		"fail/huge memtable":          {input: "people_tracking {\nstore badger a {\nmemtable 16GiB\n}\n}", err: "is not between"},
		"fail/losses of a database":   {input: "people_tracking {\nstore postgres a {\naccept_loss\n}\n}", err: "a block is not possible here, at Testfile:2"},
		"fail/duration":               {input: "people_tracking {\nvisitor_ttl soon\n}", err: `visitor_ttl: "soon" is no duration such as 30m, 24h or 45d`},
		"fail/duration too short":     {input: "people_tracking {\nsession_timeout 10ms\n}", err: "session_timeout: 10ms is under 1s"},
		"fail/negative duration":      {input: "people_tracking {\nsession_timeout -1h\n}", err: "under 1s"},
		"fail/duration missing":       {input: "people_tracking {\nsession_timeout\n}", err: "wrong argument count"},
		"fail/short retention":        {input: "people_tracking {\nvisitor_ttl 1d\nevent_retention 47h\n}", err: "event_retention: 47h0m0s is under 48h0m0s, at Testfile:3"},
		"fail/keep or absorb":         {input: "people_tracking {\non_authenticate merge\n}", err: "on_authenticate merge: allowed are keep_lead and absorb_lead"},
		"fail/keep and absorb":        {input: "people_tracking {\non_authenticate keep_lead absorb_lead\n}", err: "wrong argument count"},
		"fail/purge interval":         {input: "people_tracking {\npurge_interval 30s\n}", err: "purge_interval: 30s is under 1m0s, at Testfile:2"},
		"fail/purge interval twice":   {input: "people_tracking {\npurge_interval off 6h\n}", err: "wrong argument count"},
		"fail/purge of a database":    {input: "people_tracking {\nstore postgres x\npurge_interval 6h\n}", err: "purge_interval is for the engine badger"},
		"fail/database behind purge":  {input: "people_tracking {\npurge_interval off\nstore postgres x\n}", err: "purge_interval is for the engine badger"},
		"fail/on or off":              {input: "people_tracking {\nstrict_events yes\n}", err: "strict_events yes: allowed are on and off"},
		"fail/rate of nothing":        {input: "people_tracking {\nrate_limit {\ndevice 0 100\n}\n}", err: `device: "0" is no number above 0`},
		"fail/rate of everything":     {input: "people_tracking {\nrate_limit {\ndevice Inf 100\n}\n}", err: "no number above 0"},
		"fail/small burst":            {input: "people_tracking {\nrate_limit {\naddress 5 99\n}\n}", err: "no whole number from 100"},
		"fail/unknown rate":           {input: "people_tracking {\nrate_limit {\nperson 5 100\n}\n}", err: "allowed are address, device and total"},
		"fail/key without scope":      {input: "people_tracking {\napi_key web:tracking:sdk\n}", err: "api_key wants a key and at least one scope"},
		"fail/key that is not set":    {input: "people_tracking {\napi_key people:read people:manage\n}", err: "api_key: the scope people:read stands in place of a key; is an environment variable not set?, at Testfile:2"},
		"fail/key auto":               {input: "people_tracking {\napi_key auto people:read\n}", err: `"auto" is the key of pages when none is configured, choose another, at Testfile:2`},
		"fail/too many attributes":    {input: "people_tracking {\n" + many("attribute a%d string", 257) + "}", err: "257 custom attributes are defined, at most 256 are possible, at Testfile:259"},
		"fail/unknown scope":          {input: "people_tracking {\napi_key k people:write\n}", err: "argument 2 is no scope, allowed are web:tracking:sdk, people:read and people:manage"},
		"fail/scope twice":            {input: "people_tracking {\napi_key k people:read people:read\n}", err: "scope people:read is given twice"},
		"fail/key twice":              {input: "people_tracking {\napi_key k people:read\napi_key k people:manage\n}", err: "the same key is already specified"},
		"fail/widget without id":      {input: "people_tracking {\nwidget {\n}\n}", err: "widget wants its id"},
		"fail/widget twice":           {input: "people_tracking {\nwidget w {\nsecret_key k " + secret + "\n}\nwidget w {\n}\n}", err: "widget w is already specified"},
		"fail/widget without secret":  {input: "people_tracking {\nwidget w\n}", err: "widget w has no secret_key"},
		"fail/secret not in base64":   {input: "people_tracking {\nwidget w {\nsecret_key k ???\n}\n}", err: "the second argument is not Base64"},
		"fail/secret that is not set": {input: "people_tracking {\nwidget w {\nsecret_key k\n}\n}", err: "the key in Base64; is an environment variable not set?, at Testfile:3"},
		"fail/short secret":           {input: "people_tracking {\nwidget w {\nsecret_key k c2hvcnQ=\n}\n}", err: "has 5 bytes after decoding from Base64, at least 32 are needed, at Testfile:3"},
		"fail/secret key twice":       {input: "people_tracking {\nwidget w {\nsecret_key k " + secret + "\nsecret_key k " + secret + "\n}\n}", err: "the id is already specified"},
		"fail/unknown in widget":      {input: "people_tracking {\nwidget w {\ntoken x\n}\n}", err: "allowed are keep_authenticated_as_leads and secret_key"},
		"fail/event without id":       {input: "people_tracking {\nevent\n}", err: "event wants an id"},
		"fail/event twice":            {input: "people_tracking {\nevent a\nevent a\n}", err: "event a is already specified"},
		"fail/property twice":         {input: "people_tracking {\nevent a {\nx string\nx string\n}\n}", err: "x is already specified, at Testfile:4"},
		"fail/property without type":  {input: "people_tracking {\nevent a {\nx\n}\n}", err: "x wants one type"},
		"fail/type of events":         {input: "people_tracking {\nevent a {\nx integer\n}\n}", err: `x: unknown type "integer", allowed are string, boolean, datetime, numeric, decimal and list`},
		"fail/type of attributes":     {input: "people_tracking {\nattribute a numeric\n}", err: `unknown type "numeric", allowed are string, decimal, integer, boolean, date, datetime and list`},
		"fail/list of lists":          {input: "people_tracking {\nattribute a list {\nb list {\nc string\n}\n}\n}", err: `b: unknown type "list"`},
		"fail/list of nothing":        {input: "people_tracking {\nattribute a list\n}", err: "a list wants a block"},
		"fail/attribute without type": {input: "people_tracking {\nattribute a\n}", err: "a wants one type"},
		"fail/attribute twice":        {input: "people_tracking {\nattribute Car string\nattribute car string\n}", err: "attribute car is already specified"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got App
			err := got.UnmarshalCaddyfile(caddyfile.NewTestDispenser(test.input))
			if refusedWithLine(t, err, test.err) {
				return
			}
			assert.JSONEq(t, asJSON(t, cmp.Or(test.want, new(App))), asJSON(t, &got))
		})
	}
}

// refusedWithLine holds an error against what is wanted of it, "" for none, and
// says whether one was.
func refusedWithLine(t *testing.T, err error, want string) bool {
	t.Helper()
	if want == "" {
		require.NoError(t, err)
		return false
	}
	require.ErrorContains(t, err, want)
	assert.Contains(t, err.Error(), "Testfile:", "the error names file and line")
	return true
}

func many(line string, n int) string {
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, line+"\n", i)
	}
	return lines.String()
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	encoded, err := json.Marshal(v)
	require.NoError(t, err)
	return string(encoded)
}

func TestHandlerCaddyfile(t *testing.T) {
	tests := map[string]struct {
		input string
		want  *Handler
		err   string
	}{
		"ok/bare": {input: `people_tracking`, want: &Handler{}},
		"ok/everything": {
			input: `people_tracking {
				account shop
				base_path /shop/people
				api_key k
				session_cookie chat chat2
				origins https://a.example https://b.example:8443
				inject off
				load async
				auto_init off
				page_views navigation
				chat_signals calls received
				widget_origins https://chat.example
				redact_query sid voucher
				consent required cookie cmp all
				respect gpc dnt
				csp amend
				app_shell / /offline
				frames
				xhtml
				after_x_ua
				debug
			}`,
			want: &Handler{
				Account: "shop", BasePath: "/shop/people", APIKey: "k", SessionCookies: []string{"chat", "chat2"},
				Origins: []string{"https://a.example", "https://b.example:8443"}, NoInject: true, Load: "async", ManualInit: true,
				PageViews: "navigation", ChatSignals: []string{"calls", "received"}, WidgetOrigins: []string{"https://chat.example"},
				RedactQuery: []string{"sid", "voucher"}, Consent: "required", ConsentCookie: ConsentCookie{"cmp", "all"}, Respect: []string{"gpc", "dnt"},
				CSP: "amend", AppShell: []string{"/", "/offline"}, Frames: true, XHTML: true, AfterXUA: true, Debug: true,
			},
		},
		"ok/the other words": {
			input: "people_tracking {\ninject on\nload sync\nauto_init on\npage_views init\ncsp skip\nchat_signals off\n}",
			want:  &Handler{Load: "sync", PageViews: "init", CSP: "skip", ChatSignals: []string{"off"}},
		},
		"fail/argument": {input: `people_tracking /shop`, err: "wrong argument count"},
		"fail/unknown option": {
			input: "people_tracking {\nbase /x\n}",
			err: `unrecognized option "base", allowed are account, after_x_ua, api_key, app_shell, auto_init, base_path, chat_signals, consent, csp, debug, frames, ` +
				`inject, load, on, origins, page_views, redact_query, respect, session_cookie, widget_origins and xhtml, at Testfile:2`,
		},
		"fail/option twice":         {input: "people_tracking {\ndebug\ndebug\n}", err: "debug is already specified, at Testfile:3"},
		"fail/consent missing":      {input: "people_tracking {\nconsent\n}", err: "consent wants required or implied"},
		"fail/word of consent":      {input: "people_tracking {\nconsent asked\n}", err: "consent asked: allowed are implied and required, at Testfile:2"},
		"fail/consent's cookie":     {input: "people_tracking {\nconsent required cookie cmp\n}", err: "cookie <name> <value>"},
		"fail/consent by what":      {input: "people_tracking {\nconsent required header cmp all\n}", err: "cookie <name> <value>"},
		"fail/consent by our own":   {input: "people_tracking {\nconsent required cookie _people x\n}", err: "this is our own"},
		"fail/consent by no cookie": {input: "people_tracking {\nconsent required cookie cmp a;b\n}", err: "not a cookie's name with a value"},
		"fail/respect missing":      {input: "people_tracking {\nrespect\n}", err: "wrong argument count"},
		"fail/word of respect":      {input: "people_tracking {\nrespect p3p\n}", err: "respect p3p: allowed are dnt and gpc"},
		"fail/respect twice":        {input: "people_tracking {\nrespect gpc gpc\n}", err: "respect: gpc is given twice"},
		"fail/flag with argument":   {input: "people_tracking {\ndebug on\n}", err: "wrong argument count"},
		"fail/base path missing":    {input: "people_tracking {\nbase_path\n}", err: "wrong argument count"},
		"fail/base path relative":   {input: "people_tracking {\nbase_path people\n}", err: `base_path "people" is no path`},
		"fail/base path root":       {input: "people_tracking {\nbase_path /\n}", err: "is no path"},
		"fail/base path unclean":    {input: "people_tracking {\nbase_path /a/../b\n}", err: "is no path"},
		"fail/base path slash":      {input: "people_tracking {\nbase_path /people/\n}", err: "is no path"},
		"fail/base path characters": {input: "people_tracking {\nbase_path /leute*\n}", err: "letters, digits"},
		"fail/word of inject":       {input: "people_tracking {\ninject true\n}", err: "inject true: allowed are on and off"},
		"fail/word of load":         {input: "people_tracking {\nload defer\n}", err: "load defer: allowed are sync and async"},
		"fail/word of page_views":   {input: "people_tracking {\npage_views all\n}", err: "allowed are init and navigation"},
		"fail/word of csp":          {input: "people_tracking {\ncsp ignore\n}", err: "allowed are skip and amend"},
		"fail/signal":               {input: "people_tracking {\nchat_signals clicks\n}", err: "chat_signals clicks: allowed are calls, messages, received and off"},
		"fail/signals and off":      {input: "people_tracking {\nchat_signals calls off\n}", err: "off stands alone"},
		"fail/no cookie":            {input: "people_tracking {\nsession_cookie\n}", err: "wrong argument count"},
		"fail/cookie twice":         {input: "people_tracking {\nsession_cookie a a\n}", err: "session_cookie: a is given twice"},
		"fail/cookies in two lines": {input: "people_tracking {\nsession_cookie a\nsession_cookie b\n}", err: "session_cookie is already specified"},
		"fail/cookie of ours":       {input: "people_tracking {\nsession_cookie _people\n}", err: "this is our own, name the site's, at Testfile:2"},
		"fail/no origin":            {input: "people_tracking {\norigins shop.example\n}", err: "not scheme://host[:port], at Testfile:2"},
		"fail/no widget origin":     {input: "people_tracking {\nwidget_origins chat.example\n}", err: "use scheme and host, such as https://chat.example.com, at Testfile:2"},
		"fail/nothing to redact":    {input: "people_tracking {\nredact_query --\n}", err: "a name needs a letter or digit, at Testfile:2"},
		"fail/app shell relative":   {input: "people_tracking {\napp_shell / offline\n}", err: `app_shell "offline" is no path such as /offline, at Testfile:2`},
		"fail/app shell with query": {input: "people_tracking {\napp_shell /?shell\n}", err: "is no path"},
		"fail/two accounts":         {input: "people_tracking {\naccount a b\n}", err: "wrong argument count"},
		"fail/key twice":            {input: "people_tracking {\napi_key a\napi_key b\n}", err: "api_key is already specified"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := new(Handler)
			err := got.UnmarshalCaddyfile(caddyfile.NewTestDispenser(test.input))
			if refusedWithLine(t, err, test.err) {
				return
			}
			assert.JSONEq(t, asJSON(t, test.want), asJSON(t, got))
		})
	}
}

func TestConsoleCaddyfile(t *testing.T) {
	tests := map[string]struct{ input, user, err string }{
		"ok/bare":             {input: `people_console`},
		"ok/authenticated by": {input: "people_console {\nauthenticated_by {http.request.header.X-User}\n}", user: "{http.request.header.X-User}"},
		"fail/argument":       {input: `people_console /people`, err: "wrong argument count"},
		"fail/unknown option": {input: "people_console {\nuser x\n}", err: `unrecognized option "user", allowed are account and authenticated_by, at Testfile:2`},
		"fail/everybody":      {input: "people_console {\nauthenticated_by admin\n}", err: `"admin" is no placeholder`},
		"fail/half text":      {input: "people_console {\nauthenticated_by x{http.auth.user.id}\n}", err: "is no placeholder"},
		"fail/two":            {input: "people_console {\nauthenticated_by {a}{b}\n}", err: "is no placeholder"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got Console
			err := got.UnmarshalCaddyfile(caddyfile.NewTestDispenser(test.input))
			if refusedWithLine(t, err, test.err) {
				return
			}
			assert.Equal(t, test.user, got.AuthenticatedBy)
		})
	}
}

// Errors of a configuration end up in logs and tickets.
func TestB28NoErrorShowsAKeyOrSecret(t *testing.T) {
	const key = "s3cr3t-value"
	for name, input := range map[string]string{
		"key without scope":     "api_key " + key,
		"key with a bad scope":  "api_key " + key + " scope",
		"scope and key swapped": "api_key people:read " + key,
		"key of two accounts":   "account a {\napi_key " + key + " people:read\n}\napi_key " + key + " people:read",
		"key twice":             "api_key " + key + " people:read\napi_key " + key + " people:read",
		"secret alone":          "widget w {\nsecret_key " + key + "\n}",
		"secret and more":       "widget w {\nsecret_key k " + key + " more\n}",
		"secret not base64":     "widget w {\nsecret_key k " + key + "\n}",
		"store swapped":         "store postgres://people:" + key + "@db/people postgres",
		"secrets swapped":       "widget w {\nsecret_key " + key + " k\n}",
		"secrets swapped well":  "widget w {\nsecret_key " + key + " main\n}",
	} {
		t.Run("app/"+name, func(t *testing.T) {
			err := new(App).UnmarshalCaddyfile(caddyfile.NewTestDispenser("people_tracking {\n" + input + "\n}"))
			require.Error(t, err)
			assert.NotContains(t, err.Error(), key)
		})
	}
	for name, input := range map[string]string{
		"two keys":  "api_key a " + key,
		"key twice": "api_key a\napi_key " + key,
	} {
		t.Run("handler/"+name, func(t *testing.T) {
			err := new(Handler).UnmarshalCaddyfile(caddyfile.NewTestDispenser("people_tracking {\n" + input + "\n}"))
			require.Error(t, err)
			assert.NotContains(t, err.Error(), key)
		})
	}
}
