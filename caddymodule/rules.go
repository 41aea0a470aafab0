package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/livechat-people/caddy-people-tracking/sdk"
	"github.com/livechat-people/caddy-people-tracking/sdk/instrument"
	"github.com/livechat-people/caddy-people-tracking/tracker/collector"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// bundle is the script of the handler's site: with its rules, where it has some.
func (h *Handler) bundle(definitions *schema.Schema) (*sdk.Bundle, error) {
	if len(h.On) == 0 {
		return sdk.Plain(), nil
	}
	rules, err := instrument.Compile(h.On, definitions, h.ruleOptions())
	if err != nil {
		return nil, fmt.Errorf("on: %w", err)
	}
	return sdk.WithRules(rules), nil
}

func (h *Handler) ruleOptions() instrument.Options {
	return instrument.Options{
		Debug:  h.Debug,
		Secret: func(name string) bool { return collector.SecretParameter(name, h.RedactQuery) },
	}
}

// ruleLines is where a rule and its properties stand in the Caddyfile.
type ruleLines struct {
	rule       caddyfile.Dispenser
	properties []caddyfile.Dispenser
}

// parseRule reads one rule:
//
//	on click|submit|visible "<selector>" track <event> | update_person | append_to_list <attribute> {
//		<property> <value>
//	}
//	on scroll <percent> …
func (h *Handler) parseRule(d *caddyfile.Dispenser) error {
	lines := ruleLines{rule: *d}
	args := d.RemainingArgs()
	if len(args) < 3 || len(args) > 4 {
		return d.Errf(`on wants an event, a selector in quotation marks (scroll: a percentage), and what to do: on click ".buy" track <event>`)
	}
	rule := instrument.Rule{On: args[0], Call: args[2]}
	if rule.On == instrument.OnScroll {
		var err error
		if rule.Depth, err = strconv.Atoi(args[1]); err != nil {
			return d.Errf("on scroll: %q is no percentage", args[1])
		}
	} else {
		rule.Selector = args[1]
	}
	if len(args) == 4 {
		rule.Name = args[3]
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		property := instrument.Property{Name: d.Val()}
		if !d.AllArgs(&property.Value) {
			return d.Errf("%s wants one value, a text with spaces in quotation marks", property.Name)
		}
		lines.properties = append(lines.properties, *d)
		rule.Properties = append(rule.Properties, property)
	}
	h.On = append(h.On, rule)
	h.lines = append(h.lines, lines)
	return nil
}

// checkRules judges the rules against the definitions of the global option, so
// that a mistake is told with its line.
func (h *Handler) checkRules(app *App) error {
	config := app.configured()[cmp.Or(h.Account, defaultAccount)]
	if len(h.On) == 0 || config == nil {
		return nil
	}
	definitions, err := config.newSchema(app.LenientEvents)
	if err != nil {
		return err
	}
	for i, rule := range h.On {
		err := instrument.Check(rule, definitions, h.ruleOptions())
		if fault, ok := errors.AsType[*instrument.Fault](err); ok {
			at := h.lines[i].rule
			if fault.Property >= 0 {
				at = h.lines[i].properties[fault.Property]
			}
			return at.WrapErr(fmt.Errorf("on %s: %w", rule.On, fault))
		}
	}
	return nil
}
