package caddymodule

import (
	"github.com/livechat-people/caddy-people-tracking/tracker/collector"
)

// RateLimit bounds the calls that are taken, by all sites together. Up to 16,384
// browsers and as many networks are remembered.
type RateLimit struct {
	// One browser, by its cookie. Default: 20 a second, bursts of 1000.
	Device Rate `json:"device,omitzero"`
	// One network, a /24 of IPv4 or a /48 of IPv6. Default: 500 a second,
	// bursts of 5000.
	Address Rate `json:"address,omitzero"`
	// All browsers and all sites together. What is more is answered with 503.
	// Default: no bound.
	Total Rate `json:"total,omitzero"`
}

// Rate is how many calls are taken, in the long run and at once.
type Rate struct {
	PerSecond float64 `json:"per_second,omitempty"`
	Burst     int     `json:"burst,omitempty"` // at least 100, the calls of a full batch
}

func (l RateLimit) collector() collector.Limits {
	return collector.Limits{Device: collector.Limit(l.Device), Address: collector.Limit(l.Address), Total: collector.Limit(l.Total)}
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
