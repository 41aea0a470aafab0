package tracker

import (
	"log/slog"
	"slices"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker/livechat"
)

// resolveChat brings the device's Live Chat session up to date with what this
// request carries, before any call is carried out (B3, B4, B7).
func (w *work) resolveChat() error {
	// What this request shows happened since the device's last one: its own
	// calls were made after the change, and not under the profile of before.
	w.boundary = w.device.seen
	defer func() { w.boundary = millis(w.now) }()
	bound, err := w.boundChat()
	if err != nil {
		return err
	}
	if bound != nil && w.unanswered {
		if err := w.issueChatCookie(bound); err != nil {
			return err
		}
	} else if bound != nil {
		if left, err := w.leftBehind(bound); err != nil {
			return err
		} else if left {
			if err := w.leave(bound); err != nil {
				return err
			}
			bound = nil
		} else if w.device.chatHash == (digest{}) { // reported by the site's back end
			if err := w.issueChatCookie(bound); err != nil {
				return err
			}
		}
	}
	if bound == nil {
		if err := w.rejoin(); err != nil {
			return err
		}
	}
	for _, cookie := range w.req.SiteCookies {
		if err := w.siteCookie(cookie); err != nil {
			return err
		}
	}
	return w.align()
}

// boundChat is the live session the device is bound to. One that ended
// meanwhile is left, and a new visitor begins from that moment on (B7).
func (w *work) boundChat() (*chat, error) {
	if w.device.chat.zero() {
		return nil, nil
	}
	c, err := w.loadChat(w.device.chat)
	if err != nil {
		return nil, err
	}
	if c != nil {
		over, err := w.chatOver(c)
		if err != nil {
			return nil, err
		}
		if over == 0 {
			return c, w.touch(c)
		}
		if err := w.end(c, over); err != nil {
			return nil, err
		}
		w.boundary = over
	}
	return nil, w.depart("")
}

// chatTTL is the lifetime of a session without calls.
func (s *Service) chatTTL(c *chat) time.Duration {
	if c.auth {
		return s.auth
	}
	return s.chat
}

// chatEnd is when a session ends unless calls go on.
func (s *Service) chatEnd(c *chat) int64 { return c.until + s.chatTTL(c).Milliseconds() }

// chatOver is when a session ended, by report, expiry or invalidation; 0 while
// it lives.
func (w *work) chatOver(c *chat) (at int64, err error) {
	if c.ended != 0 {
		return c.ended, nil
	}
	if end := w.chatEnd(c); end <= millis(w.now) {
		return end, nil
	}
	if c.sid == "" {
		return 0, nil
	}
	at, err = w.invalidated(c.widget, c.sid)
	if c.issued > at {
		at = 0
	}
	return at, err
}

// invalidated is when sessions of this sid were invalidated, 0 when never.
func (w *work) invalidated(widget, sid string) (at int64, err error) {
	value, err := w.tx.Get(invalidationKey(w.req.Account, widget, sid))
	if err != nil || len(value) == 0 {
		return 0, err
	}
	err = decodeValue(value, func(f field) { at = f.int() })
	return at, err
}

// touch keeps a session alive, writing its record only once in a while.
func (w *work) touch(c *chat) error {
	if now := millis(w.now); now > c.until {
		c.until = now + activeStep.Milliseconds()
		c.dirty = true
	}
	return nil
}

// leftBehind says whether this device's browser has lost the cookie of its
// session: one that it presented before is missing from a call sent later.
// Calls that were under way when the cookie was set do not count; none is for
// longer than underWay, and then a browser that never presented it was closed.
func (w *work) leftBehind(c *chat) (bool, error) {
	d, sent := w.device, millis(w.req.SentAt)
	ours := distinct(w.req.ChatTokens)
	switch {
	case slices.ContainsFunc(ours, func(v string) bool { return digestOf(v) == d.chatHash }):
		if sent > d.chatSeen {
			d.chatSeen, d.dirty = sent, true
		}
	case d.chatSeen != 0 && sent > d.chatSeen:
		return true, nil
	case d.chatSeen == 0 && d.chatIssued != 0 && w.now.Sub(fromMillis(d.chatIssued)) > underWay:
		return true, nil
	}
	for i := range d.sites {
		seen := &d.sites[i]
		if !c.knows(seen.value) || !slices.Contains(w.req.SiteCookieNames, seen.name) {
			continue
		}
		if !slices.ContainsFunc(w.req.SiteCookies, func(k SiteCookie) bool { return k.Name == seen.name }) && sent > seen.sent {
			return true, nil
		}
	}
	return false, nil
}

// underWay is how long a request may be on its way: several times as long as
// the SDK waits for an answer.
const underWay = time.Minute

// leave detaches this device alone from a session that goes on (B7): its own
// cookie value must not lead back.
func (w *work) leave(c *chat) error {
	d := w.device
	if d.chatHash != (digest{}) {
		c.cookies = slices.DeleteFunc(c.cookies, func(k chatCookie) bool { return k.hash == d.chatHash })
		c.dirty = true
		if err := w.bury(c, d.chatHash); err != nil {
			return err
		}
	}
	return w.depart("")
}

// bury makes a cookie value a tombstone, found again through its session.
func (w *work) bury(c *chat, hash digest) error {
	record := cookieRecord{chat: c.id, ended: millis(w.now)}
	if err := w.tx.Put(hashKey(tableCookie, c.account, hash), record.encode()); err != nil {
		return err
	}
	deadline := millis(w.now.Add(tombstoneLife))
	return w.tx.Put(queueKey(deadline, dueGrave, append(idRef(c.account, c.id), hash[:]...)), present)
}

// end ends a session at a time for every device bound to it. Each of them
// finds out with its next call.
func (w *work) end(c *chat, at int64) error {
	if c.ended != 0 {
		return nil
	}
	c.ended, c.dirty = at, true
	if c.queued != 0 {
		if err := w.tx.Delete(queueKey(c.queued, dueChat, idRef(c.account, c.id))); err != nil {
			return err
		}
		c.queued = 0
	}
	for _, k := range c.cookies {
		if err := w.bury(c, k.hash); err != nil {
			return err
		}
	}
	// A session without any cookie still needs to be removed one day.
	return w.tx.Put(queueKey(millis(w.now.Add(tombstoneLife)), dueGrave, append(idRef(c.account, c.id), c.id[:]...)), present)
}

// depart turns the device to a new visitor under a new device token, even
// though the browser is the same (B7).
func (w *work) depart(cause string) error {
	d := w.device
	d.unbind()
	w.chatSet = CookieChange{Delete: true}
	if err := w.rotate(); err != nil {
		return err
	}
	return w.newVisitor(cause)
}

// rejoin binds a device without a session to the live one its chat cookie
// names: the device cookie was lost, the other was not.
func (w *work) rejoin() error {
	values := distinct(w.req.ChatTokens)
	if len(values) != 1 {
		return nil
	}
	hash := digestOf(values[0])
	c, err := w.chatOf(hash)
	if err != nil || c == nil {
		return err
	}
	w.device.chatHash, w.device.chatSeen, w.device.chatIssued = hash, millis(w.req.SentAt), millis(w.now)
	return w.join(c)
}

// chatOf is the live session a cookie value stands for, nil when there is none.
func (w *work) chatOf(hash digest) (*chat, error) {
	record, err := w.cookie(hash)
	if err != nil || record.chat.zero() || record.ended != 0 {
		return nil, err
	}
	c, err := w.loadChat(record.chat)
	if err != nil || c == nil {
		return nil, err
	}
	over, err := w.chatOver(c)
	if err != nil || over == 0 {
		return c, err
	}
	return nil, w.end(c, over)
}

func (w *work) cookie(hash digest) (cookieRecord, error) {
	value, err := w.tx.Get(hashKey(tableCookie, w.req.Account, hash))
	if err != nil || len(value) == 0 {
		return cookieRecord{}, err
	}
	return decodeCookie(value)
}

// join binds the device to a session and keeps it alive.
func (w *work) join(c *chat) error {
	w.device.chat, w.device.dirty = c.id, true
	return w.touch(c)
}

// Bounds of a site's opaque session cookie (B3): shorter values are guessable,
// longer ones are something else.
const minSiteCookie, maxSiteCookie = 22, 512

// siteCookie takes one of the site's own session cookies into account (B3, B4).
func (w *work) siteCookie(cookie SiteCookie) error {
	hash := digestOf(cookie.Name + "\x00" + cookie.Value)
	record, err := w.cookie(hash)
	if err != nil || record.ended != 0 {
		return err // an ended value stays ended
	}
	if !record.chat.zero() {
		return w.knownSiteCookie(cookie.Name, hash)
	}
	if livechat.LooksLikeToken(cookie.Value) {
		return w.tokenCookie(cookie, hash)
	}
	if len(cookie.Value) < minSiteCookie || len(cookie.Value) > maxSiteCookie {
		w.notes = append(w.notes, slog.String("reason", "the value of the site's cookie is not 22 to 512 characters long"))
		return nil
	}
	bound, err := w.liveBound()
	if err != nil {
		return err
	}
	if bound != nil && bound.signal && !bound.hasSiteCookie() {
		return w.adopt(bound, cookie.Name, hash)
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
	return w.adopt(c, cookie.Name, hash)
}

// knownSiteCookie binds the device to the session of a value seen before,
// unless too many devices present it (B3): a value that everybody has is no
// session.
func (w *work) knownSiteCookie(name string, hash digest) error {
	c, err := w.chatOf(hash)
	if err != nil || c == nil {
		return err
	}
	if !w.admit(c) {
		w.notes = append(w.notes, slog.String("reason", "more than 5 devices presented one value of the site's cookie in a day"))
		return nil
	}
	if w.device.chat != c.id {
		bound, err := w.liveBound()
		if err != nil {
			return err
		}
		if bound != nil {
			if err := w.leave(bound); err != nil {
				return err
			}
		}
		if err := w.join(c); err != nil {
			return err
		}
		if err := w.issueChatCookie(c); err != nil {
			return err
		}
	}
	w.sawSite(name, hash)
	return nil
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
		before := w.device.sites[i].value
		c.cookies = slices.DeleteFunc(c.cookies, func(k chatCookie) bool { return k.hash == before && before != hash })
		if before != hash {
			if err := w.tx.Delete(hashKey(tableCookie, c.account, before)); err != nil {
				return err
			}
		}
	}
	if len(c.cookies) < maxChatCookies {
		c.cookies, c.dirty = append(c.cookies, chatCookie{hash: hash, site: true}), true
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
func (w *work) tokenCookie(cookie SiteCookie, hash digest) error {
	claims, err := w.verify(cookie.Value)
	if err != nil {
		w.warnings = append(w.warnings, Warning{Code: "invalid_token_cookie", Message: "The token in the site's session cookie is not valid: " + err.Error()})
		return nil //nolint:nilerr // a warning of the call, not a fault of the request
	}
	c, err := w.authenticate(claims, "")
	if err != nil {
		return err
	}
	return w.adopt(c, cookie.Name, hash)
}

// liveBound is the session the device is bound to, already known to be alive.
func (w *work) liveBound() (*chat, error) {
	if w.device.chat.zero() {
		return nil, nil
	}
	return w.loadChat(w.device.chat)
}

// align makes the device's epoch agree with its session: another device may
// have authenticated a session that both share.
func (w *work) align() error {
	bound, err := w.liveBound()
	if err != nil || bound == nil {
		return err
	}
	return w.become(bound.profile, reasonChat, "")
}
