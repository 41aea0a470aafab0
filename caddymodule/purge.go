package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
)

const (
	defaultPurgeInterval = caddy.Duration(24 * time.Hour)
	// minPurgeInterval: a purge rewrites a large part of the store.
	minPurgeInterval = caddy.Duration(time.Minute)
	// neverPurge is the word off.
	neverPurge = caddy.Duration(-1)
)

func (a *App) parsePurgeInterval(d *caddyfile.Dispenser) error {
	at := *d
	if at.NextArg() && at.Val() == "off" {
		a.PurgeInterval = neverPurge
		d.NextArg()
		return noArgs(d)
	}
	return lifetime(&a.PurgeInterval)(d)
}

func (a *App) checkPurgeInterval() error {
	switch {
	case a.PurgeInterval != 0 && a.Store.Engine == enginePostgres:
		return errors.New("purge_interval is for the engine badger: a database removes deleted data by its own vacuum")
	case a.PurgeInterval != 0 && a.PurgeInterval != neverPurge && a.PurgeInterval < minPurgeInterval:
		return fmt.Errorf("purge_interval: %s is under %s", time.Duration(a.PurgeInterval), time.Duration(minPurgeInterval))
	}
	return nil
}

// tune applies to an open store what a reload may change.
func (a *App) tune(engine store.Store) {
	e, embedded := engine.(*badger.Store)
	if !embedded {
		return
	}
	e.SetPurgeInterval(time.Duration(cmp.Or(a.PurgeInterval, defaultPurgeInterval)))
}
