package caddymodule

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/collector"
	"github.com/livechat-people/caddy-people-tracking/tracker/livechat"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// RateLimit bounds the calls that are taken. Up to 16,384 browsers and as many
// networks are remembered.
type RateLimit struct {
	// One browser, by its cookie. Default: 20 a second, bursts of 1000.
	Device Rate `json:"device,omitzero"`
	// One network, a /24 of IPv4 or a /48 of IPv6. Default: 500 a second,
	// bursts of 5000.
	Address Rate `json:"address,omitzero"`
}

// Rate is how many calls are taken, in the long run and at once.
type Rate struct {
	PerSecond float64 `json:"per_second,omitempty"`
	Burst     int     `json:"burst,omitempty"` // at least 100, the calls of a full batch
}

func (l RateLimit) collector() collector.Limits {
	return collector.Limits{Device: collector.Limit(l.Device), Address: collector.Limit(l.Address)}
}

// APIKey lets pages track or programs read people.
type APIKey struct {
	// The key itself. Global placeholders such as `{env.PEOPLE_KEY}` keep it
	// out of the configuration.
	Key string `json:"key,omitempty"`
	// What the key may do: `web:tracking:sdk` track, `people:read` read people
	// and events, `people:manage` both read and change them. A key in a page
	// should have the first and no other.
	Scopes []string `json:"scopes,omitempty"`
}

// Widget is a Live Chat widget.
type Widget struct {
	// The widget's id, which its tokens name as their issuer.
	ID string `json:"id,omitempty"`
	// The secret keys that its tokens may be signed with.
	SecretKeys []SecretKey `json:"secret_keys,omitempty"`
	// Keep people of type LEAD when they authenticate, as the widget's setting
	// of the same name does. Default: they become of type CUSTOMER.
	KeepAuthenticatedAsLeads bool `json:"keep_authenticated_as_leads,omitempty"`
}

// SecretKey is one secret key of a widget.
type SecretKey struct {
	// The key's id, which tokens name in `ski`.
	ID string `json:"id,omitempty"`
	// The key in Base64, at least 32 bytes. Global placeholders such as
	// `{env.LIVECHAT_SECRET}` keep it out of the configuration.
	Secret string `json:"secret,omitempty"`
}

// Event declares a custom event.
type Event struct {
	// The id by which pages track it.
	ID string `json:"id,omitempty"`
	// The name that timelines show. Default: the id.
	Title string `json:"title,omitempty"`
	// The properties it may have.
	Properties []Field `json:"properties,omitempty"`
}

// Field is one property of an event, or of the items of a list.
type Field struct {
	Name string `json:"name,omitempty"`
	// In events string, boolean, datetime, numeric, decimal or list; in
	// attributes string, decimal, integer, boolean, date, datetime or list.
	Type string `json:"type,omitempty"`
	// The properties of an item, when the type is `list`.
	Fields []Field `json:"fields,omitempty"`
}

// Attribute declares a custom attribute of people.
type Attribute Field

// autoKey is the key of pages while no key that may track is configured (B28).
const autoKey = "auto"

// newKeys resolves the placeholders of the keys. Errors name a key by its
// place, never by its value (B28).
func (a *App) newKeys(repl *caddy.Replacer) (*tracker.Keys, error) {
	keys := make([]tracker.Key, 0, len(a.APIKeys))
	for i, key := range a.APIKeys {
		value := repl.ReplaceKnown(key.Key, "")
		if value == autoKey {
			return nil, fmt.Errorf("api key %d: %q is the key of pages when none is configured, choose another", i+1, autoKey)
		}
		if len(key.Scopes) == 0 {
			return nil, fmt.Errorf("api key %d: no scope, allowed are %s", i+1, allowed(scopes))
		}
		for _, scope := range key.Scopes {
			if !slices.Contains(scopes, scope) { // whatever it is: it may be the key in the wrong place
				return nil, fmt.Errorf("api key %d: unknown scope, allowed are %s", i+1, allowed(scopes))
			}
		}
		keys = append(keys, tracker.Key{Value: value, Scopes: key.Scopes})
	}
	return tracker.NewKeys(keys...)
}

// pageKey is the key that pages of a handler carry: the one it names, else the
// first whose only scope is tracking, else auto. A key that may do more is for
// the operator to choose.
func (a *App) pageKey(named string) (tracker.Key, error) {
	repl := caddy.NewReplacer()
	if named != "" {
		key, found := a.keys.Find(repl.ReplaceKnown(named, ""))
		if !found {
			return tracker.Key{}, errors.New("api_key is none of those that the people_tracking app has")
		}
		if !key.Has(tracker.ScopeTracking) {
			return tracker.Key{}, fmt.Errorf("api_key lacks the scope %s", tracker.ScopeTracking)
		}
		return key, nil
	}
	more := false
	for _, configured := range a.APIKeys {
		key, _ := a.keys.Find(repl.ReplaceKnown(configured.Key, ""))
		if key.Only(tracker.ScopeTracking) {
			return key, nil
		}
		more = more || key.Has(tracker.ScopeTracking)
	}
	if more {
		return tracker.Key{}, fmt.Errorf("every key that may track may do more, and a key in a page is public: "+
			"configure one with the scope %s alone, or name the key with api_key", tracker.ScopeTracking)
	}
	return tracker.Key{Value: autoKey, Scopes: []string{tracker.ScopeTracking}}, nil
}

// callKeys are the keys that calls are checked against. While none may track
// there are none for the collector, which then takes the key auto.
func (a *App) callKeys() *tracker.Keys {
	for _, key := range a.APIKeys {
		if slices.Contains(key.Scopes, tracker.ScopeTracking) {
			return a.keys
		}
	}
	return nil
}

func (a *App) newVerifier(repl *caddy.Replacer) (*livechat.Verifier, error) {
	widgets := make([]livechat.Widget, 0, len(a.Widgets))
	for _, w := range a.Widgets {
		widget := livechat.Widget{ID: w.ID, KeepAuthenticatedAsLeads: w.KeepAuthenticatedAsLeads}
		for _, secret := range w.SecretKeys {
			key, err := base64.StdEncoding.DecodeString(repl.ReplaceKnown(secret.Secret, ""))
			if err != nil {
				return nil, fmt.Errorf("widget %s: secret key %s is not Base64", w.ID, secret.ID)
			}
			widget.Secrets = append(widget.Secrets, livechat.Secret{ID: secret.ID, Key: key})
		}
		widgets = append(widgets, widget)
	}
	return livechat.NewVerifier(widgets, livechat.Options{})
}

func (a *App) newSchema() (*schema.Schema, error) {
	events := make([]schema.Definition, 0, len(a.Events))
	for _, event := range a.Events {
		title := event.Title
		if title == "" {
			title = event.ID
		}
		events = append(events, schema.Definition{ID: event.ID, Title: title, Fields: schemaFields(event.Properties)})
	}
	attributes := make([]schema.Attribute, 0, len(a.Attributes))
	for _, attribute := range a.Attributes {
		attributes = append(attributes, schema.Attribute{
			Name: attribute.Name, Type: schema.Type(attribute.Type), Fields: schemaFields(attribute.Fields),
		})
	}
	return schema.New(events, attributes, schema.Options{Strict: !a.LenientEvents})
}

func schemaFields(fields []Field) []schema.Field {
	if len(fields) == 0 {
		return nil
	}
	result := make([]schema.Field, 0, len(fields))
	for _, field := range fields {
		result = append(result, schema.Field{Name: field.Name, Type: schema.Type(field.Type), Fields: schemaFields(field.Fields)})
	}
	return result
}
