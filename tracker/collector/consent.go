package collector

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// Consent says what has to be known of a visitor's consent before anything is
// stored (B30). The zero value takes it for given until it is withdrawn.
type Consent struct {
	Required bool
	// Cookie is the site's own cookie of the visitor's decision, which is only
	// read; Value means consent, and any other value that there is none. ""
	// is no such cookie.
	Cookie, Value string
}

// check judges the cookie.
func (c Consent) check() error {
	own := []string{deviceCookie.plain, deviceCookie.secure, chatCookie.plain, chatCookie.secure}
	switch {
	case c.Cookie == "" && c.Value == "":
		return nil
	case c.Value == "" || (&http.Cookie{Name: c.Cookie, Value: c.Value}).Valid() != nil:
		return fmt.Errorf("consent cookie %q: not a cookie's name with a value", c.Cookie)
	case slices.Contains(own, c.Cookie):
		return fmt.Errorf("consent cookie %q: this is our own, name the site's", c.Cookie)
	}
	return nil
}

// of is what the headers of a request say. Of its cookies only the one of the
// decision itself is looked at.
func (c Consent) of(r *http.Request) tracker.Consent {
	if c.Cookie != "" {
		switch values := cookieValues(r, c.Cookie, maxSiteCookieBytes); {
		case slices.Contains(values, c.Value):
			return tracker.ConsentAssumed
		case len(values) > 0:
			return tracker.ConsentRefused
		}
	}
	if c.Required {
		return tracker.ConsentUnknown
	}
	return tracker.ConsentAssumed
}

// optedOut says whether the browser itself objects, by a header that the
// operator wants to be respected (B31).
func (h *Handler) optedOut(r *http.Request) bool {
	return h.gpc && r.Header.Get("Sec-GPC") == "1" || h.dnt && r.Header.Get("DNT") == "1"
}

// consent is what is known before any cookie of ours or of the site's session
// was read.
func (h *Handler) consentOf(r *http.Request) tracker.Consent {
	if h.optedOut(r) {
		return tracker.ConsentRefused
	}
	return h.consent.of(r)
}

// cookiesUnder are the cookies that may be read of a request whose consent does
// not follow from its headers: those of ours, which only a browser has that
// consented once or is about to withdraw, and the site's where a call may tell
// of consent. Nothing comes of them before the tracker has found it.
func (h *Handler) cookiesUnder(consent tracker.Consent, r *http.Request, site Site, wire *wireRequest) cookies {
	decides := slices.ContainsFunc(wire.Calls, func(c wireCall) bool { return c.Method == tracker.MethodConsent })
	switch {
	case consent == tracker.ConsentRefused && !decides:
		return cookies{}
	case consent == tracker.ConsentRefused:
		own := h.readCookies(r, site)
		own.site = nil
		return own
	case decides || len(cookieValues(r, deviceCookie.on(site), maxCookieBytes)) > 0:
		return h.readCookies(r, site)
	}
	return cookies{}
}

// unkept says that nothing of a request was recorded.
func unkept(res *tracker.Response) bool {
	return !slices.ContainsFunc(res.Results, func(result tracker.Result) bool { return !notRecorded(&result) })
}

func notRecorded(result *tracker.Result) bool {
	return result.Err == nil && slices.ContainsFunc(result.Warnings, func(w tracker.Warning) bool { return w.Code == tracker.NotRecorded })
}
