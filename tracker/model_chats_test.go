package tracker

import (
	"fmt"
	"slices"
)

// What the oracle knows of Live Chat sessions: how a device comes into one, by
// our cookie or the site's, and leaves it.

func (c *oChat) lasts() int64 {
	if c.auth {
		return oAuthLasts
	}
	return oLeadLasts
}

// use keeps a session alive; the service may grant it a minute on top.
func (c *oChat) use(now int64) {
	if now > c.until {
		c.until = now + oMinute
	}
}

// session names the site's own session that a token speaks of, "" for none.
func (tok *oToken) session() string {
	if tok.sid == "" {
		return ""
	}
	return fmt.Sprint(tok.asLead, " ", tok.sid)
}

func (c *oChat) renew(tok *oToken) {
	c.issued = tok.issued
	if tok.sid != "" {
		c.sid = tok.session()
	}
}

// over is when a session ended, 0 while it goes on.
func (o *oracle) over(c *oChat, now int64) int64 {
	if c.ended == 0 && c.who.erased != 0 {
		c.ended = c.who.erased
	}
	if at, ok := o.invalidated[c.sid]; c.ended == 0 && c.until+c.lasts() <= now {
		c.ended = c.until + c.lasts()
	} else if c.ended == 0 && ok && c.issued <= at {
		c.ended = min(at, now)
	}
	return c.ended
}

// chatOf brings the Live Chat session up to date (B7). What a request shows
// happened after the one before it.
func (o *oracle) chatOf(d *oDevice, r *oRequest) {
	since := d.seen
	if c := d.chat; c != nil {
		switch over := o.over(c, r.now); {
		case over != 0:
			if since = over; c.who.removed {
				since = d.seen
			}
			o.depart(d, r.now, since, "")
		case d.lost:
			c.use(r.now)
			o.issue(d, r.now)
		case d.leftBehind(r):
			c.use(r.now)
			o.depart(d, r.now, since, "")
		default:
			c.use(r.now)
		}
	}
	if c := o.chats[r.chat]; d.chat == nil && c != nil && !o.buried[r.chat] && o.over(c, r.now) == 0 {
		d.chat, d.cookie, d.cookieIn, d.cookieAt = c, r.chat, r.sent, r.now
		c.use(r.now)
	}
	if r.site != "" {
		o.siteCookie(d, r, since)
	}
	if d.chat != nil {
		o.become(d, d.chat.who, r.now, since, "")
	}
}

// leftBehind: the browser has lost a cookie of its session that it had, ours or
// the site's (B7).
func (d *oDevice) leftBehind(r *oRequest) bool {
	const underWay = oMinute
	switch {
	case r.chat != "" && r.chat == d.cookie:
		d.cookieIn = max(d.cookieIn, r.sent)
	case d.chat.sites[r.site]:
	case d.cookieIn != 0 && r.sent > d.cookieIn, d.cookieIn == 0 && r.now-d.cookieAt > underWay:
		return true
	}
	return d.chat.sites[d.site] && r.site == "" && r.sent > d.siteIn
}

// rotate retires the tokens of before, whatever clock they were issued by.
func (d *oDevice) rotate(now int64) {
	if !d.rotates {
		d.rotates, d.rotated = true, max(now, d.seen+1, d.rotated+1)
	}
}

// unbind takes the device out of its session.
func (o *oracle) unbind(d *oDevice, now int64) {
	o.buried[d.cookie] = true
	d.chat, d.cookie, d.cookieIn, d.site, d.siteIn = nil, "", 0, "", 0
	d.rotate(now)
}

func (o *oracle) depart(d *oDevice, now, since int64, cause string) {
	o.unbind(d, now)
	d.departed, d.issued = true, false
	if who := d.now().who; who.kind == kindVisitor && who.into == nil {
		return // it was bound by this request, and became nobody yet
	}
	o.turn(d, o.profile(kindVisitor, now), since, cause)
}

// become: a visitor is merged, a lead is not (B3, B5, B6).
func (o *oracle) become(d *oDevice, who *oProfile, now, since int64, cause string) {
	before := d.now().who
	if before == who {
		return
	}
	if before.kind == kindVisitor && before.into == nil {
		o.merge(before, who, now)
	}
	o.turn(d, who, since, cause)
}

// siteCookie: a value that is known leads to its session, one that is a token
// authenticates, and any other joins the session of a signal or starts one (B3, B4).
func (o *oracle) siteCookie(d *oDevice, r *oRequest, since int64) {
	if c := o.sites[r.site]; c != nil {
		if c.sites[r.site] && o.over(c, r.now) == 0 && c.admits(d, r.now) {
			o.share(d, c, r, since)
		}
		return
	}
	if tok := o.signed[r.site]; tok != nil {
		if o.authenticate(d, r, tok, since, "") == 0 {
			o.adopt(d, r)
		}
		return
	}
	if c := d.chat; c == nil || c.bySite || len(c.sites) > 0 {
		if c != nil {
			o.depart(d, r.now, since, "")
		}
		lead := o.profile(kindLead, r.now)
		d.chat = o.begin(lead)
		d.chat.bySite = true
		d.chat.use(r.now)
		o.become(d, lead, r.now, since, "")
		o.issue(d, r.now)
	}
	o.adopt(d, r)
}

// share binds the device to a session that another one may be in.
func (o *oracle) share(d *oDevice, c *oChat, r *oRequest, since int64) {
	if d.chat != c {
		if d.chat != nil {
			o.depart(d, r.now, since, "")
		}
		d.chat = c
		c.use(r.now)
		o.issue(d, r.now)
	}
	d.saw(r)
}

func (d *oDevice) saw(r *oRequest) { d.site, d.siteIn = r.site, max(d.siteIn, r.sent) }

// adopt gives the session of the device a value, in the place of the one that it
// had there before.
func (o *oracle) adopt(d *oDevice, r *oRequest) {
	c := d.chat
	if !c.admits(d, r.now) {
		return
	}
	if d.site != r.site && c.sites[d.site] {
		delete(c.sites, d.site)
		delete(o.sites, d.site)
	}
	c.sites[r.site], o.sites[r.site] = true, c
	d.saw(r)
}

// admits: a value that more than five devices a day present is no session's.
func (c *oChat) admits(d *oDevice, now int64) bool {
	const most = 5
	if day := now / oDay; c.day != day {
		c.day, c.shown = day, nil
	}
	if slices.Contains(c.shown, d) {
		return true
	}
	if len(c.shown) >= most {
		return false
	}
	c.shown = append(c.shown, d)
	return true
}
