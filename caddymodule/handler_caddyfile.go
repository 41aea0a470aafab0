package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/livechat-people/caddy-people-tracking/sdk"
)

// The words that options of the handler take.
const (
	loadSync  = "sync"
	loadAsync = "async"

	viewsInit       = "init"
	viewsNavigation = "navigation"

	cspSkip  = "skip"
	cspAmend = "amend"

	signalsOff = "off"
)

var (
	loadWords  = []string{loadSync, loadAsync}
	viewsWords = []string{viewsInit, viewsNavigation}
	cspWords   = []string{cspSkip, cspAmend}

	signalWords = []string{sdk.SignalCalls, sdk.SignalMessages, sdk.SignalReceived, signalsOff}
)

func parseHandler(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler, app := new(Handler), globalOption(h)
	if err := handler.unmarshal(h.Dispenser, accountsOf(app)); err != nil {
		return nil, err
	}
	return handler, handler.checkRules(app)
}

// UnmarshalCaddyfile sets up the handler. Everything in the block is optional:
//
//	people_tracking [<matcher>] {
//		account        <name>
//		base_path      <path>
//		api_key        <key>
//		session_cookie <name>...
//		origins        <origin>...
//		inject         on|off
//		load           sync|async
//		auto_init      on|off
//		page_views     init|navigation
//		chat_signals   off|calls|messages|received...
//		widget_origins <origin>...
//		redact_query   <name>...
//		consent        required|implied [cookie <name> <value>]
//		respect        gpc|dnt...
//		csp            skip|amend
//		app_shell      <path>...
//		frames
//		xhtml
//		after_x_ua
//		on             click|submit|visible "<selector>" track <event> | update_person | append_to_list <attribute> {
//			<property> <value>
//		}
//		on             scroll <percent> track …
//		debug
//	}
//
// on may be given several times.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return h.unmarshal(d, nil)
}

// unmarshal also judges the account, where the accounts are known.
func (h *Handler) unmarshal(d *caddyfile.Dispenser, accounts []string) error {
	d.Next() // people_tracking
	if err := noArgs(d); err != nil {
		return err
	}
	return options{
		"account":   oneAccount(&h.Account, accounts),
		"base_path": judged(text(&h.BasePath), func() error { return checkBasePath(h.BasePath) }),
		"api_key": func(d *caddyfile.Dispenser) error {
			// The error of text would show the key (B28).
			if h.APIKey != "" {
				return d.Errf("api_key is already specified")
			}
			if text(&h.APIKey)(d) != nil {
				return d.Errf("api_key wants one key")
			}
			return nil
		},
		"session_cookie": judged(list(&h.SessionCookies), h.checkCalls),
		"origins":        judged(list(&h.Origins), h.checkCalls),
		"inject":         onOff(&h.NoInject, "off"),
		"load":           oneOf(&h.Load, loadWords...),
		"auto_init":      onOff(&h.ManualInit, "off"),
		"page_views":     oneOf(&h.PageViews, viewsWords...),
		"chat_signals":   judged(list(&h.ChatSignals), h.checkSignals),
		"widget_origins": judged(list(&h.WidgetOrigins), h.checkWidgetOrigins),
		"redact_query":   judged(list(&h.RedactQuery), h.checkCalls),
		"consent":        judged(h.parseConsent, h.checkCalls),
		"respect":        judged(list(&h.Respect), h.checkRespect),
		"csp":            oneOf(&h.CSP, cspWords...),
		"app_shell":      judged(list(&h.AppShell), h.checkAppShell),
		"frames":         flag(&h.Frames),
		"xhtml":          flag(&h.XHTML),
		"after_x_ua":     flag(&h.AfterXUA),
		"on":             h.parseRule,
		"debug":          flag(&h.Debug),
	}.parseBlock(d)
}

// checkCalls judges what the collector is told.
func (h *Handler) checkCalls() error { return h.collectorConfig().Check() }

// checkWidgetOrigins judges the addresses that the script is told.
func (h *Handler) checkWidgetOrigins() error {
	_, err := sdk.Plain().Tag(sdk.TagOptions{Base: defaultBasePath, WidgetOrigins: h.WidgetOrigins})
	return err
}

// checkAppShell asks for paths as requests have them: any other would never be
// met.
func (h *Handler) checkAppShell() error {
	for _, path := range h.AppShell {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#*") {
			return fmt.Errorf("app_shell %q is no path such as /offline", path)
		}
	}
	return nil
}

func (h *Handler) checkSignals() error {
	for _, signal := range h.ChatSignals {
		if !slices.Contains(signalWords, signal) {
			return fmt.Errorf("chat_signals %s: allowed are %s", signal, allowed(signalWords))
		}
		if signal == signalsOff && len(h.ChatSignals) > 1 {
			return errors.New("chat_signals: off stands alone")
		}
	}
	return nil
}
