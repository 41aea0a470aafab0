package collector

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// cookieName is what one of our cookies is called on http and on https, where
// the browser itself guarantees by the prefix that the value was not planted
// over plain http.
type cookieName struct{ plain, secure string }

var (
	deviceCookie = cookieName{"_people", "__Secure-people"}
	chatCookie   = cookieName{"_people_chat", "__Secure-people_chat"}
)

func (n cookieName) on(site Site) string {
	if site.secure() {
		return n.secure
	}
	return n.plain
}

const (
	// maxCookieBytes is far above every value this server issues. A longer one
	// is cut and so stays what it was, unknown, and still counts as a value.
	maxCookieBytes = 128
	// maxSiteCookieBytes is what browsers keep of a cookie; a site's Live Chat
	// cookie may be a token (B4).
	maxSiteCookieBytes = 4096
	// maxCookieValues of one name: from two on they count as none.
	maxCookieValues = 4
)

// cookies are what a request carried and the tracker looks at.
type cookies struct {
	device, chat []string
	site         []tracker.SiteCookie
}

// readCookies collects the distinct values of our cookies and of the site's
// session cookies. A browser that holds several of a name, on different paths,
// sends them all.
func (h *Handler) readCookies(r *http.Request, site Site) cookies {
	var c cookies
	if len(r.Header["Cookie"]) == 0 {
		return c
	}
	c.device = cookieValues(r, deviceCookie.on(site), maxCookieBytes)
	c.chat = cookieValues(r, chatCookie.on(site), maxCookieBytes)
	for _, name := range h.sessionCookies {
		for _, value := range cookieValues(r, name, maxSiteCookieBytes) {
			c.site = append(c.site, tracker.SiteCookie{Name: name, Value: value})
		}
	}
	return c
}

func cookieValues(r *http.Request, name string, most int) []string {
	var values []string
	for _, cookie := range r.CookiesNamed(name) {
		value := cookie.Value
		if len(value) > most {
			value = value[:most]
		}
		if value == "" || slices.Contains(values, value) {
			continue
		}
		if values = append(values, value); len(values) == maxCookieValues {
			break
		}
	}
	return values
}

func (s Site) secure() bool { return strings.EqualFold(s.Scheme, "https") }

// setCookies writes what the tracker says of our cookies.
func setCookies(header http.Header, site Site, res *tracker.Response) {
	setCookie(header, site, deviceCookie, res.Device)
	setCookie(header, site, chatCookie, res.Chat)
}

func setCookie(header http.Header, site Site, name cookieName, change tracker.CookieChange) {
	cookie := http.Cookie{
		Name:     name.on(site),
		Path:     site.cookiePath(),
		Secure:   site.secure(),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
	switch {
	case change.Set:
		cookie.Value = change.Value
		if change.MaxAge > 0 { // 0 is a cookie that ends with the browser
			cookie.MaxAge = max(int(change.MaxAge/time.Second), 1)
		}
	case change.Delete:
		cookie.MaxAge = -1
	default:
		return
	}
	header.Add("Set-Cookie", cookie.String())
}

// cookiePath keeps our cookies away from every other request of the site, so
// that its pages stay cacheable and it never sees them.
func (s Site) cookiePath() string {
	if s.Base == "" {
		return "/"
	}
	return s.Base
}

// checkSessionCookies judges the configured names of the site's cookies.
func checkSessionCookies(names []string) error {
	own := []string{deviceCookie.plain, deviceCookie.secure, chatCookie.plain, chatCookie.secure}
	for i, name := range names {
		switch {
		case (&http.Cookie{Name: name, Value: "v"}).Valid() != nil:
			return fmt.Errorf("session cookie %q: not a cookie name", name)
		case slices.Contains(names[:i], name):
			return fmt.Errorf("session cookie %q: given twice", name)
		case slices.Contains(own, name):
			return fmt.Errorf("session cookie %q: this is our own, name the site's", name)
		}
	}
	return nil
}
