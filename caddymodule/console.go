package caddymodule

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/livechat-people/caddy-people-tracking/console"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// Console serves the people viewer and the People REST API. It lets in the
// operator whom an authentication handler in front of it has named, basic_auth
// for one, and programs with an API key of the scope `people:read` or
// `people:manage`. Everybody else gets 401. Below a path it is mounted with
// handle_path.
type Console struct {
	// The account whose people are shown, one of the app's, and whose API keys
	// let programs in. Default: `default`.
	Account string `json:"account,omitempty"`
	// A placeholder that names the operator, for sites that authenticate by
	// other means, `{http.request.header.X-User}` behind forward_auth for one.
	// Whoever configures it vouches that no client can set it. Default:
	// `{http.auth.user.id}`, which Caddy's authentication handlers set.
	AuthenticatedBy string `json:"authenticated_by,omitempty"`

	app     *App
	number  func(context.Context) (tracker.Account, error)
	config  console.Config
	stop    func()                       // ends the live views that are open
	handler atomic.Pointer[http.Handler] // made when the account's number is known
}

// defaultUser is where Caddy's authentication handlers leave the user's name.
const defaultUser = "{http.auth.user.id}"

// CaddyModule returns the Caddy module information.
func (*Console) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.people_console",
		New: func() caddy.Module { return new(Console) },
	}
}

// Provision connects the console with the app.
func (c *Console) Provision(ctx caddy.Context) error {
	app, err := ctx.App(directive)
	if err != nil {
		return err
	}
	c.app = app.(*App)
	user := cmp.Or(c.AuthenticatedBy, defaultUser)
	if !isPlaceholder(user) {
		return fmt.Errorf("authenticated_by: %q is no placeholder, and would let everybody in", user)
	}
	account, err := c.app.account(c.Account)
	if err != nil {
		return err
	}
	c.number = c.app.number(account)
	stopping := make(chan struct{})
	c.stop = sync.OnceFunc(func() { close(stopping) })
	// Graceful shutdown waits for open requests, and a live view is one for ever.
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		server.RegisterOnShutdown(c.stop)
	}
	c.config = console.Config{
		People:   c.app.service,
		Keys:     account.keys,
		User:     operator(user, ctx.Slogger()),
		Base:     func(r *http.Request) string { return escaped(c.app.prefix(c, r)) + "/" },
		Now:      c.app.now,
		Stopping: stopping,
		Logger:   ctx.Slogger(),
	}
	return nil
}

// Cleanup ends what is left of the live views, and of those whose server was
// not told of its end.
func (c *Console) Cleanup() error {
	if c.stop != nil {
		c.stop()
	}
	return nil
}

// operator reads who signed in. Where nobody did, no handler in front asked for
// it, which a page that says "please sign in" does not tell: the log does, once.
func operator(placeholder string, log *slog.Logger) func(*http.Request) string {
	var tell sync.Once
	return func(r *http.Request) string {
		name := ""
		if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
			name = repl.ReplaceAll(placeholder, "")
		}
		if name == "" {
			tell.Do(func() {
				log.Warn("a request came to the console without a user: put basic_auth or the like in front of it, or let authenticated_by say where the name is",
					slog.String("placeholder", placeholder))
			})
		}
		return name
	}
}

// isPlaceholder tells a single placeholder from text, which would be the same
// for everybody.
func isPlaceholder(s string) bool {
	return len(s) > 2 && s[0] == '{' && s[len(s)-1] == '}' && !strings.ContainsAny(s[1:len(s)-1], "{} ")
}

func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	handler := c.made(r.Context())
	if handler == nil { // nobody was asked yet who he is, so nothing more is said
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Retry-After", "5")
		http.Error(w, "the store is unavailable", http.StatusServiceUnavailable)
		return nil
	}
	handler.ServeHTTP(w, r)
	return nil
}

// made is the console of the account, nil while its number is not known. The
// default account's always is, so that its console says by itself what it has to
// say of a store that is away.
func (c *Console) made(ctx context.Context) http.Handler {
	if handler := c.handler.Load(); handler != nil {
		return *handler
	}
	number, err := c.number(ctx)
	if err != nil {
		return nil
	}
	config := c.config
	config.Account = number
	handler, err := console.New(config)
	if err != nil {
		config.Logger.Error("the console cannot be shown", slog.Any("error", err))
		return nil
	}
	c.handler.CompareAndSwap(nil, &handler)
	return handler
}

func parseConsole(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	c := new(Console)
	return c, c.unmarshal(h.Dispenser, accountsOf(globalOption(h)))
}

// UnmarshalCaddyfile sets up the console:
//
//	people_console {
//		account          <name>
//		authenticated_by <placeholder>
//	}
func (c *Console) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return c.unmarshal(d, nil)
}

func (c *Console) unmarshal(d *caddyfile.Dispenser, accounts []string) error {
	d.Next() // people_console
	if err := noArgs(d); err != nil {
		return err
	}
	return options{
		"account": oneAccount(&c.Account, accounts),
		"authenticated_by": func(d *caddyfile.Dispenser) error {
			if err := text(&c.AuthenticatedBy)(d); err != nil {
				return err
			}
			if !isPlaceholder(c.AuthenticatedBy) {
				return d.Errf("authenticated_by: %q is no placeholder, and would let everybody in", c.AuthenticatedBy)
			}
			return nil
		},
	}.parseBlock(d)
}
