package tracker

import (
	"slices"
	"time"
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
	if err := w.siteCookies(); err != nil {
		return err
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
	if at, err := w.erasedAt(c.profile); at != 0 || err != nil {
		return at, err
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
	return min(at, millis(w.now)), err
}

// invalidated is when sessions of this sid were invalidated, 0 when never.
func (w *work) invalidated(widget, sid string) (at int64, err error) {
	v, err := invalidationOf(w.tx, invalidationKey(w.req.Account, widget, sid))
	return v.at, err
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
	case slices.ContainsFunc(w.req.SiteCookies, func(k SiteCookie) bool { return c.knows(k.hash()) }): // the site's says the same
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
	if err := w.abandon(c); err != nil {
		return err
	}
	return w.depart("")
}

// bury makes a cookie value a tombstone. It names neither session nor person,
// so that it may outlive both.
func (w *work) bury(c *chat, hash digest) error {
	record := cookieRecord{ended: millis(w.now)}
	if err := w.tx.Put(hashKey(tableCookie, c.account, hash), record.encode()); err != nil {
		return err
	}
	deadline := millis(w.now.Add(tombstoneLife))
	return w.tx.Put(queueKey(deadline, dueGrave, append(idRef(c.account, id{}), hash[:]...)), present)
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
	c.cookies = nil
	// The session itself needs to be removed one day.
	c.grave = millis(w.now.Add(tombstoneLife))
	return w.tx.Put(chatGraveKey(c), present)
}

func chatGraveKey(c *chat) []byte {
	return queueKey(c.grave, dueGrave, append(idRef(c.account, c.id), c.id[:]...))
}

// depart turns the device to a new visitor under a new device token, even
// though the browser is the same (B7). One that this very request bound to the
// session, by a cookie that another one overrules, is its visitor still.
func (w *work) depart(cause string) error {
	d := w.device
	d.unbind()
	w.chatSet = CookieChange{Delete: true}
	if err := w.rotate(); err != nil {
		return err
	}
	p, err := w.load(d.current().profile)
	if err != nil || p != nil && p.kind == kindVisitor && p.mergedInto.zero() {
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
	reason := reasonChat
	if bound.auth {
		reason = reasonAuth
	}
	return w.become(bound.profile, reason, "")
}
