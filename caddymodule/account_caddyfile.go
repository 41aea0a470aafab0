package caddymodule

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/livechat-people/caddy-people-tracking/tracker/livechat"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

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

// options are what may stand in an account's block, and for the default account
// in that of the app.
func (c *AccountConfig) options(app *App, name string) options {
	return options{
		"api_key":   func(d *caddyfile.Dispenser) error { return c.parseKey(d, app, name) },
		"widget":    func(d *caddyfile.Dispenser) error { return c.parseWidget(d, app, name) },
		"event":     c.parseEvent,
		"attribute": c.parseAttribute,
	}
}

func (a *App) parseAccount(d *caddyfile.Dispenser) error {
	account := new(Account)
	if !d.AllArgs(&account.Name) {
		return d.Errf("account wants a name")
	}
	if err := checkAccountName(account.Name); err != nil {
		return d.WrapErr(err)
	}
	for _, other := range a.Accounts {
		if other.Name == account.Name {
			return d.Errf("account %s is already specified", account.Name)
		}
	}
	a.Accounts = append(a.Accounts, account)
	return account.options(a, account.Name).parseBlock(d)
}

// globalOption is what the global option says, which is read before any site.
func globalOption(h httpcaddyfile.Helper) *App {
	app := new(App)
	if global, ok := h.Option(directive).(httpcaddyfile.App); ok {
		_ = json.Unmarshal(global.Value, app) // we wrote it
	}
	return app
}

// accountsOf are the names of the accounts in the global option.
func accountsOf(app *App) []string {
	names := []string{defaultAccount}
	for _, account := range app.Accounts {
		names = append(names, account.Name)
	}
	return names
}

// oneAccount reads the name of an account, one of those that are known.
func oneAccount(into *string, accounts []string) func(*caddyfile.Dispenser) error {
	if accounts == nil {
		return text(into)
	}
	return oneOf(into, accounts...)
}

// parseKey shows no key in its errors: they end up in logs (B28).
func (c *AccountConfig) parseKey(d *caddyfile.Dispenser, app *App, name string) error {
	args := d.RemainingArgs()
	if len(args) < 2 {
		return d.Errf("api_key wants a key and at least one scope, allowed are %s%s", allowed(scopes), unsetHint)
	}
	key := APIKey{Key: args[0], Scopes: args[1:]}
	if err := checkKey(key.Key); err != nil {
		return d.Errf("api_key: %w", err)
	}
	for i, scope := range key.Scopes {
		if !slices.Contains(scopes, scope) {
			return d.Errf("api_key: argument %d is no scope, allowed are %s", i+2, allowed(scopes))
		}
	}
	if scope, twice := duplicate(key.Scopes); twice {
		return d.Errf("api_key: scope %s is given twice", scope)
	}
	for owner, other := range app.configured() {
		if slices.ContainsFunc(other.APIKeys, func(k APIKey) bool { return k.Key == key.Key }) {
			return d.Errf("api_key: the same key is already specified%s", elsewhere(owner, name))
		}
	}
	c.APIKeys = append(c.APIKeys, key)
	return nil
}

func (c *AccountConfig) parseWidget(d *caddyfile.Dispenser, app *App, name string) error {
	var widget Widget
	if !d.AllArgs(&widget.ID) {
		return d.Errf("widget wants its id%s", unsetHint)
	}
	for owner, other := range app.configured() {
		if slices.ContainsFunc(other.Widgets, func(w Widget) bool { return w.ID == widget.ID }) {
			return d.Errf("widget %s is already specified%s", widget.ID, elsewhere(owner, name))
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
	c.Widgets = append(c.Widgets, widget)
	return nil
}

// elsewhere names the account that has something already, where it is another.
func elsewhere(owner, account string) string {
	if owner == account {
		return ""
	}
	return " in the account " + owner
}

// parseSecretKey shows neither argument in its errors: somebody may have mixed
// them up.
func (w *Widget) parseSecretKey(d *caddyfile.Dispenser) error {
	var key SecretKey
	if !d.AllArgs(&key.ID, &key.Secret) {
		return d.Errf("secret_key wants the id of the key and the key in Base64%s", unsetHint)
	}
	for _, other := range w.SecretKeys {
		if other.ID == key.ID {
			return d.Errf("secret_key: the id is already specified")
		}
	}
	if !strings.Contains(key.Secret, "{") { // else it is judged when the placeholder is resolved
		switch secret, err := base64.StdEncoding.DecodeString(key.Secret); {
		case err != nil:
			return d.Errf("secret_key: the second argument is not Base64")
		case len(secret) < livechat.MinKeyBytes:
			return d.Errf("secret_key: the second argument has %d bytes after decoding from Base64, at least %d are needed", len(secret), livechat.MinKeyBytes)
		}
	}
	w.SecretKeys = append(w.SecretKeys, key)
	return nil
}

func (c *AccountConfig) parseEvent(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return d.Errf("event wants an id and, if it differs, a title")
	}
	event := Event{ID: args[0]}
	if len(args) == 2 {
		event.Title = args[1]
	}
	for _, other := range c.Events {
		if other.ID == event.ID {
			return d.Errf("event %s is already specified", event.ID)
		}
	}
	at := *d
	var err error
	if event.Properties, err = parseFields(d, eventTypes); err != nil {
		return err
	}
	if _, err := (&AccountConfig{Events: []Event{event}}).newSchema(false); err != nil {
		return at.WrapErr(err)
	}
	c.Events = append(c.Events, event)
	return nil
}

func (c *AccountConfig) parseAttribute(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("attribute wants a name and a type, allowed are %s", allowed(attributeTypes))
	}
	at := *d
	field, err := parseField(d, attributeTypes)
	if err != nil {
		return err
	}
	for _, other := range c.Attributes {
		// The platform compares names of attributes in any case.
		if strings.EqualFold(other.Name, field.Name) {
			return d.Errf("attribute %s is already specified", field.Name)
		}
	}
	if _, err := (&AccountConfig{Attributes: []Attribute{Attribute(field)}}).newSchema(false); err != nil {
		return at.WrapErr(err)
	}
	c.Attributes = append(c.Attributes, Attribute(field))
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
