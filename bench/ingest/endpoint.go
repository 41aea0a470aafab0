//go:build linux

package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/collector"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

func init() {
	caddy.RegisterModule(&endpoint{})
	httpcaddyfile.RegisterHandlerDirective("bench_endpoint", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		e := new(endpoint)
		return e, e.UnmarshalCaddyfile(h.Dispenser)
	})
	httpcaddyfile.RegisterDirectiveOrder("bench_endpoint", httpcaddyfile.Before, "respond")
}

// endpoint is the product's endpoint for calls, in front of something else
// than the product's store.
type endpoint struct {
	Side string `json:"side"`
	Dir  string `json:"dir"`

	calls  http.Handler
	closer io.Closer
}

// CaddyModule returns the Caddy module information.
func (*endpoint) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_endpoint", New: func() caddy.Module { return new(endpoint) }}
}

// UnmarshalCaddyfile reads "bench_endpoint <side> <directory>".
func (e *endpoint) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&e.Side, &e.Dir) {
		return d.ArgErr()
	}
	return nil
}

// Provision opens what stands behind the endpoint.
func (e *endpoint) Provision(caddy.Context) error {
	behind, closer, err := e.open()
	if err != nil {
		return err
	}
	e.closer = closer
	keys, err := tracker.NewKeys(tracker.Key{Value: benchKey, Scopes: []string{tracker.ScopeTracking}})
	if err != nil {
		return fmt.Errorf("making the key: %w", err)
	}
	unlimited := collector.Limit{PerSecond: 1e9, Burst: 1_000_000_000}
	e.calls, err = collector.New(collector.Config{
		Tracker: behind, Keys: keys, Limits: collector.Limits{Address: unlimited, Device: unlimited},
		Site: func(r *http.Request) collector.Site {
			return collector.Site{Scheme: "http", Host: r.Host, Base: "/_people"}
		},
	})
	return err
}

func (e *endpoint) open() (collector.Tracker, io.Closer, error) {
	definitions, err := schema.New([]schema.Definition{{ID: "action", Title: "Action", Fields: []schema.Field{
		{Name: "name", Type: schema.TypeString}, {Name: "label", Type: schema.TypeString},
	}}}, nil, schema.Options{Strict: true})
	if err != nil {
		return nil, nil, fmt.Errorf("defining events: %w", err)
	}
	if e.Side != transactions {
		bare, err := newBareFile(filepath.Join(e.Dir, "bare"), definitions)
		return bare, bare, err
	}
	st, err := newTransactions(e.Dir)
	if err != nil {
		return nil, nil, err
	}
	service, err := tracker.New(st, tracker.Config{
		Accounts: map[string]tracker.AccountConfig{tracker.DefaultAccountName: {Schema: definitions}},
	})
	return service, st, err
}

// Cleanup closes it.
func (e *endpoint) Cleanup() error {
	if e.closer == nil {
		return nil
	}
	return e.closer.Close()
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.URL.Path != batchPath {
		return next.ServeHTTP(w, r)
	}
	e.calls.ServeHTTP(w, r)
	return nil
}

const batchPath = "/_people/v1/batch"
