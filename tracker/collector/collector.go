// Package collector is the HTTP endpoint that SDK calls reach: it judges
// requests from the cheapest check to the dearest, decodes them strictly,
// takes out of addresses what must not be stored, hands the calls to the
// tracker and writes answers and cookies. The wire protocol is in
// docs/protocol.md, what operators need to know in docs/collector.md.
//
// Keys, tokens, cookies and addresses stand in no log line, error or metric.
package collector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// Tracker carries out the calls of a request; tracker.Service does. An error
// for which tracker.Unavailable holds is answered with 503, any other with
// 500, and neither settles a call.
type Tracker interface {
	Batch(ctx context.Context, req *tracker.Request) (*tracker.Response, error)
}

// Config is what a Handler works by. Tracker and Site are required.
type Config struct {
	Tracker Tracker
	// Account tells whose calls these are, asking the store perhaps: an error is
	// met like one of Tracker. nil is tracker.DefaultAccount.
	Account func(context.Context) (tracker.Account, error)
	// Keys are the API keys. With none the key "auto" works, for calls of the
	// site's own origin only (B28).
	Keys *tracker.Keys
	// SessionCookies names the site's own Live Chat session cookies. They are
	// only read, never set.
	SessionCookies []string
	// Origins are further origins whose pages may call, as scheme://host[:port].
	Origins []string
	// RedactQuery names further parameters whose values are not stored (B32).
	RedactQuery []string
	// Consent says what has to be known of a visitor's consent (B30).
	Consent Consent
	// RespectGPC and RespectDNT record nothing of a browser that sends Sec-GPC
	// or DNT (B31).
	RespectGPC, RespectDNT bool
	// Site says where the request arrived as the browser sees it. Only headers
	// of trusted proxies may have been used for it (B37).
	Site func(*http.Request) Site
	// ClientIP returns the caller's address, with or without a port, likewise.
	// The default is the peer of the connection. What is no address is not
	// rate limited by address.
	ClientIP func(*http.Request) string
	Limits   Limits
	// Limiter is shared with other handlers; nil is one of this handler's own,
	// of Limits.
	Limiter *Limiter
	Now     func() time.Time
	NewID   func() string // ids of requests
	Logger  *slog.Logger
	// Observe is told what became of every request and call; nil is nobody. It
	// is called in the request's goroutine.
	Observe func(Observation)
}

// Check judges what an operator writes: origins, session cookies, consent and
// names to redact. New does so too.
func (cfg Config) Check() error {
	_, _, err := cfg.judge()
	return err
}

func (cfg Config) judge() (origins map[string]bool, redact *redactor, err error) {
	origins = make(map[string]bool, len(cfg.Origins))
	for _, raw := range cfg.Origins {
		origin, err := parseOrigin(raw)
		if err != nil {
			return nil, nil, err
		}
		origins[origin] = true
	}
	if err = checkSessionCookies(cfg.SessionCookies); err == nil {
		err = cfg.Consent.check()
	}
	if err == nil {
		redact, err = newRedactor(cfg.RedactQuery)
	}
	return origins, redact, err
}

// Site is where a request arrived, as the browser sees it.
type Site struct {
	Scheme string // "http" or "https"
	Host   string // with its port where that is not the scheme's own
	Base   string // public path of the endpoints, "/_people" or "/shop/_people" (B39)
}

// Handler answers POST {base}/v1/batch; requests come to it already routed.
type Handler struct {
	tracker        Tracker
	account        func(context.Context) (tracker.Account, error)
	keys           *tracker.Keys
	sessionCookies []string
	origins        map[string]bool
	allow          string // the Allow header
	redact         *redactor
	consent        Consent
	gpc, dnt       bool
	site           func(*http.Request) Site
	clientIP       func(*http.Request) string
	limits         *Limiter
	agents         *agents
	now            func() time.Time
	newID          func() string
	log            *slog.Logger
	warnings       rate.Sometimes // of a store that is away: the first, then one a minute
	observe        func(Observation)
}

// New returns a Handler, or says what is wrong with cfg.
func New(cfg Config) (*Handler, error) {
	if cfg.Tracker == nil || cfg.Site == nil {
		return nil, errors.New("collector: Tracker and Site are required")
	}
	origins, redact, err := cfg.judge()
	if err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	h := &Handler{
		tracker: cfg.Tracker, account: cfg.Account, keys: cfg.Keys, sessionCookies: slices.Clone(cfg.SessionCookies),
		redact: redact, consent: cfg.Consent, gpc: cfg.RespectGPC, dnt: cfg.RespectDNT,
		origins: origins, allow: http.MethodPost, site: cfg.Site, clientIP: cfg.ClientIP, limits: cfg.Limiter,
		warnings: rate.Sometimes{First: 1, Interval: time.Minute}, agents: newAgents(), now: cfg.Now, newID: cfg.NewID, log: cfg.Logger, observe: cfg.Observe,
	}
	h.setDefaults()
	if len(origins) > 0 {
		h.allow = "OPTIONS, POST"
	}
	if h.limits == nil {
		if h.limits, err = NewLimiter(cfg.Limits); err != nil {
			return nil, fmt.Errorf("collector: %w", err)
		}
	}
	return h, nil
}

func (h *Handler) setDefaults() {
	if h.account == nil {
		h.account = func(context.Context) (tracker.Account, error) { return tracker.DefaultAccount, nil }
	}
	if h.clientIP == nil {
		h.clientIP = func(r *http.Request) string { return r.RemoteAddr }
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.newID == nil {
		h.newID = rand.Text
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
}
