package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/collector"
)

// App keeps people: their store, the keys that may track and read them, and
// what is known about events, attributes and Live Chat widgets. Sites are
// tracked by the handler people_tracking and looked at through the handler
// people_console; both work without this app being configured, on its defaults.
type App struct {
	// Where people are kept. Default: Badger in the folder `people` of Caddy's
	// data directory.
	Store Store `json:"store,omitzero"`

	// An activity session ends this long after its last activity. Default: 30m.
	SessionTimeout caddy.Duration `json:"session_timeout,omitempty"`
	// A visitor without activity is deleted after this time, and its cookie
	// lives that long. Default: 45d.
	VisitorTTL caddy.Duration `json:"visitor_ttl,omitempty"`
	// The Live Chat session of a lead ends after this time without calls.
	// Default: 45d.
	ChatSessionTTL caddy.Duration `json:"chat_session_ttl,omitempty"`
	// The Live Chat session of an authenticated user ends after this time
	// without calls. Default: 24h.
	AuthSessionTTL caddy.Duration `json:"auth_session_ttl,omitempty"`

	// The longest time between issue and expiry (exp − iat) that a Live Chat token
	// may have. A token that names no expiry is good for 15 seconds, or this time
	// where it is shorter. Default: 1h, at most 24h.
	TokenLifetime caddy.Duration `json:"token_lifetime,omitempty"`

	// Events and ended sessions are deleted this long after they happened; people
	// stay. At least 2d. Default: they are kept.
	EventRetention caddy.Duration `json:"event_retention,omitempty"`
	// What becomes of the lead of a started chat when its user authenticates:
	// `keep_lead` leaves it with its timeline and links both persons,
	// `absorb_lead` merges it into the authenticated person, which can be undone.
	// Default: keep_lead.
	OnAuthenticate string `json:"on_authenticate,omitempty"`

	// Take any well-formed event as long as none is defined. Default: false,
	// an event has to be defined before it can be tracked.
	LenientEvents bool `json:"lenient_events,omitempty"`

	// How many calls are taken from one browser and from one network. What is
	// more is asked to come later.
	RateLimit RateLimit `json:"rate_limit,omitzero"`

	// How long the bytes of what was deleted may stay in the files of a Badger
	// store. Default: 24h, at least 1m; -1 is never, as far as this goes.
	PurgeInterval caddy.Duration `json:"purge_interval,omitempty"`

	// What belongs to the account `default`.
	AccountConfig
	// Further accounts, each with keys, widgets, definitions and people of its
	// own. A handler names the account that it works for.
	Accounts []*Account `json:"accounts,omitempty"`

	// The clock that sessions and visitors live by, for tests and simulations;
	// only in JSON. Default: the system's.
	ClockRaw json.RawMessage `json:"clock,omitempty" caddy:"namespace=people_tracking.clocks inline_key=source"`

	ctx   caddy.Context
	log   *slog.Logger
	clock *tracker.Clock
	now   func() time.Time // by the clock
	lease *lease

	accounts map[string]*account // by name, there from Validate on
	limiter  *collector.Limiter  // of all sites together, likewise

	// service works on the lease. It is there from Validate on.
	service *tracker.Service

	sites func() sites // where this configuration's handlers are mounted

	stop     context.CancelFunc
	sweeping sync.WaitGroup
}

// The words of on_authenticate.
const (
	keepLead   = "keep_lead"
	absorbLead = "absorb_lead"
)

var authenticateWords = []string{keepLead, absorbLead}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  directive,
		New: func() caddy.Module { return new(App) },
	}
}

// Provision fills defaults and resolves placeholders.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.log = ctx.Slogger()
	a.sites = sync.OnceValue(func() sites { return findSites(a.ctx) })
	if err := measured.register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	var err error
	if a.clock, err = a.loadClock(ctx); err != nil {
		return err
	}
	a.now = a.clock.Now
	at, err := a.Store.place(caddy.NewReplacer())
	if err != nil {
		return err
	}
	a.lease = &lease{place: at, reload: caddy.ActiveContext().Context != nil, log: a.log, tune: a.tune, after: time.After}
	return a.checkPurgeInterval()
}

// Validate judges the configuration and builds the service from it, which
// touches neither disk nor network: caddy validate passes while another
// process runs on the same store.
func (a *App) Validate() error {
	if !slices.Contains(append(authenticateWords, ""), a.OnAuthenticate) {
		return fmt.Errorf("on_authenticate %q: allowed are %s", a.OnAuthenticate, allowed(authenticateWords))
	}
	var err error
	if a.accounts, err = a.judgeAccounts(caddy.NewReplacer()); err != nil {
		return err
	}
	if a.limiter, err = collector.NewLimiter(a.RateLimit.collector()); err != nil {
		return err
	}
	accounts := make(map[string]tracker.AccountConfig, len(a.accounts))
	for name, one := range a.accounts {
		accounts[name] = tracker.AccountConfig{Schema: one.definitions, Tokens: one.tokens}
	}
	a.service, err = tracker.New(a.lease, tracker.Config{
		Accounts:       accounts,
		SessionTimeout: time.Duration(a.SessionTimeout),
		VisitorTTL:     time.Duration(a.VisitorTTL),
		ChatSessionTTL: time.Duration(a.ChatSessionTTL),
		AuthSessionTTL: time.Duration(a.AuthSessionTTL),
		EventRetention: time.Duration(a.EventRetention),
		Ledger:         a.lease.erasures(),
		AbsorbLeads:    a.OnAuthenticate == absorbLead,
		Clock:          a.clock,
		Logger:         a.log,
	})
	return err
}

// Start opens the store and begins to end sessions and expire visitors. It
// fails, and so refuses the configuration, when two handlers contradict each
// other (B40), and on a reload when the store cannot be opened (B34).
func (a *App) Start() error {
	mounted := a.sites()
	if err := mounted.contradiction(); err != nil {
		return err
	}
	if _, err := a.lease.take(); err != nil {
		return err
	}
	if err := a.checkSchemas(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	a.sweeping.Go(func() {
		if err := a.service.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			a.log.Error("sessions are no longer ended", slog.Any("error", err))
		}
	})
	a.announce(mounted)
	return nil
}

// checkSchemas refuses a reload whose definitions contradict what is stored. A
// cold start goes on with the earlier ones, and so does whoever finds the
// store away: the service says so when it comes to know (B34).
func (a *App) checkSchemas() error {
	if !a.lease.reload {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	err := a.service.CheckSchemas(ctx)
	if errors.Is(err, tracker.ErrSchemaChange) {
		return err
	}
	if err != nil {
		a.log.Warn("the definitions could not be compared with what is stored", slog.Any("error", err))
	}
	return nil
}

// announce says in a line each what a person can open now. Of several hosts of
// a handler the first is enough.
func (a *App) announce(mounted sites) {
	type mount struct {
		handler caddyhttp.MiddlewareHandler
		path    string
	}
	said, keyless := make(map[mount]bool), false
	for _, s := range mounted.all {
		at := mount{s.handler, first(s.paths)}
		if said[at] {
			continue
		}
		said[at] = true
		switch h := s.handler.(type) {
		case *Handler:
			keyless = keyless || h.key.Value == autoKey
			a.log.Info("tracking pages of " + s.url)
		case *Console:
			a.log.Info("console at " + s.url)
		}
	}
	for _, s := range mounted.deaf() {
		a.log.Warn("calls of these pages do not arrive: no route leads their base path to people_tracking", slog.String("pages", s.url))
	}
	a.warnOfShortKeys()
	if keyless {
		a.log.Info(`no api_key that may track is configured: pages are tracked under the key "auto", and people are kept in ` + a.lease.name)
	}
}

// Stop ends what Start began. The store stays open for calls in flight until
// Cleanup.
func (a *App) Stop() error {
	if a.stop != nil {
		a.stop()
	}
	a.sweeping.Wait()
	return nil
}

// Cleanup gives the store back. Caddy calls it for configurations that never
// started as well, which hold nothing.
func (a *App) Cleanup() error {
	if a.lease == nil {
		return nil
	}
	return a.lease.release()
}

// escaped is a prefix as it stands in addresses and in the paths of cookies.
func escaped(prefix string) string {
	if prefix == "" {
		return ""
	}
	return (&url.URL{Path: prefix}).EscapedPath()
}

// prefix is the path prefix that was stripped from r on its way to handler, ""
// when none was (B39). Caddy strips it in any case of letters; it is returned
// as configured, so that there are no more prefixes than that.
func (a *App) prefix(handler caddyhttp.MiddlewareHandler, r *http.Request) string {
	prefixes := a.sites().prefixes[handler]
	if len(prefixes) == 0 {
		return ""
	}
	asked := originalPath(r)
	for _, prefix := range prefixes { // longest first
		if len(asked) >= len(prefix) && strings.EqualFold(asked[:len(prefix)], prefix) && isBelow(asked[len(prefix):]) {
			return prefix
		}
	}
	return ""
}
