package tracker

import (
	"errors"
	"slices"

	"github.com/livechat-people/caddy-people-tracking/tracker/livechat"
)

// Why a profile was merged or linked.
const (
	reasonChat = "chat started"
	reasonAuth = "authenticated"
)

// startChat begins a Live Chat session of this device: a new lead, with what
// the visitor did until now (B3). The device has none at this point.
func (w *work) startChat(widget, cause string) (*chat, error) {
	lead := w.create(kindLead)
	c := w.newChat(lead, widget)
	if err := w.stand(c, lead.id); err != nil {
		return nil, err
	}
	if err := w.join(c); err != nil {
		return nil, err
	}
	if err := w.become(lead.id, reasonChat, cause); err != nil {
		return nil, err
	}
	return c, w.issueChatCookie(c)
}

func (w *work) newChat(p *profile, widget string) *chat {
	c := &chat{
		id: w.ids.id(), account: w.req.Account, profile: p.id, widget: widget,
		started: millis(w.now), signal: true, dirty: true,
	}
	w.chats[c.id] = c
	return c
}

// stand makes a session stand for a person, who is named by it from then on.
func (w *work) stand(c *chat, person id) error {
	if c.profile != person {
		if err := w.tx.Delete(referenceKey(c.account, c.profile, tableChat, c.id[:])); err != nil {
			return err
		}
	}
	c.profile, c.dirty = person, true
	return w.tx.Put(referenceKey(c.account, person, tableChat, c.id[:]), present)
}

// issueChatCookie gives the device a cookie value of ours for a session, and
// the session its place in the queue. The value the device had before, of this
// session in an older state, means nothing from now on: one that was planted
// before somebody authenticated must not lead to him.
func (w *work) issueChatCookie(c *chat) error {
	d := w.device
	if d.chatHash != (digest{}) {
		c.cookies = slices.DeleteFunc(c.cookies, func(k chatCookie) bool { return k.hash == d.chatHash })
		if err := w.bury(c, d.chatHash); err != nil {
			return err
		}
		d.chatHash, d.chatSeen, d.chatIssued, d.dirty = digest{}, 0, 0, true
	}
	if w.unseen { // with the browser's next call
		return w.queueChat(c)
	}
	if err := w.rotate(); err != nil {
		return err
	}
	value := w.ids.token()
	d.chatHash, d.chatSeen, d.chatIssued, d.dirty = digestOf(value), 0, millis(w.now), true
	if err := w.know(c, chatCookie{hash: d.chatHash}); err != nil {
		return err
	}
	w.chatSet = CookieChange{Set: true, Value: value}
	if !c.auth {
		w.chatSet.MaxAge = w.chat
	}
	if err := w.tx.Put(hashKey(tableCookie, c.account, d.chatHash), cookieRecord{chat: c.id}.encode()); err != nil {
		return err
	}
	return w.queueChat(c)
}

// know adds a cookie value to those of a session. The oldest one makes room, of
// ours before the site's, which lead further devices here; it ends, since the
// session's end would not find it any more (B7).
func (w *work) know(c *chat, cookie chatCookie) error {
	for len(c.cookies) >= maxChatCookies {
		oldest := max(0, slices.IndexFunc(c.cookies, func(k chatCookie) bool { return !k.site }))
		if err := w.bury(c, c.cookies[oldest].hash); err != nil {
			return err
		}
		c.cookies = slices.Delete(c.cookies, oldest, oldest+1)
	}
	c.cookies, c.dirty = append(c.cookies, cookie), true
	return nil
}

// queueChat puts the session's deadline into the queue, once: later calls only
// move the deadline the sweeper will find in the record.
func (w *work) queueChat(c *chat) error {
	end := w.chatEnd(c)
	if c.queued != 0 && c.queued <= end {
		return nil
	}
	ref := idRef(c.account, c.id)
	if c.queued != 0 {
		if err := w.tx.Delete(queueKey(c.queued, dueChat, ref)); err != nil {
			return err
		}
	}
	c.queued, c.dirty = end, true
	return w.tx.Put(queueKey(end, dueChat, ref), present)
}

// become makes person the profile of this device from now on. A visitor that
// the device was until now is merged into it (B3, B5); a lead stays what it is
// and is linked (B6).
func (w *work) become(person id, reason, cause string) error {
	before, err := w.profile()
	if err != nil {
		return err
	}
	if before.id == person {
		return nil
	}
	p, err := w.load(person)
	if err != nil {
		return err
	}
	if p == nil {
		return errGone
	}
	if before.kind == kindVisitor && before.mergedInto.zero() {
		if err := w.merge(before, p, reason); err != nil {
			return err
		}
	}
	return w.turn(p, cause)
}

var (
	errNoVerifier  = errors.New("no widget is configured, so no token can be verified")
	errInvalidated = errors.New("the session of the token was invalidated")
)

// verify checks a Live Chat token (B4); invalid says why it authenticates nobody.
func (w *work) verify(token string) (claims livechat.Claims, invalid, err error) {
	if w.account.Tokens == nil {
		return claims, errNoVerifier, nil
	}
	claims, invalid = w.account.Tokens.Verify(token, w.now.Add(w.clock.Ahead()))
	if invalid != nil || claims.SessionID == "" {
		return claims, invalid, nil
	}
	at, err := w.invalidated(claims.WidgetID, claims.SessionID)
	if err == nil && at != 0 && claims.IssuedAt.UnixMilli() <= at {
		invalid = errInvalidated
	}
	return claims, invalid, err
}

// authenticate makes the subject of a verified token the person of this
// device: the row of the specification's table depends on what it was before.
func (w *work) authenticate(claims livechat.Claims, cause string) (*chat, error) {
	person, err := w.subject(claims)
	if err != nil {
		return nil, err
	}
	bound, err := w.liveBound()
	if err != nil {
		return nil, err
	}
	switch {
	case bound != nil && bound.profile == person.id: // the same again: refreshed
		w.renew(bound, claims)
		return bound, w.queueChat(bound)
	case bound != nil && bound.auth: // somebody else
		if err := w.succeed(bound); err != nil {
			return nil, err
		}
		bound = nil
	case bound != nil: // the lead of a started chat
		if err := w.connect(bound.profile, person); err != nil {
			return nil, err
		}
	}
	c := bound
	if c == nil {
		c = w.newChat(person, claims.WidgetID)
		if err := w.join(c); err != nil {
			return nil, err
		}
	}
	c.auth = true
	if err := w.stand(c, person.id); err != nil {
		return nil, err
	}
	w.renew(c, claims)
	if err := w.become(person.id, reasonAuth, cause); err != nil {
		return nil, err
	}
	return c, w.issueChatCookie(c)
}

func (w *work) renew(c *chat, claims livechat.Claims) {
	c.issued, c.dirty = claims.IssuedAt.UnixMilli(), true
	if claims.SessionID != "" || c.sid == "" { // a sid is one of its widget
		c.widget, c.sid = claims.WidgetID, claims.SessionID
	}
}

// succeed ends the session of another subject for this device and gives it a
// new token; the newcomer never was the visitor (B6). What cookies this browser
// has of it, the site's among them, must not lead the newcomer back.
func (w *work) succeed(c *chat) error {
	d := w.device
	theirs := func(k chatCookie) bool {
		return k.hash == d.chatHash || slices.ContainsFunc(d.sites, func(s siteSeen) bool { return s.value == k.hash })
	}
	for _, k := range c.cookies {
		if !theirs(k) {
			continue
		}
		if err := w.bury(c, k.hash); err != nil {
			return err
		}
	}
	c.cookies, c.dirty = slices.DeleteFunc(c.cookies, theirs), true
	d.unbind()
	return w.rotate()
}

// subject finds or makes the authenticated profile of a subject: one for ever,
// whatever device and widget of the account it comes from (B4).
func (w *work) subject(claims livechat.Claims) (*profile, error) {
	key := subjectKey(w.req.Account, claims.SubjectType, claims.Subject)
	value, err := w.tx.Get(key)
	if err != nil {
		return nil, err
	}
	if len(value) != 0 {
		at, err := decodeSubject(value)
		if err != nil {
			return nil, err
		}
		p, err := w.load(at)
		if err != nil {
			return nil, err
		}
		if p == nil {
			return nil, errGone
		}
		if p.erasing == 0 {
			return p, w.promote(p, claims)
		} // somebody new for the server, who is still removing the one of before
	}
	p := w.create(kindAuthenticated)
	p.customer = !claims.KeepAsLead
	p.subjectType, p.subject = claims.SubjectType, claims.Subject
	if err := w.tx.Put(referenceKey(p.account, p.id, tableSubject, key[3:]), present); err != nil {
		return nil, err
	}
	e := newEncoder(24)
	e.id(1, p.id)
	if err := w.tx.Put(key, e.b); err != nil {
		return nil, err
	}
	return p, w.indexSubject(p)
}

// decodeSubject is the person a subject leads to.
func decodeSubject(value []byte) (person id, err error) {
	err = decodeValue(value, func(f field) { person = f.id() })
	return person, err
}

// promote makes a person who was kept as a lead a customer, once a widget
// that does not keep leads authenticates him. There is no way back.
func (w *work) promote(p *profile, claims livechat.Claims) error {
	if p.customer || claims.KeepAsLead {
		return nil
	}
	if err := w.unlist(p, p.platformType()); err != nil {
		return err
	}
	p.customer, p.modified, p.dirty = true, millis(w.now), true
	return nil
}

// connect does with the lead of a started chat what is configured for when it
// authenticates: it stays and is linked, or is absorbed (B6).
func (w *work) connect(lead id, person *profile) error {
	if !w.absorb {
		return w.link(lead, person.id)
	}
	p, err := w.load(lead)
	if err != nil {
		return err
	}
	if p == nil || !p.person() {
		return nil // it is part of somebody already
	}
	return w.merge(p, person, reasonAuth)
}

// link connects two persons; nothing of one becomes the other's (B6).
func (w *work) link(one, other id) error {
	return w.putLink(one, other, personLink{reason: reasonAuth, at: millis(w.now)})
}
