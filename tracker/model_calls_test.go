package tracker

import "slices"

// call says what becomes of one call.
func (o *oracle) call(d *oDevice, r *oRequest, c *oCall) int {
	if r.madeBy(r.before, c) < r.before {
		o.refuse(c)
		return 0 // B33
	}
	if c.Method == MethodInit {
		return 0
	}
	if d.done[c.ID] {
		return 0 // B26
	}
	made := r.madeBy(d.now().from, c)
	if d.retired {
		made = min(made, d.rotated-1)
	}
	ep := d.believed(c.Epoch, made)
	code := 0
	switch c.Method {
	case MethodPage, MethodTrack:
		code = o.activity(d, r, c, ep, made)
	case MethodConsent:
		if !d.retired {
			d.consent = max(d.consent, r.madeBy(d.consent, c))
		}
	case MethodChat:
		if d.retired || ep != d.now() && made < d.now().from {
			return CodePersonState
		}
		code = o.chat(d, r, c)
	case MethodUpdatePerson:
		code = o.update(d, c, ep)
	case MethodAppendToList:
		code = o.appendItem(d, ep)
	}
	if code == 0 {
		d.done[c.ID] = true
	}
	return code
}

// activity is recorded under the profile it was made for or not at all (B8).
func (o *oracle) activity(d *oDevice, r *oRequest, c *oCall, ep *oEpoch, made int64) int {
	earliest := made // the request may have been under way for as long as the clocks differ
	if off := r.now - r.sent; c.Epoch != "" && off > 0 && off <= oMinute {
		earliest -= off
	}
	if ep == nil || ((ep != d.now() || d.retired) && (earliest >= ep.to || r.now-r.made(c) > oDay)) {
		return CodePersonState
	}
	if ep.who.erased != 0 {
		o.refuse(c)
		return 0 // B33
	}
	t := c.at
	if off := r.now - r.sent; off > 10_000 || off < -10_000 {
		t += off
	}
	if t > r.now || r.now-t > oDay {
		t = r.now
	}
	o.recorded[c.label] = &oActivity{ep.who, t}
	delete(o.refused, c.label)
	root := ep.who.root()
	ep.who.active, root.active = max(ep.who.active, t), max(root.active, t)
	s := root.running
	if s == nil || t >= s.last+oSessionLasts { // B10
		// A call of before the merge, of whose answer the page never heard: the
		// visitor's timeline has a session already, which nothing prolongs (B12, B13).
		if left := ep.who.left; left != nil && t < left.last+oSessionLasts {
			left.labels = append(left.labels, c.label)
			return 0
		}
		s = &oSession{first: t}
		o.sessions = append(o.sessions, s)
		root.running = s
	}
	s.labels, s.last = append(s.labels, c.label), max(s.last, t)
	return 0
}

func (o *oracle) chat(d *oDevice, r *oRequest, c *oCall) int {
	switch {
	case c.state == chatEnded:
		if d.chat != nil {
			d.chat.ended = r.now
			o.depart(d, r.now, r.now, c.ID)
		}
	case c.token != nil:
		return o.authenticate(d, r, c.token, r.now, c.ID)
	case d.chat == nil:
		lead := o.profile(kindLead, r.now)
		d.chat = o.begin(lead)
		d.chat.use(r.now)
		o.become(d, lead, r.now, r.now, c.ID)
		o.issue(d, r.now)
	}
	return 0
}

func (o *oracle) issue(d *oDevice, now int64) {
	o.buried[d.cookie] = true
	d.rotate(now)
	d.cookieAt = now
	d.cookie, d.cookieIn, d.issued, d.departed = "", 0, true, false
}

// authenticate is the table of the specification (B4–B6).
func (o *oracle) authenticate(d *oDevice, r *oRequest, tok *oToken, since int64, cause string) int {
	const skew = 30_000
	if now := r.now + o.ahead; now >= tok.expires+skew || now+skew < tok.issued {
		return CodePersonState
	}
	if at, ok := o.invalidated[tok.session()]; ok && tok.issued <= at {
		return CodePersonState
	}
	who := o.subjects[tok.subject]
	if who == nil {
		who = o.profile(kindAuthenticated, r.now)
		o.subjects[tok.subject] = who
	}
	who.customer = who.customer || !tok.asLead
	switch bound := d.chat; {
	case bound != nil && bound.who == who:
		bound.renew(tok)
		return 0
	case bound != nil && bound.auth:
		delete(bound.sites, d.site) // it has ended, wherever it is shown
		o.unbind(d, r.now)
	case bound != nil && o.absorbs:
		if bound.who.into == nil {
			o.merge(bound.who, who, r.now)
		}
	case bound != nil:
		bound.who.links[who], who.links[bound.who] = true, true
	}
	if d.chat == nil {
		d.chat = o.begin(who)
		d.chat.use(r.now)
	}
	d.chat.who, d.chat.auth = who, true
	d.chat.renew(tok)
	o.become(d, who, r.now, since, cause)
	o.issue(d, r.now)
	return 0
}

func (o *oracle) update(d *oDevice, c *oCall, ep *oEpoch) int {
	who := d.now().who
	switch {
	case ep != d.now() || d.retired:
		return CodePersonState
	case !who.person() || who.customer:
		return CodeUpdatePerson
	}
	if c.first != nil {
		who.first = *c.first
		if *c.first == "" && len(o.leadsOf(who)) > 0 {
			who.hidden["first"] = true
		}
	}
	if c.tag != "" && !slices.Contains(who.tags, c.tag) {
		who.tags = append(who.tags, c.tag)
	}
	if c.email != "" && !slices.Contains(who.emails, c.email) {
		who.emails = append(who.emails, c.email)
	}
	return 0
}

func (o *oracle) appendItem(d *oDevice, ep *oEpoch) int {
	who := d.now().who
	switch {
	case ep != d.now() || d.retired:
		return CodePersonState
	case !who.person() || who.customer || who.items >= oListHolds:
		return CodeAppendToList
	}
	who.items++
	return 0
}

// swept takes what the sweeper does at a moment: visitors without activity
// for their lifetime are deleted, with their device (B15).
func (o *oracle) swept(now int64) {
	for _, d := range o.devices {
		who := d.now().who
		if o.ahead == 0 && !d.dead && who.kind == kindVisitor && who.into == nil && who.seen()+oVisitorLasts <= now {
			d.dead, who.gone = true, true
		}
	}
	for _, c := range o.begun { // for good, should the clock be set back
		if end := c.until + c.lasts(); o.ahead == 0 && c.ended == 0 && end <= now {
			c.ended = end
		}
	}
	o.finish(now)
}
