package caddymodule

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/dustin/go-humanize"

	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/collector"
)

// minLifetime is the shortest lifetime that makes sense; the tracker refuses
// shorter ones as well.
const minLifetime = time.Second

// maxTokenLifetime keeps tokens what they are: a proof of who signs in now.
const maxTokenLifetime = caddy.Duration(24 * time.Hour)

// minBurst lets a full batch pass; the collector refuses less as well.
const minBurst = collector.MaxCalls

func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		return nil, d.Errf("%s is already specified", directive)
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: directive, Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile sets up the app from a global option. Everything in the
// block is optional:
//
//	people_tracking {
//		store            badger <directory> {
//			accept_loss
//			memtable <size>
//		}
//		store            postgres <connection string>
//		session_timeout  <duration>
//		visitor_ttl      <duration>
//		event_retention  <duration>
//		chat_session_ttl <duration>
//		auth_session_ttl <duration>
//		on_authenticate  keep_lead|absorb_lead
//		strict_events    on|off
//		token_lifetime   <duration>
//		purge_interval   <duration>|off
//		rate_limit {
//			device  <calls per second> <burst>
//			address <calls per second> <burst>
//			total   <calls per second> <burst>
//		}
//		account <name> {
//			<api_key, widget, event and attribute as below>
//		}
//		api_key          <key> <scope>...
//		widget <id> {
//			secret_key <key id> <base64>
//			keep_authenticated_as_leads
//		}
//		event <id> [<title>] {
//			<name> <type>
//			<name> list {
//				<name> <type>
//			}
//		}
//		attribute <name> <type>
//		attribute <name> list {
//			<name> <type>
//		}
//	}
//
// account, api_key, widget, event and attribute may be given several times.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // people_tracking
	if err := noArgs(d); err != nil {
		return err
	}
	block := options{
		"store":            a.parseStore,
		"session_timeout":  lifetime(&a.SessionTimeout),
		"visitor_ttl":      lifetime(&a.VisitorTTL),
		"event_retention":  judged(lifetime(&a.EventRetention), a.checkEventRetention),
		"chat_session_ttl": lifetime(&a.ChatSessionTTL),
		"auth_session_ttl": lifetime(&a.AuthSessionTTL),
		"on_authenticate":  oneOf(&a.OnAuthenticate, authenticateWords...),
		"strict_events":    onOff(&a.LenientEvents, "off"),
		"token_lifetime":   judged(lifetime(&a.TokenLifetime), func() error { return checkTokenLifetime(a.TokenLifetime) }),
		"rate_limit":       a.RateLimit.parse,
		"purge_interval":   judged(a.parsePurgeInterval, a.checkPurgeInterval),
		"account":          a.parseAccount,
	}.and(a.AccountConfig.options(a, defaultAccount))
	return judged(block.parseBlock, a.checkBlock)(d)
}

// checkBlock finds what no line of the block is wrong about by itself.
func (a *App) checkBlock() error {
	for _, account := range a.configured() {
		if _, err := account.newSchema(a.LenientEvents); err != nil {
			return err
		}
	}
	return a.checkPurgeInterval()
}

// checkEventRetention finds what the tracker would refuse.
func (a *App) checkEventRetention() error {
	if kept := time.Duration(a.EventRetention); kept < tracker.MinEventRetention {
		return fmt.Errorf("event_retention: %s is under %s", kept, tracker.MinEventRetention)
	}
	return nil
}

func checkTokenLifetime(longest caddy.Duration) error {
	if longest > maxTokenLifetime {
		return fmt.Errorf("token_lifetime: %s is over %s", time.Duration(longest), time.Duration(maxTokenLifetime))
	}
	return nil
}

// parseStore shows no connection string in its errors: it may hold a password.
func (a *App) parseStore(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("store wants an engine and its place: store %s <directory>, or store %s <connection string>%s", engineBadger, enginePostgres, unsetHint)
	}
	a.Store.Engine = args[0]
	switch args[0] {
	case engineBadger:
		a.Store.Directory = args[1]
		return options{
			"accept_loss": flag(&a.Store.AcceptLoss),
			"memtable":    judged(a.Store.parseMemtable, func() error { return checkMemtable(a.Store.Memtable) }),
		}.parseBlock(d)
	case enginePostgres:
		a.Store.DSN = args[1]
	default:
		return d.Errf("store: the first argument is no engine, allowed are %s", allowed(engineWords))
	}
	return nil
}

func (s *Store) parseMemtable(d *caddyfile.Dispenser) error {
	var size string
	if !d.AllArgs(&size) {
		return d.ArgErr()
	}
	bytes, err := humanize.ParseBytes(size)
	if err != nil {
		return d.Errf("memtable %s: no size such as 16MiB", size)
	}
	s.Memtable = int64(min(bytes, math.MaxInt64)) //nolint:gosec // bounded
	return nil
}

func (l *RateLimit) parse(d *caddyfile.Dispenser) error {
	if err := noArgs(d); err != nil {
		return err
	}
	return options{"device": l.Device.parse, "address": l.Address.parse, "total": l.Total.parse}.parseBlock(d)
}

func (r *Rate) parse(d *caddyfile.Dispenser) error {
	option := d.Val()
	var perSecond, burst string
	if !d.AllArgs(&perSecond, &burst) {
		return d.Errf("%s wants calls per second and a burst", option)
	}
	var err error
	if r.PerSecond, err = strconv.ParseFloat(perSecond, 64); err != nil || !(r.PerSecond > 0) || math.IsInf(r.PerSecond, 0) {
		return d.Errf("%s: %q is no number above 0", option, perSecond)
	}
	if r.Burst, err = strconv.Atoi(burst); err != nil || r.Burst < minBurst {
		return d.Errf("%s: %q is no whole number from %d, the calls of a full batch", option, burst, minBurst)
	}
	return nil
}
