package instrument

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf16"

	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// Options of Compile. The zero value is the default.
type Options struct {
	// Secret tells whether a query parameter of this name is never stored. A
	// rule that reads it is refused. Nil: none is secret.
	Secret func(name string) bool
	// Debug makes the script say in the browser's console, once for each, which
	// property was left out.
	Debug bool
}

// Compile judges rules against the definitions and returns them in the form
// that the script takes, JSON in ASCII. The error names the rule at fault by
// its number and wraps a [Fault].
func Compile(rules []Rule, defs *schema.Schema, o Options) ([]byte, error) {
	if len(rules) > maxRules {
		return nil, fmt.Errorf("%d rules, at most %d are possible", len(rules), maxRules)
	}
	compiled := make([]any, 0, len(rules))
	for i, rule := range rules {
		params, err := compileRule(rule, defs, o)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		compiled = append(compiled, params)
	}
	return ascii(compiled)
}

// Check judges one rule. The error is a [Fault].
func Check(rule Rule, defs *schema.Schema, o Options) error {
	_, err := compileRule(rule, defs, o)
	return err
}

// compileRule makes [on, selector, method, params, depth], see rules.ts.
func compileRule(rule Rule, defs *schema.Schema, o Options) ([]any, error) {
	if fault := rule.check(); fault != nil {
		return nil, fault
	}
	c := compiler{rule: rule, defs: defs, options: o}
	target := targets[rule.Call]
	if err := target.known(defs, rule.Name); err != nil {
		return nil, faultf("%w", err)
	}
	for i, p := range rule.Properties {
		if err := c.property(target, p); err != nil {
			return nil, &Fault{Property: i, Reason: fmt.Errorf("%s: %w", p.Name, err)}
		}
	}
	if len(rule.Properties) == 0 && rule.Call != CallTrack {
		return nil, faultf("%s wants at least one property", rule.Call)
	}
	out := []any{rule.On, rule.Selector, target.method, target.params(rule.Name, &c.values)}
	switch rule.On {
	case OnVisible:
		out = append(out, 0)
	case OnScroll:
		// The whole page counts as seen a little before its end: browsers report
		// fractions of pixels.
		out[1] = "html"
		out = append(out, min(float64(rule.Depth)/100, 0.99))
	}
	return out, nil
}

// compiler collects the values of a rule.
type compiler struct {
	rule    Rule
	defs    *schema.Schema
	options Options
	values  object
	tags    []string // literals, which may be several
}

func (c *compiler) property(t target, p Property) error {
	field, err := t.field(c.defs, c.rule.Name, p.Name)
	if err != nil {
		return err
	}
	literal, from, err := parseValue(p.Value)
	if err != nil {
		return err
	}
	values := &c.values
	for _, group := range field.path[:len(field.path)-1] {
		values = values.group(group)
	}
	name := field.path[len(field.path)-1]
	if field.kind == kindTag && from == nil && c.tags != nil {
		c.tags = append(c.tags, literal)
		values.replace(name, c.tags)
		return nil
	}
	if values.has(name) {
		return errors.New("given twice")
	}
	if from == nil {
		return c.literal(t, field, p.Name, values, literal)
	}
	if from.place == placeQuery && c.options.Secret != nil && c.options.Secret(from.names[0].(string)) {
		return fmt.Errorf("the query parameter %s is one of those that are never stored", from.names[0])
	}
	note := ""
	if c.options.Debug {
		note = fmt.Sprintf("people_tracking: %s: %s is left out", c.rule, p.Name)
	}
	values.add(name, append([]any{field.kind, note, from.place}, from.names...))
	return nil
}

// literal converts a literal to the type of its field and has it judged as a
// call with nothing else in it would be.
func (c *compiler) literal(t target, f field, property string, values *object, text string) error {
	value, err := f.literal(text)
	if err != nil {
		return err
	}
	alone := object{}
	inner := &alone
	for _, group := range f.path[:len(f.path)-1] {
		inner = inner.group(group)
	}
	name := f.path[len(f.path)-1]
	inner.add(name, value)
	call, err := json.Marshal(&alone)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", property, err)
	}
	if err := t.judge(c.defs, c.rule.Name, call); err != nil {
		return err
	}
	if f.kind == kindTag {
		c.tags = []string{text}
	}
	values.add(name, value)
	return nil
}

// object is a JSON object whose members keep their order.
type object struct {
	names  []string
	values []any
}

func (o *object) has(name string) bool { return o.index(name) >= 0 }

func (o *object) index(name string) int {
	for i, n := range o.names {
		if n == name {
			return i
		}
	}
	return -1
}

func (o *object) add(name string, value any) {
	o.names = append(o.names, name)
	o.values = append(o.values, value)
}

func (o *object) replace(name string, value any) { o.values[o.index(name)] = value }

// group returns the object under a name, made in front of what there is: the
// script takes a call for empty that ends with an empty group.
func (o *object) group(name string) *object {
	if i := o.index(name); i >= 0 {
		return o.values[i].(*object)
	}
	made := &object{}
	o.names = append([]string{name}, o.names...)
	o.values = append([]any{made}, o.values...)
	return made
}

// MarshalJSON writes the members in their order.
func (o *object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range o.names {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(o.values[i])
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// ascii writes JSON that reads the same in every encoding of a page, and in
// JavaScript.
func ascii(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encoding rules: %w", err)
	}
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r < 0x7f {
			out = append(out, byte(r))
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out, nil
}
