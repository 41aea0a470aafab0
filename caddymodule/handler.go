package caddymodule

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/livechat-people/caddy-people-tracking/sdk"
	"github.com/livechat-people/caddy-people-tracking/sdk/instrument"
	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/collector"
)

// Handler tracks the pages of a site: it puts the People tracking SDK into
// every HTML page that comes by and answers the SDK's calls, on the site's own
// origin. Pages do not depend on it: they never wait for the store, and what
// cannot be instrumented passes unchanged.
//
// It belongs inside of `encode` and outside of what makes the pages. Requests
// are matched by their original path as well as by the present one, so that
// rewrites in front of it take no calls away.
type Handler struct {
	// The account whose people the site's visitors become, one of the app's.
	// Default: `default`.
	Account string `json:"account,omitempty"`
	// The path under which the SDK and its calls are answered; nothing of the
	// site's own may be there. Behind handle_path or another stripped prefix
	// pages use the path with that prefix. Default: `/_people`.
	BasePath string `json:"base_path,omitempty"`
	// The API key that pages carry, one of the account's. Default: the first whose
	// only scope is `web:tracking:sdk`; without any such key, `auto`.
	APIKey string `json:"api_key,omitempty"`
	// Names of the site's own Live Chat session cookies. They are read to tell
	// that a chat was started, and never set. Default: none.
	SessionCookies []string `json:"session_cookies,omitempty"`
	// Further origins whose pages may call, as scheme://host[:port]. Default:
	// the site's own only.
	Origins []string `json:"origins,omitempty"`
	// Leave pages alone, and only answer calls: for sites that carry the script
	// tag themselves. Default: false.
	NoInject bool `json:"no_inject,omitempty"`
	// How the script is loaded: `sync`, so that scripts of the page can use
	// PeopleTrackingSDK right away, or `async`. Default: sync.
	Load string `json:"load,omitempty"`
	// Leave initialisation to the page's own init(key). Default: false, the SDK
	// initialises itself.
	ManualInit bool `json:"manual_init,omitempty"`
	// When a page view is recorded: at `init`, or at every `navigation` of a
	// single-page application as well. Default: init.
	PageViews string `json:"page_views,omitempty"`
	// The kinds of Live Chat signals that the script observes by itself:
	// `calls` of the widget's functions, `messages` from its frame, `received`
	// answers while the frame had the focus. `off` alone is none. Default: all.
	ChatSignals []string `json:"chat_signals,omitempty"`
	// Further origins of the widget's frame, beside those of infobip.com.
	WidgetOrigins []string `json:"widget_origins,omitempty"`
	// Names of query parameters whose values are not stored, further to those
	// that are never stored, such as token or password. Default: none.
	RedactQuery []string `json:"redact_query,omitempty"`
	// Whether anything is stored before the visitor has consented: not while it
	// is `required`. Default: implied, until consent is withdrawn.
	Consent string `json:"consent,omitempty"`
	// The site's cookie that tells of consent. Default: none; the page tells by
	// the SDK's consent(true).
	ConsentCookie ConsentCookie `json:"consent_cookie,omitzero"`
	// Store nothing of browsers that object by a header: `gpc` by Sec-GPC, `dnt`
	// by DNT. Default: none.
	Respect []string `json:"respect,omitempty"`
	// What to do with pages whose Content-Security-Policy does not allow the
	// script: `skip` leaves them alone, `amend` adds it to the policy. Default:
	// skip.
	CSP string `json:"csp,omitempty"`
	// Paths that a service worker fetches to keep as pages. Fetches are no
	// pages otherwise. Default: none.
	AppShell []string `json:"app_shell,omitempty"`
	// Put the script also into documents that are loaded into frames and the
	// like. Default: false.
	Frames bool `json:"frames,omitempty"`
	// Put the script also into pages of type application/xhtml+xml. Default: false.
	XHTML bool `json:"xhtml,omitempty"`
	// Put the script behind <meta http-equiv=X-UA-Compatible>, for estates that
	// still use Internet Explorer mode. Default: false.
	AfterXUA bool `json:"after_x_ua,omitempty"`
	// What to record of what visitors do, without any code in the pages. The
	// script carries the rules out. Default: nothing but what pages track by
	// themselves.
	On []instrument.Rule `json:"on,omitempty"`
	// Say in a response header why a page was left alone, and in the browser's
	// console which property a rule left out. Default: false.
	Debug bool `json:"debug,omitempty"`

	app    *App
	log    *slog.Logger
	key    tracker.Key // that pages carry
	calls  http.Handler
	script *sdk.Bundle
	lines  []ruleLines // of On, while the Caddyfile is read
	pages  sync.Map    // stripped prefix → *inject.Injector, as the snippet names it
}

// defaultBasePath is where the SDK and its calls are answered.
const defaultBasePath = "/_people"

// The endpoints below the base path.
const (
	batchPath  = "/v1/batch"
	scriptPath = "/v1/sdk.js"
)

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.people_tracking",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision fills defaults, finds the app and builds what answers calls.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.log = ctx.Slogger()
	h.BasePath = cmp.Or(h.BasePath, defaultBasePath)
	h.Load = cmp.Or(h.Load, loadSync)
	h.PageViews = cmp.Or(h.PageViews, viewsInit)
	h.CSP = cmp.Or(h.CSP, cspSkip)
	h.Consent = cmp.Or(h.Consent, consentImplied)
	app, err := ctx.App(directive)
	if err != nil {
		return err
	}
	h.app = app.(*App)
	account, err := h.app.account(h.Account)
	if err != nil {
		return err
	}
	if h.key, err = account.pageKey(h.APIKey); err != nil {
		return err
	}
	if !h.key.Only(tracker.ScopeTracking) {
		h.log.Warn("the API key of the pages may do more than track, and whoever reads a page has it", slog.Any("scopes", h.key.Scopes))
	}
	if h.script, err = h.bundle(account.definitions); err != nil {
		return err
	}
	calls := h.collectorConfig()
	calls.Tracker, calls.Account, calls.Keys = h.app.service, h.app.number(account), account.callKeys()
	calls.Limiter, calls.Now, calls.Logger = h.app.limiter, h.app.now, h.log
	calls.Observe = h.observer(account.name)
	h.calls, err = collector.New(calls)
	return err
}

// collectorConfig is what the options say of calls.
func (h *Handler) collectorConfig() collector.Config {
	return collector.Config{
		SessionCookies: h.SessionCookies,
		Origins:        h.Origins,
		RedactQuery:    h.RedactQuery,
		Consent: collector.Consent{
			Required: h.Consent == consentRequired,
			Cookie:   h.ConsentCookie.Name, Value: h.ConsentCookie.Value,
		},
		RespectGPC: slices.Contains(h.Respect, respectGPC),
		RespectDNT: slices.Contains(h.Respect, respectDNT),
		Site:       h.site,
		ClientIP:   clientIP,
	}
}

// observer counts what becomes of requests and calls, and has those that never
// reach the service stand in the live view as well.
func (h *Handler) observer(account string) func(collector.Observation) {
	return func(o collector.Observation) {
		measured.observe(o)
		if rule, refused := o.RefusedBy(); refused {
			h.app.service.RefusedRequest(account, o.Result, rule)
		}
	}
}

// Validate judges what the Caddyfile has judged already, for configurations
// that come as JSON.
func (h *Handler) Validate() error {
	if err := checkBasePath(h.BasePath); err != nil {
		return err
	}
	for _, choice := range []struct {
		option, value string
		words         []string
	}{
		{"load", h.Load, loadWords},
		{"page_views", h.PageViews, viewsWords},
		{"csp", h.CSP, cspWords},
		{"consent", h.Consent, consentWords},
	} {
		if !slices.Contains(choice.words, choice.value) {
			return fmt.Errorf("%s %q: allowed are %s", choice.option, choice.value, allowed(choice.words))
		}
	}
	for _, check := range []func() error{h.checkSignals, h.checkRespect, h.checkAppShell} {
		if err := check(); err != nil {
			return err
		}
	}
	_, err := h.page("")
	return err
}

// checkBasePath asks for a path that means the same to browsers, cookies and
// HTML without being escaped.
func checkBasePath(base string) error {
	if len(base) < 2 || base[0] != '/' || path.Clean(base) != base {
		return fmt.Errorf("base_path %q is no path such as %s", base, defaultBasePath)
	}
	for _, c := range []byte(base) {
		if !isBasePathByte(c) {
			return fmt.Errorf("base_path %q: letters, digits and - . _ ~ / are allowed", base)
		}
	}
	return nil
}

func isBasePathByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0
}

// ServeHTTP answers calls, and tracks every page that next serves.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	prefix := h.app.prefix(h, r)
	if endpoint, ours := h.endpoint(r, prefix); ours {
		h.serveEndpoint(w, r, endpoint)
		return nil
	}
	if h.NoInject {
		return next.ServeHTTP(w, r)
	}
	page, err := h.page(prefix)
	if err != nil { // it was built once already, by Validate
		h.log.Error("pages are not tracked", slog.Any("error", err))
		return next.ServeHTTP(w, r)
	}
	return page.ServeHTTP(w, r, next)
}

// endpoint is the path of r below the base path. Rewrites come before this
// handler and a try_files takes every path for its own, so the path that was
// asked for counts; the present one counts too, for operators who rewrite to
// the base path.
func (h *Handler) endpoint(r *http.Request, prefix string) (string, bool) {
	if rest, ours := strings.CutPrefix(originalPath(r), prefix+h.BasePath); ours && isBelow(rest) {
		return rest, true
	}
	if rest, ours := strings.CutPrefix(r.URL.Path, h.BasePath); ours && isBelow(rest) {
		return rest, true
	}
	return "", false
}

// isBelow tells /_people/v1 from /_peoples.
func isBelow(rest string) bool { return rest == "" || rest[0] == '/' }

func (h *Handler) serveEndpoint(w http.ResponseWriter, r *http.Request, endpoint string) {
	switch endpoint {
	case batchPath:
		h.calls.ServeHTTP(w, r)
	case scriptPath:
		h.script.ServeHTTP(w, r)
	default:
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "not found", http.StatusNotFound)
	}
}

// site is where the request arrived, as the browser sees it. What forwarding
// headers say counts from trusted proxies only (B37).
func (h *Handler) site(r *http.Request) collector.Site {
	site := collector.Site{Scheme: "http", Host: r.Host, Base: escaped(h.app.prefix(h, r)) + h.BasePath}
	if r.TLS != nil {
		site.Scheme = "https"
	}
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); trusted {
		if scheme := strings.ToLower(forwarded(r, "X-Forwarded-Proto")); scheme == "http" || scheme == "https" {
			site.Scheme = scheme
		}
		site.Host = cmp.Or(forwarded(r, "X-Forwarded-Host"), site.Host)
	}
	return site
}

// forwarded is the first value of a list: what the outermost proxy saw.
func forwarded(r *http.Request, header string) string {
	value, _, _ := strings.Cut(r.Header.Get(header), ",")
	return strings.TrimSpace(value)
}

func clientIP(r *http.Request) string {
	if ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ip != "" {
		return ip
	}
	return r.RemoteAddr
}

// originalPath is the path that was asked for, before any rewrite.
func originalPath(r *http.Request) string {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return original.URL.Path
	}
	return r.URL.Path
}
