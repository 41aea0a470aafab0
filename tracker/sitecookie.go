package tracker

import (
	"log/slog"
	"slices"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker/livechat"
)

// Bounds of a site's opaque session cookie (B3): shorter values are guessable,
// longer ones are something else.
const minSiteCookie, maxSiteCookie = 22, 512

func (k SiteCookie) hash() digest { return digestOf(k.Name + "\x00" + k.Value) }

// hasSeen says whether the device presented a value of its present session before.
func (d *device) hasSeen(cookie SiteCookie) bool {
	hash := cookie.hash()
	return slices.ContainsFunc(d.sites, func(s siteSeen) bool { return s.value == hash })
}

// siteCookies takes the site's own session cookies into account (B3, B4). A
// browser is in one session: the first name, in the order of the configuration,
// that tells of one decides, and those behind it may only authenticate. Two
// values of one name are none.
func (w *work) siteCookies() error {
	told := false
	for _, cookie := range w.req.SiteCookies {
		if slices.ContainsFunc(w.req.SiteCookies, func(k SiteCookie) bool { return k.Name == cookie.Name && k.Value != cookie.Value }) {
			w.ignored("it has two values at once")
			continue
		}
		tells, err := w.siteCookie(cookie, told)
		if err != nil {
			return err
		}
		told = told || tells
	}
	return nil
}

// ignored has the log say why a cookie of the site's was not taken into account.
func (w *work) ignored(why string) { w.notes = append(w.notes, slog.String("reason", why)) }

// siteCookie takes one of them into account; told says that one before it told
// of a session, and tells that this one does.
func (w *work) siteCookie(cookie SiteCookie, told bool) (tells bool, err error) {
	hash := cookie.hash()
	record, err := w.cookie(hash)
	switch {
	case err != nil || record.ended != 0:
		return true, err // that it has ended, and stays so
	case !record.chat.zero():
		return w.knownSiteCookie(cookie.Name, hash, told)
	case livechat.LooksLikeToken(cookie.Value):
		return w.tokenCookie(cookie, hash)
	case len(cookie.Value) < minSiteCookie || len(cookie.Value) > maxSiteCookie:
		w.ignored("its value is not 22 to 512 characters long")
		return false, nil
	case told:
		return false, nil
	}
	return true, w.unknownSiteCookie(cookie.Name, hash)
}

// unknownSiteCookie joins a value to the session that a signal has started on
// this device, or starts one by it (B3).
func (w *work) unknownSiteCookie(name string, hash digest) error {
	bound, err := w.liveBound()
	if err != nil {
		return err
	}
	if bound != nil && bound.signal && !bound.hasSiteCookie() {
		return w.adopt(bound, name, hash)
	}
	if bound != nil {
		if err := w.leave(bound); err != nil { // the site began another session
			return err
		}
	}
	c, err := w.startChat("", "")
	if err != nil {
		return err
	}
	c.signal = false
	return w.adopt(c, name, hash)
}

// knownSiteCookie binds the device to the session of a value seen before,
// unless too many devices present it (B3): a value that everybody has is no
// session.
func (w *work) knownSiteCookie(name string, hash digest, told bool) (tells bool, err error) {
	c, err := w.chatOf(hash)
	if err != nil || c == nil || told && w.device.chat != c.id {
		return false, err
	}
	if !w.admit(c) {
		w.ignored("more than 5 devices presented one value of it in a day")
		return false, nil
	}
	if w.device.chat != c.id {
		bound, err := w.liveBound()
		if err != nil {
			return false, err
		}
		if bound != nil {
			if err := w.leave(bound); err != nil {
				return false, err
			}
		}
		if err := w.join(c); err != nil {
			return false, err
		}
		if err := w.issueChatCookie(c); err != nil {
			return false, err
		}
	}
	w.sawSite(name, hash)
	return true, nil
}

// admit counts the devices of the day that present a session's site cookie.
func (w *work) admit(c *chat) bool {
	day := millis(w.now) / (24 * time.Hour).Milliseconds()
	if c.seenDay == day && slices.Contains(c.seenDevices, w.device.id) {
		return true
	}
	if c.seenDay != day {
		c.seenDay, c.seenDevices, c.dirty = day, nil, true
	}
	if len(c.seenDevices) >= maxSharedDevices {
		return false
	}
	c.seenDevices, c.dirty = append(c.seenDevices, w.device.id), true
	return true
}

// adopt makes a site's cookie value one of a session's own. It takes the place
// of the one this device had under that name: a site that keeps its token in
// the cookie sets another with every page.
func (w *work) adopt(c *chat, name string, hash digest) error {
	if !w.admit(c) {
		return nil
	}
	if i := slices.IndexFunc(w.device.sites, func(s siteSeen) bool { return s.name == name }); i >= 0 {
		if before := w.device.sites[i].value; before != hash && c.knows(before) { // else it has ended, and stays so
			c.cookies = slices.DeleteFunc(c.cookies, func(k chatCookie) bool { return k.hash == before })
			if err := w.tx.Delete(hashKey(tableCookie, c.account, before)); err != nil {
				return err
			}
		}
	}
	if err := w.know(c, chatCookie{hash: hash, site: true}); err != nil {
		return err
	}
	w.sawSite(name, hash)
	return w.tx.Put(hashKey(tableCookie, c.account, hash), cookieRecord{chat: c.id}.encode())
}

func (w *work) sawSite(name string, hash digest) {
	d, sent := w.device, millis(w.req.SentAt)
	d.dirty = true
	for i := range d.sites {
		if d.sites[i].name == name {
			d.sites[i].value = hash
			d.sites[i].sent = max(d.sites[i].sent, sent)
			return
		}
	}
	if len(d.sites) < maxSites {
		d.sites = append(d.sites, siteSeen{name: name, value: hash, sent: sent})
	}
}

// tokenCookie authenticates by a token in the site's cookie. One that is not
// valid is no session, and no error of the call either (B4).
func (w *work) tokenCookie(cookie SiteCookie, hash digest) (tells bool, err error) {
	claims, invalid, err := w.verify(cookie.Value)
	switch {
	case err != nil:
		return false, err
	case invalid != nil:
		w.warnings = append(w.warnings, Warning{Code: "invalid_token_cookie", Message: "The token in the site's session cookie is not valid: " + invalid.Error()})
		return false, nil //nolint:nilerr // a warning of the call, not a fault of the request
	}
	c, err := w.authenticate(claims, "")
	if err != nil {
		return false, err
	}
	return true, w.adopt(c, cookie.Name, hash)
}
