package collector

import (
	"strings"
	"unicode/utf8"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// What is kept of a page, in bytes. A hundred page views with such addresses
// stay well below what one transaction of the store takes (1 MiB). A longer
// text is cut instead of refused, since a long title is no reason to lose
// the page's calls.
const (
	maxURLBytes      = 2048
	maxTitleBytes    = 512
	maxLanguageBytes = 35 // the longest a tag may be without extensions (RFC 5646 4.4.1)
)

// page bounds and redacts what the browser says about a page (B32).
func (r *redactor) page(p wirePage) tracker.Page {
	return tracker.Page{
		URL:             r.address(p.URL, "http:", "https:"),
		Title:           cut(p.Title, maxTitleBytes),
		Referrer:        r.address(p.Referrer, "http:", "https:", "android-app:"),
		Language:        language(p.Language),
		WebsiteLanguage: language(p.WebsiteLanguage),
	}
}

// address returns a redacted and bounded address, or nothing where it is not
// one that a browser shows: a console will make a link of it, so that a scheme
// like javascript: must not get through.
func (r *redactor) address(address string, schemes ...string) string {
	if address == "" || !isPrintable(address) {
		return ""
	}
	for _, scheme := range schemes {
		if len(address) > len(scheme) && strings.EqualFold(address[:len(scheme)], scheme) && strings.HasPrefix(address[len(scheme):], "//") {
			return cut(r.url(address), maxURLBytes)
		}
	}
	return ""
}

// isPrintable says that s has no space and no control character; browsers
// encode both.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// language returns a tag of letters, digits and hyphens, or nothing.
func language(tag string) string {
	if len(tag) > maxLanguageBytes {
		return ""
	}
	for i := range len(tag) {
		if c := tag[i]; !isAlphanumeric(c) && c != '-' && c != '_' {
			return ""
		}
	}
	return tag
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// cut returns at most limit bytes of valid UTF-8 and splits no character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.Clone(s[:limit]) // the rest would stay in memory with it
}
