package tracker

// device: our cookie, else the boot, else a value of our cookie that leads
// nowhere any more (B2). What was issued before the session changed leads to
// the device only for who can prove to have been there.
func (o *oracle) device(r *oRequest) *oDevice {
	token := o.tokens[r.device]
	d := o.follow(token.device, r)
	if d == nil {
		return o.booted(r)
	}
	d.begin()
	switch {
	case token.since >= d.rotated:
		d = o.current(d, r.now)
		o.note(d, r)
		return d
	case d.proved(r):
		d.lost = true
		o.note(d, r)
		return d
	case r.now-d.rotated <= oMinute:
		d.retired = true
		return d
	}
	return o.booted(r)
}

// begin forgets what became of the device in the request before.
func (d *oDevice) begin() {
	d.departed, d.issued, d.lost, d.retired, d.rotates = false, false, false, false, false
}

// follow leads on to the device in use; of one that was erased it says when.
func (o *oracle) follow(d *oDevice, r *oRequest) *oDevice {
	for d != nil && d.successor != nil {
		d = d.successor
	}
	switch {
	case d == nil:
	case d.dead:
		r.before = max(r.before, d.erased)
		return nil
	default:
		r.before = max(r.before, d.notBefore)
	}
	return d
}

// note: a boot leads to the device of the cookie beside it, for a day and until
// its session changes.
func (o *oracle) note(d *oDevice, r *oRequest) {
	b := o.boots["boot "+r.boot]
	if r.boot != "" && (b.device != d || b.since < d.rotated || r.now-b.since >= oDay) {
		o.boots["boot "+r.boot] = oBoot{d, max(r.now, d.rotated)}
	}
}

func (o *oracle) booted(r *oRequest) *oDevice {
	for _, c := range r.calls {
		if r.device == "" && c.Epoch != "" {
			return nil
		}
	}
	key, lasts := "boot "+r.boot, oDay
	if r.boot == "" {
		if key, lasts = "token "+r.device, oMinute; r.device == "" {
			return nil
		}
	}
	b := o.boots[key]
	d := o.follow(b.device, r)
	switch {
	case o.allDropped(r):
		return nil
	case d == nil || r.now-b.since >= lasts:
	case d.rotated == 0 || d.proved(r) || b.since >= d.rotated && d.chat == nil:
		d.begin()
		d.lost = d.rotated != 0
		return o.current(d, r.now)
	case r.boot != "":
		return nil
	}
	d = o.newDevice(r.now)
	d.notBefore = r.before
	o.boots[key] = oBoot{d, r.now}
	return d
}

// proved: only the browser itself knows its chat cookie, the site's, and the call
// that changed the session.
func (d *oDevice) proved(r *oRequest) bool {
	for _, c := range r.calls {
		if c.ID == d.now().cause {
			return true
		}
	}
	return r.chat != "" && r.chat == d.cookie || r.site != "" && r.site == d.site
}

// current is the device, or the one in its place when its visitor is overdue.
func (o *oracle) current(d *oDevice, now int64) *oDevice {
	who := d.now().who
	if d.chat == nil && who.kind == kindVisitor && who.into == nil && who.seen()+oVisitorLasts <= now {
		next := o.newDevice(now)
		next.notBefore, next.consent = d.notBefore, d.consent
		d.successor = next // B15: overdue is gone
		d = next
	}
	return d
}

func (o *oracle) newDevice(now int64) *oDevice {
	d := &oDevice{done: map[string]bool{}}
	o.devices = append(o.devices, d)
	o.turn(d, o.profile(kindVisitor, now), now, "")
	return d
}

func (o *oracle) turn(d *oDevice, who *oProfile, from int64, cause string) {
	if len(d.epochs) > 0 {
		from = max(from, d.now().from)
		d.now().to = from
	}
	d.epochs = append(d.epochs, &oEpoch{who: who, from: from, cause: cause})
	if len(d.epochs) > oEpochsKept {
		d.epochs = d.epochs[1:]
	}
}
