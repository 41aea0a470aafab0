package caddymodule

import (
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// scopes are all that an API key may have.
var scopes = []string{tracker.ScopeTracking, tracker.ScopeRead, tracker.ScopeManage}

// options parse the words of a block, each with the function that reads its
// arguments. The function stands at the word itself.
type options map[string]func(d *caddyfile.Dispenser) error

// repeatable are the options that may be given several times; each looks for
// duplicates of its own.
var repeatable = []string{"account", "api_key", "widget", "event", "attribute", "secret_key", "on"}

// and adds the words of another block.
func (o options) and(more options) options {
	maps.Copy(o, more)
	return o
}

// parseBlock reads the block that follows, if any. An unknown word is an error
// that lists those there are, and so is an option given twice.
func (o options) parseBlock(d *caddyfile.Dispenser) error {
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if word == "{" { // behind a line that takes no block
			return d.Errf("a block is not possible here")
		}
		parse, known := o[word]
		if !known {
			return d.Errf("unrecognized option %q, allowed are %s", word, allowed(o.words()))
		}
		if given[word] && !slices.Contains(repeatable, word) {
			return d.Errf("%s is already specified", word)
		}
		given[word] = true
		if err := parse(d); err != nil {
			return err
		}
	}
	return nil
}

func (o options) words() []string {
	words := make([]string, 0, len(o))
	for word := range o {
		words = append(words, word)
	}
	slices.Sort(words)
	return words
}

// allowed lists words for an error.
func allowed(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// noArgs checks that nothing follows the word.
func noArgs(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// flag reads an option that is switched on by being there.
func flag(into *bool) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		*into = true
		return noArgs(d)
	}
}

// oneOf reads one word out of a few.
func oneOf(into *string, words ...string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		option := d.Val()
		if !d.AllArgs(into) {
			return d.ArgErr()
		}
		if !slices.Contains(words, *into) {
			return d.Errf("%s %s: allowed are %s", option, *into, allowed(words))
		}
		return nil
	}
}

// onOff reads on or off; into is set when the word is the one named by when.
func onOff(into *bool, when string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var word string
		err := oneOf(&word, "on", "off")(d)
		*into = word == when
		return err
	}
}

// text reads exactly one argument.
func text(into *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if !d.AllArgs(into) {
			return d.ArgErr()
		}
		return nil
	}
}

// list reads one argument or more, each once.
func list(into *[]string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		option := d.Val()
		*into = d.RemainingArgs()
		if len(*into) == 0 {
			return d.ArgErr()
		}
		if word, twice := duplicate(*into); twice {
			return d.Errf("%s: %s is given twice", option, word)
		}
		return nil
	}
}

func duplicate(words []string) (string, bool) {
	for i, word := range words {
		if slices.Contains(words[:i], word) {
			return word, true
		}
	}
	return "", false
}

// judged reads an option and has check find what is wrong with it, so that the
// error tells its line.
func judged(parse func(*caddyfile.Dispenser) error, check func() error) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if err := parse(d); err != nil {
			return err
		}
		if err := check(); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
}

// lifetime reads a duration of a second or more; days are written 45d.
func lifetime(into *caddy.Duration) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		option := d.Val()
		var value string
		if !d.AllArgs(&value) {
			return d.ArgErr()
		}
		duration, err := caddy.ParseDuration(value)
		if err != nil {
			return d.Errf("%s: %q is no duration such as 30m, 24h or 45d", option, value)
		}
		if duration < minLifetime {
			return d.Errf("%s: %s is under %s", option, value, minLifetime)
		}
		*into = caddy.Duration(duration)
		return nil
	}
}
