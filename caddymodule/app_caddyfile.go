package caddymodule

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// minLifetime is the shortest lifetime that makes sense; the tracker refuses
// shorter ones as well.
const minLifetime = time.Second

// minBurst lets a full batch pass; the collector refuses less as well.
const minBurst = 100

// The types of Caddyfile fields: what the schema takes for events, and for
// attributes and the items of lists in them.
var (
	eventTypes     = typeWords(schema.TypeString, schema.TypeBoolean, schema.TypeDateTime, schema.TypeNumeric, schema.TypeDecimal, schema.TypeList)
	attributeTypes = typeWords(schema.TypeString, schema.TypeDecimal, schema.TypeInteger, schema.TypeBoolean, schema.TypeDate, schema.TypeDateTime, schema.TypeList)
)

func typeWords(types ...schema.Type) []string {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = string(t)
	}
	return words
}

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
//		}
//		store            postgres <connection string>
//		session_timeout  <duration>
//		visitor_ttl      <duration>
//		chat_session_ttl <duration>
//		auth_session_ttl <duration>
//		strict_events    on|off
//		rate_limit {
//			device  <calls per second> <burst>
//			address <calls per second> <burst>
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
// api_key, widget, event and attribute may be given several times.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // people_tracking
	if err := noArgs(d); err != nil {
		return err
	}
	return options{
		"store":            a.parseStore,
		"session_timeout":  lifetime(&a.SessionTimeout),
		"visitor_ttl":      lifetime(&a.VisitorTTL),
		"chat_session_ttl": lifetime(&a.ChatSessionTTL),
		"auth_session_ttl": lifetime(&a.AuthSessionTTL),
		"strict_events":    onOff(&a.LenientEvents, "off"),
		"rate_limit":       a.RateLimit.parse,
		"api_key":          a.parseKey,
		"widget":           a.parseWidget,
		"event":            a.parseEvent,
		"attribute":        a.parseAttribute,
	}.parseBlock(d)
}

// parseStore shows no connection string in its errors: it may hold a password.
func (a *App) parseStore(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("store wants an engine and its place: store %s <directory>, or store %s <connection string>", engineBadger, enginePostgres)
	}
	a.Store.Engine = args[0]
	switch args[0] {
	case engineBadger:
		a.Store.Directory = args[1]
		return options{"accept_loss": flag(&a.Store.AcceptLoss)}.parseBlock(d)
	case enginePostgres:
		a.Store.DSN = args[1]
	default:
		return d.Errf("store: the first argument is no engine, allowed are %s", allowed(engineWords))
	}
	return nil
}

func (l *RateLimit) parse(d *caddyfile.Dispenser) error {
	if err := noArgs(d); err != nil {
		return err
	}
	return options{"device": l.Device.parse, "address": l.Address.parse}.parseBlock(d)
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

// parseKey shows no key in its errors: they end up in logs (B28).
func (a *App) parseKey(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 {
		return d.Errf("api_key wants a key and at least one scope, allowed are %s", allowed(scopes))
	}
	key := APIKey{Key: args[0], Scopes: args[1:]}
	for i, scope := range key.Scopes {
		if !slices.Contains(scopes, scope) {
			return d.Errf("api_key: argument %d is no scope, allowed are %s", i+2, allowed(scopes))
		}
	}
	if scope, twice := duplicate(key.Scopes); twice {
		return d.Errf("api_key: scope %s is given twice", scope)
	}
	for _, other := range a.APIKeys {
		if other.Key == key.Key {
			return d.Errf("api_key: the same key is already specified")
		}
	}
	a.APIKeys = append(a.APIKeys, key)
	return nil
}

func (a *App) parseWidget(d *caddyfile.Dispenser) error {
	var widget Widget
	if !d.AllArgs(&widget.ID) {
		return d.ArgErr()
	}
	for _, other := range a.Widgets {
		if other.ID == widget.ID {
			return d.Errf("widget %s is already specified", widget.ID)
		}
	}
	at := *d
	err := options{
		"secret_key":                  widget.parseSecretKey,
		"keep_authenticated_as_leads": flag(&widget.KeepAuthenticatedAsLeads),
	}.parseBlock(d)
	if err != nil {
		return err
	}
	if len(widget.SecretKeys) == 0 {
		return at.Errf("widget %s has no secret_key, so that none of its tokens could be verified", widget.ID)
	}
	a.Widgets = append(a.Widgets, widget)
	return nil
}

// parseSecretKey shows no secret in its errors either.
func (w *Widget) parseSecretKey(d *caddyfile.Dispenser) error {
	var key SecretKey
	if !d.AllArgs(&key.ID, &key.Secret) {
		return d.Errf("secret_key wants the id of the key and the key in Base64")
	}
	for _, other := range w.SecretKeys {
		if other.ID == key.ID {
			return d.Errf("secret_key: the id is already specified")
		}
	}
	// What holds a placeholder is judged when the placeholder is resolved.
	if _, err := base64.StdEncoding.DecodeString(key.Secret); err != nil && !strings.Contains(key.Secret, "{") {
		return d.Errf("secret_key: the second argument is not Base64")
	}
	w.SecretKeys = append(w.SecretKeys, key)
	return nil
}

func (a *App) parseEvent(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return d.Errf("event wants an id and, if it differs, a title")
	}
	event := Event{ID: args[0]}
	if len(args) == 2 {
		event.Title = args[1]
	}
	for _, other := range a.Events {
		if other.ID == event.ID {
			return d.Errf("event %s is already specified", event.ID)
		}
	}
	var err error
	event.Properties, err = parseFields(d, eventTypes)
	a.Events = append(a.Events, event)
	return err
}

func (a *App) parseAttribute(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("attribute wants a name and a type, allowed are %s", allowed(attributeTypes))
	}
	field, err := parseField(d, attributeTypes)
	if err != nil {
		return err
	}
	for _, other := range a.Attributes {
		// The platform compares names of attributes in any case.
		if strings.EqualFold(other.Name, field.Name) {
			return d.Errf("attribute %s is already specified", field.Name)
		}
	}
	a.Attributes = append(a.Attributes, Attribute(field))
	return nil
}

// parseFields reads a block of lines <name> <type>.
func parseFields(d *caddyfile.Dispenser, types []string) ([]Field, error) {
	var fields []Field
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		field, err := parseField(d, types)
		if err != nil {
			return nil, err
		}
		for _, other := range fields {
			if other.Name == field.Name {
				return nil, d.Errf("%s is already specified", field.Name)
			}
		}
		fields = append(fields, field)
	}
	return fields, nil
}

// parseField reads a type, and for a list the fields of its items; it stands
// at the name. Lists hold no lists.
func parseField(d *caddyfile.Dispenser, types []string) (Field, error) {
	field := Field{Name: d.Val()}
	if !d.AllArgs(&field.Type) {
		return field, d.Errf("%s wants one type, allowed are %s", field.Name, allowed(types))
	}
	if !slices.Contains(types, field.Type) {
		return field, d.Errf("%s: unknown type %q, allowed are %s", field.Name, field.Type, allowed(types))
	}
	if field.Type != string(schema.TypeList) {
		return field, nil
	}
	at := *d
	inner := slices.DeleteFunc(slices.Clone(types), func(t string) bool { return t == string(schema.TypeList) })
	var err error
	field.Fields, err = parseFields(d, inner)
	if err == nil && len(field.Fields) == 0 {
		err = at.Errf("%s: a list wants a block with the fields of its items", field.Name)
	}
	return field, err
}
