package caddymodule

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/collector"
	"github.com/livechat-people/caddy-people-tracking/tracker/livechat"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// AccountConfig is what belongs to one account.
type AccountConfig struct {
	// The keys of the account. Without one that may track, pages are tracked
	// under the key `auto`, which is good for the site's own pages only.
	APIKeys []APIKey `json:"api_keys,omitempty"`
	// The Live Chat widgets whose tokens authenticate people.
	Widgets []Widget `json:"widgets,omitempty"`
	// The custom events that may be tracked.
	Events []Event `json:"events,omitempty"`
	// The custom attributes that a person may have.
	Attributes []Attribute `json:"attributes,omitempty"`
}

// Account is a further account: people, keys, widgets and definitions apart
// from all others, in the same store.
type Account struct {
	// By this name handlers choose the account, and the store knows it for ever:
	// 1 to 64 letters, digits and . _ - but not `default`.
	Name string `json:"name,omitempty"`
	AccountConfig
}

// defaultAccount is the account of what the app has outside of Accounts.
const defaultAccount = tracker.DefaultAccountName

var accountName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func checkAccountName(name string) error {
	switch {
	case name == defaultAccount:
		return fmt.Errorf("the account %s is what stands outside of account blocks", name)
	case !accountName.MatchString(name):
		return errors.New("the name of an account has 1 to 64 of the letters, digits and . _ -")
	}
	return nil
}

// configured are the accounts by name, the default one among them. Names are
// unique once they were judged.
func (a *App) configured() map[string]*AccountConfig {
	all := map[string]*AccountConfig{defaultAccount: &a.AccountConfig}
	for _, account := range a.Accounts {
		all[account.Name] = &account.AccountConfig
	}
	return all
}

// account is an account of a configuration that was found right.
type account struct {
	name        string
	config      *AccountConfig
	listed      []tracker.Key // in the order of the configuration
	keys        *tracker.Keys // the same, to look them up
	tokens      *livechat.Verifier
	definitions *schema.Schema
}

// judgeAccounts resolves placeholders and finds what is wrong with an account,
// or with two of them: what one has is honoured in no other, so no key and no
// widget may belong to two.
func (a *App) judgeAccounts(repl *caddy.Replacer) (map[string]*account, error) {
	named := map[string]bool{}
	for _, account := range a.Accounts {
		if err := checkAccountName(account.Name); err != nil {
			return nil, err
		}
		if named[account.Name] {
			return nil, fmt.Errorf("account %s is configured twice", account.Name)
		}
		named[account.Name] = true
	}
	configured := a.configured()
	judged := make(map[string]*account, len(configured))
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		one, err := a.judgeAccount(name, configured[name], repl)
		if err == nil {
			err = one.apartFrom(judged)
		}
		if err != nil {
			if name != defaultAccount {
				err = fmt.Errorf("account %s: %w", name, err)
			}
			return nil, err
		}
		judged[name] = one
	}
	return judged, nil
}

func (a *App) judgeAccount(name string, config *AccountConfig, repl *caddy.Replacer) (*account, error) {
	one := &account{name: name, config: config}
	err := checkTokenLifetime(a.TokenLifetime)
	if err != nil {
		return nil, err
	}
	if one.listed, err = config.resolveKeys(repl); err != nil {
		return nil, err
	}
	if one.keys, err = tracker.NewKeys(one.listed...); err != nil {
		return nil, err
	}
	if one.tokens, err = config.newVerifier(repl, time.Duration(a.TokenLifetime)); err != nil {
		return nil, err
	}
	one.definitions, err = config.newSchema(a.LenientEvents)
	return one, err
}

// apartFrom compares resolved values: two placeholders may stand for one key.
func (a *account) apartFrom(others map[string]*account) error {
	for _, other := range others {
		for i, key := range a.listed {
			if _, shared := other.keys.Find(key.Value); shared {
				return fmt.Errorf("api key %d belongs to the account %s already", i+1, other.name)
			}
		}
		for _, widget := range a.config.Widgets {
			if _, shared := other.tokens.Widget(widget.ID); shared {
				return fmt.Errorf("widget %s belongs to the account %s already", widget.ID, other.name)
			}
		}
	}
	return nil
}

// account finds the account that a handler names, "" being the default one.
func (a *App) account(name string) (*account, error) {
	name = cmp.Or(name, defaultAccount)
	if found, ok := a.accounts[name]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("account %q is not configured, there are %s", name, allowed(slices.Sorted(maps.Keys(a.accounts))))
}

// number is what the account has in the store, which is asked once it is open.
func (a *App) number(one *account) func(context.Context) (tracker.Account, error) {
	return func(ctx context.Context) (tracker.Account, error) { return a.service.Account(ctx, one.name) }
}

const autoKey = collector.AutoKey

// resolveKeys resolves the placeholders of the keys. Errors name a key by its
// place, never by its value (B28).
func (c *AccountConfig) resolveKeys(repl *caddy.Replacer) ([]tracker.Key, error) {
	keys := make([]tracker.Key, 0, len(c.APIKeys))
	for i, key := range c.APIKeys {
		value, err := resolved(repl, key.Key)
		if err == nil {
			err = checkKey(value)
		}
		if err != nil {
			return nil, fmt.Errorf("api key %d: %w", i+1, err)
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
	return keys, nil
}

// safeKey is the length from which a random key cannot be guessed.
const safeKey = 16

// warnOfShortKeys is about those that programs use: pages show theirs anyway.
func (a *App) warnOfShortKeys() {
	for _, name := range slices.Sorted(maps.Keys(a.accounts)) {
		for i, key := range a.accounts[name].listed {
			if len(key.Value) < safeKey && !key.Only(tracker.ScopeTracking) {
				a.log.Warn("an API key that opens people to programs is short enough to be guessed",
					slog.String("account", name), slog.Int("key", i+1), slog.Int("characters", len(key.Value)), slog.Int("wanted", safeKey))
			}
		}
	}
}

// checkKey refuses what is no key but a word that everybody knows. A scope
// stands in its place where {$PEOPLE_KEY} is not set, which leaves nothing.
func checkKey(value string) error {
	switch {
	case value == autoKey:
		return fmt.Errorf("%q is the key of pages when none is configured, choose another", autoKey)
	case slices.Contains(scopes, value):
		return fmt.Errorf("the scope %s stands in place of a key%s", value, unsetHint)
	}
	return nil
}

// unsetHint goes with errors of what is missing: in a Caddyfile, an environment
// variable without a value leaves nothing behind.
const unsetHint = "; is an environment variable not set?"

// errPlaceholder is met by what would else be a value that anybody can read off
// a misspelled configuration.
var errPlaceholder = errors.New("a placeholder is empty or not known; {env.NAME} is the environment variable NAME")

// resolved replaces the placeholders of a text, all of which have to say
// something. The error quotes none of it.
func resolved(repl *caddy.Replacer, text string) (string, error) {
	value, err := repl.ReplaceOrErr(text, true, true)
	if err != nil {
		return "", errPlaceholder
	}
	return value, nil
}

// pageKey is the key that pages of a handler carry: the one it names, else the
// first whose only scope is tracking, else auto. A key that may do more is for
// the operator to choose.
func (a *account) pageKey(named string) (tracker.Key, error) {
	if named != "" {
		key, found := a.keys.Find(caddy.NewReplacer().ReplaceKnown(named, ""))
		if !found {
			return tracker.Key{}, fmt.Errorf("api_key is none of those that the account %s has", a.name)
		}
		if !key.Has(tracker.ScopeTracking) {
			return tracker.Key{}, fmt.Errorf("api_key lacks the scope %s", tracker.ScopeTracking)
		}
		return key, nil
	}
	more := false
	for _, key := range a.listed {
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
func (a *account) callKeys() *tracker.Keys {
	if slices.ContainsFunc(a.listed, func(key tracker.Key) bool { return key.Has(tracker.ScopeTracking) }) {
		return a.keys
	}
	return nil
}

func (c *AccountConfig) newVerifier(repl *caddy.Replacer, longest time.Duration) (*livechat.Verifier, error) {
	widgets := make([]livechat.Widget, 0, len(c.Widgets))
	for _, w := range c.Widgets {
		widget := livechat.Widget{ID: w.ID, KeepAuthenticatedAsLeads: w.KeepAuthenticatedAsLeads}
		for i, secret := range w.SecretKeys {
			value, err := resolved(repl, secret.Secret)
			if err != nil {
				return nil, fmt.Errorf("widget %s: secret key %d: %w", w.ID, i+1, err)
			}
			key, err := base64.StdEncoding.DecodeString(value)
			if err != nil { // it quotes the key
				return nil, fmt.Errorf("widget %s: secret key %d is not Base64", w.ID, i+1)
			}
			widget.Secrets = append(widget.Secrets, livechat.Secret{ID: secret.ID, Key: key})
		}
		widgets = append(widgets, widget)
	}
	return livechat.NewVerifier(widgets, livechat.Options{MaxLifetime: longest})
}

func (c *AccountConfig) newSchema(lenient bool) (*schema.Schema, error) {
	events := make([]schema.Definition, 0, len(c.Events))
	for _, event := range c.Events {
		events = append(events, schema.Definition{ID: event.ID, Title: cmp.Or(event.Title, event.ID), Fields: schemaFields(event.Properties)})
	}
	attributes := make([]schema.Attribute, 0, len(c.Attributes))
	for _, attribute := range c.Attributes {
		attributes = append(attributes, schema.Attribute{
			Name: attribute.Name, Type: schema.Type(attribute.Type), Fields: schemaFields(attribute.Fields),
		})
	}
	return schema.New(events, attributes, schema.Options{Strict: !lenient})
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
