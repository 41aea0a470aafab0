package caddymodule

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// The words of the options consent and respect.
const (
	consentRequired = "required"
	consentImplied  = "implied"

	respectGPC = "gpc"
	respectDNT = "dnt"
)

var (
	consentWords = []string{consentImplied, consentRequired}
	respectWords = []string{respectDNT, respectGPC}
)

// ConsentCookie is the site's own cookie of a visitor's decision, which is only
// read.
type ConsentCookie struct {
	// The name of the cookie.
	Name string `json:"name,omitempty"`
	// The value that means consent. Any other means that there is none.
	Value string `json:"value,omitempty"`
}

// attribute is the cookie as the script is told of it, "" for none.
func (c ConsentCookie) attribute() string {
	if c == (ConsentCookie{}) {
		return ""
	}
	return c.Name + "=" + c.Value
}

// checkRespect judges the words of respect.
func (h *Handler) checkRespect() error {
	for _, word := range h.Respect {
		if !slices.Contains(respectWords, word) {
			return fmt.Errorf("respect %s: allowed are %s", word, allowed(respectWords))
		}
	}
	return nil
}

// parseConsent reads
//
//	consent required|implied [cookie <name> <value>]
func (h *Handler) parseConsent(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 && (len(args) != 4 || args[1] != "cookie") {
		return d.Errf("consent wants required or implied, and may go on with cookie <name> <value>")
	}
	if h.Consent = args[0]; !slices.Contains(consentWords, h.Consent) {
		return d.Errf("consent %s: allowed are %s", h.Consent, allowed(consentWords))
	}
	if len(args) == 4 {
		h.ConsentCookie = ConsentCookie{Name: args[2], Value: args[3]}
	}
	return nil
}
