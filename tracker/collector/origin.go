package collector

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// caller says where the page stands that made the request.
type caller int

const (
	foreign    caller = iota // not allowed, or not a page at all
	sameOrigin               // the site itself
	listed                   // one of Config.Origins
)

// fetchSite is the header in which browsers say how the page's site relates to
// ours. A page cannot set it.
const fetchSite = "Sec-Fetch-Site"

// judgeOrigin applies B37. Browsers send Origin with every POST; a request
// without it passes only when the fetch metadata vouch for it. Where both are
// present they have to agree.
func (h *Handler) judgeOrigin(r *http.Request, site Site) caller {
	site.Scheme = strings.ToLower(site.Scheme)
	metadata := r.Header.Get(fetchSite)
	switch values := r.Header.Values("Origin"); {
	case len(values) == 0:
		if metadata == "same-origin" {
			return sameOrigin
		}
	case len(values) > 1:
	case isOwnOrigin(values[0], site):
		if metadata == "" || metadata == "same-origin" {
			return sameOrigin
		}
	case h.origins[values[0]]:
		// An operator whose front proxy hides the public name lists the site's
		// own origin; the browser knows better what it is.
		if metadata == "same-origin" {
			return sameOrigin
		}
		return listed
	}
	return foreign
}

// isOwnOrigin compares an Origin header with the site. Browsers leave a
// default port out of both Origin and Host; other clients may write it.
func isOwnOrigin(origin string, site Site) bool {
	host, ok := strings.CutPrefix(origin, site.Scheme)
	if !ok {
		return false
	}
	host, ok = strings.CutPrefix(host, "://")
	if !ok || host == "" {
		return false
	}
	port := defaultPort(site.Scheme)
	return strings.EqualFold(strings.TrimSuffix(host, port), strings.TrimSuffix(site.Host, port))
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return ":443"
	}
	return ":80"
}

// parseOrigin checks a configured origin and returns it as browsers write it.
func parseOrigin(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return "", fmt.Errorf("origin %q: not scheme://host[:port]", raw)
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" {
		return "", fmt.Errorf("origin %q: the scheme is neither http nor https", raw)
	}
	if u.User != nil || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("origin %q: more than scheme://host[:port]", raw)
	}
	for _, c := range []byte(u.Host) {
		if c >= 0x80 || c == '*' {
			return "", fmt.Errorf("origin %q: give every host by its ASCII name, international ones as xn--…", raw)
		}
	}
	return scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Host), defaultPort(scheme)), nil
}

// allowOrigin tells the browser that a page of a listed origin may read the
// answer, refusals included: unread, a 413 could not halve a batch. Nobody
// else gets such a header.
func (h *Handler) allowOrigin(header http.Header, r *http.Request, from caller) {
	if len(h.origins) == 0 {
		return
	}
	header.Set("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if from == foreign || !h.origins[origin] {
		return
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Credentials", "true")
	header.Set("Access-Control-Expose-Headers", "Retry-After")
}

// isPreflight recognises the question a browser asks before it posts JSON from
// a listed origin.
func isPreflight(r *http.Request, from caller) bool {
	return r.Method == http.MethodOptions && from == listed && r.Header.Get("Access-Control-Request-Method") != ""
}

func answerPreflight(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", http.MethodPost)
	header.Set("Access-Control-Allow-Headers", "Content-Type")
	header.Set("Access-Control-Max-Age", "600") // Safari's and Chromium's maxima are 10 min and 2 h
	w.WriteHeader(http.StatusNoContent)
}
