package tracker

import "slices"

// resolveDevice finds the browser of this request, or makes it (B2). ok is
// false when nothing may be recorded: the browser keeps no cookie (B25), or all
// was done before it was erased (B33).
func (w *work) resolveDevice() (ok bool, err error) {
	tokens := distinct(w.req.DeviceTokens)
	if len(tokens) == 1 {
		ok, err := w.presented(tokens[0])
		if ok && err == nil {
			err = w.noteBoot()
		}
		if ok || err != nil {
			return ok, err
		}
	}
	boot, ok := w.boot(tokens)
	if !ok {
		return false, nil
	}
	d, since, err := w.deviceAt(hashKey(tableBoot, w.req.Account, boot))
	if err != nil || w.before() {
		return false, err
	}
	life := bootLife
	if w.req.Boot == "" {
		life = underWay // anybody may have sent that cookie; only tabs of one moment meet by it
	}
	switch {
	case d == nil || w.now.Sub(fromMillis(since)) >= life:
		return true, w.newDevice(boot)
	case d.rotated == 0 || d.proved(w.req) || since >= d.rotated && d.chat.zero():
		w.device, w.unanswered = d, d.rotated != 0
		if err := w.retireOverdue(); err != nil {
			return false, err
		}
		return true, w.issueToken()
	case w.req.Boot == "":
		return true, w.newDevice(boot)
	}
	return false, nil // the cookies it was answered with never came back
}

// presented takes the device of a token this server issued. One from before
// the device's Live Chat session changed is retired: for the time requests are
// under way it stands for what was before that change, and then for nothing.
// Somebody who planted his own cookie in another's browser has no more of the
// person who authenticated there than that.
func (w *work) presented(token string) (ok bool, err error) {
	d, since, err := w.deviceAt(hashKey(tableToken, w.req.Account, digestOf(token)))
	if err != nil || d == nil {
		return false, err
	}
	if since >= d.rotated {
		w.device = d
		return true, w.retireOverdue()
	}
	if d.proved(w.req) { // the answer with the new token was lost
		w.device, w.unanswered = d, true
		return true, w.issueToken()
	}
	if w.pastUse(d, since) {
		return false, nil
	}
	w.device, w.retired = d, true
	return true, nil
}

// pastUse says that what was issued to a device at a moment was retired longer
// ago than requests are under way.
func (w *work) pastUse(d *device, since int64) bool {
	return since < d.rotated && w.now.Sub(fromMillis(d.rotated)) > underWay
}

// proved says that the request knows what only the browser can know that the
// device's session was changed in: its chat cookie, the site's, or the id of the
// call that changed it.
func (d *device) proved(req *Request) bool {
	cause := d.current().cause
	return slices.ContainsFunc(req.ChatTokens, func(v string) bool { return digestOf(v) == d.chatHash }) ||
		slices.ContainsFunc(req.SiteCookies, d.hasSeen) ||
		cause != "" && slices.ContainsFunc(req.Calls, func(c Call) bool { return c.ID == cause })
}

// rotate gives the device a new token at a change of its Live Chat session,
// which retires those of before: also where they were issued by a clock that
// was ahead, before it was set right or by another proxy.
func (w *work) rotate() error {
	if w.unseen || w.retires { // its browser is told nothing by this request, or is already
		return nil
	}
	d := w.device
	d.rotated, d.dirty, w.retires = max(millis(w.now), d.seen+1, d.rotated+1), true, true
	return w.issueToken()
}

func distinct(values []string) []string {
	out := make([]string, 0, 1)
	for _, v := range values {
		if v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// deviceAt follows a token's or boot's key to the device, and on to its
// successors; since is when the key was written. A nil device was not found,
// or erased, which notBefore then says.
func (w *work) deviceAt(key []byte) (d *device, since int64, err error) {
	value, err := w.tx.Get(key)
	if err != nil || len(value) == 0 {
		return nil, 0, err
	}
	next, since, err := decodeDeviceReference(value)
	if err != nil {
		return nil, 0, err
	}
	if next.zero() {
		t, err := decodeTombstone(value)
		w.notBefore = max(w.notBefore, t.at)
		return nil, 0, err
	}
	for hops := 0; hops < maxEpochs && !next.zero(); hops++ {
		d, err := w.loadDevice(next)
		if err != nil || d == nil {
			return nil, 0, err
		}
		if at, err := w.overtaken(d); at != 0 || err != nil {
			w.notBefore = max(w.notBefore, at)
			return nil, 0, err
		}
		if d.successor.zero() {
			w.notBefore = max(w.notBefore, d.notBefore)
			return d, since, nil
		}
		next = d.successor
	}
	return nil, 0, nil
}

// reference leads to the device as it is since its last change.
func (w *work) reference(d *device) []byte {
	return deviceReference(d.id, max(millis(w.now), d.rotated))
}

func deviceReference(i id, since int64) []byte {
	e := newEncoder(32)
	e.id(1, i)
	e.int(2, since)
	return e.b
}

func decodeDeviceReference(value []byte) (i id, since int64, err error) {
	err = decodeValue(value, func(f field) {
		switch f.number {
		case 1:
			i = f.id()
		case 2:
			since = f.int()
		}
	})
	return i, since, err
}

// newDevice makes a device known by boot, with a visitor of its own.
func (w *work) newDevice(boot digest) error {
	w.device = &device{id: w.ids.id(), account: w.req.Account, boots: []digest{boot}, notBefore: w.notBefore, dirty: true}
	w.keep(w.device)
	if err := w.reuse(boot); err != nil {
		return err
	}
	if err := w.tx.Put(hashKey(tableBoot, w.req.Account, boot), w.reference(w.device)); err != nil {
		return err
	}
	if err := w.issueToken(); err != nil {
		return err
	}
	return w.newVisitor("")
}

// issueToken gives the device a further cookie value; the older ones go on to
// lead to it.
func (w *work) issueToken() error {
	d := w.device
	w.rotated = w.ids.token()
	hash := digestOf(w.rotated)
	d.tokens = append(d.tokens, hash)
	d.dirty = true
	for len(d.tokens) > maxTokens {
		if err := w.tx.Delete(hashKey(tableToken, d.account, d.tokens[0])); err != nil {
			return err
		}
		d.tokens = slices.Delete(d.tokens, 0, 1)
	}
	return w.tx.Put(hashKey(tableToken, d.account, hash), w.reference(d))
}

// retireOverdue replaces a device whose visitor had no activity for its whole
// lifetime, although its deletion has not run yet (B15). The old record leads
// to the new one until it is deleted.
func (w *work) retireOverdue() error {
	present := w.device.current()
	if present == nil || !w.device.chat.zero() {
		return nil
	}
	p, err := w.load(present.profile)
	if err != nil {
		return err
	}
	if p != nil && (p.kind != kindVisitor || !p.mergedInto.zero() || !w.overdue(p)) {
		return nil
	}
	old := w.device
	w.device = &device{id: w.ids.id(), account: w.req.Account, consent: old.consent, notBefore: old.notBefore, dirty: true}
	w.keep(w.device)
	old.successor, old.dirty = w.device.id, true
	if err := w.issueToken(); err != nil {
		return err
	}
	return w.newVisitor("")
}

// visitorEnd is when a visitor's lifetime after its last activity is over.
func (s *Service) visitorEnd(p *profile) int64 {
	return max(p.activity, p.created) + s.visitor.Milliseconds()
}

func (w *work) overdue(p *profile) bool { return w.visitorEnd(p) <= millis(w.now) }

// newVisitor makes a visitor and turns the device's epoch to it.
func (w *work) newVisitor(cause string) error {
	p := w.create(kindVisitor)
	p.device = w.device.id
	p.expiry = w.visitorEnd(p)
	if err := w.tx.Put(queueKey(p.expiry, dueVisitor, idRef(p.account, p.id)), p.whereabouts()); err != nil {
		return err
	}
	return w.turn(p, cause)
}
