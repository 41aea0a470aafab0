// Package caddymodule puts people tracking into Caddy: the app that keeps the
// store and the configuration, the handler that tracks a site's pages and
// answers the calls of their SDK, the console directive, health on the admin
// endpoint, and metrics. Everything that knows Caddy is here and nowhere else.
package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// The words of the Caddyfile.
const (
	directive        = "people_tracking" // also the global option and the app
	consoleDirective = "people_console"
)

func init() {
	caddy.RegisterModule(new(App))
	caddy.RegisterModule(new(Handler))
	caddy.RegisterModule(new(Console))
	caddy.RegisterModule(adminAPI{})

	httpcaddyfile.RegisterGlobalOption(directive, parseGlobalOption)
	httpcaddyfile.RegisterHandlerDirective(directive, parseHandler)
	httpcaddyfile.RegisterHandlerDirective(consoleDirective, parseConsole)

	// Inside encode, so that pages are still compressed for the browser, and
	// outside of everything that makes them.
	httpcaddyfile.RegisterDirectiveOrder(directive, httpcaddyfile.After, "encode")
	httpcaddyfile.RegisterDirectiveOrder(consoleDirective, httpcaddyfile.Before, "respond")
}

// Interface guards.
var (
	_ caddy.App             = (*App)(nil)
	_ caddy.Provisioner     = (*App)(nil)
	_ caddy.Validator       = (*App)(nil)
	_ caddy.CleanerUpper    = (*App)(nil)
	_ caddyfile.Unmarshaler = (*App)(nil)

	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)

	_ caddy.Provisioner           = (*Console)(nil)
	_ caddyfile.Unmarshaler       = (*Console)(nil)
	_ caddy.CleanerUpper          = (*Console)(nil)
	_ caddyhttp.MiddlewareHandler = (*Console)(nil)

	_ caddy.AdminRouter = (*adminAPI)(nil)

	_ caddy.Destructor = (*pooledStore)(nil)
	_ store.Store      = (*lease)(nil)
)
