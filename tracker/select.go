package tracker

import (
	"slices"
	"strings"
)

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

// turn begins a new epoch of the device: from the boundary on, which is now
// unless the request shows a change of before, p is who it is.
func (w *work) turn(p *profile, cause string) error {
	d, from := w.device, w.boundary
	if last := d.current(); last != nil {
		if last.profile == p.id {
			return nil
		}
		from = max(from, last.from)
		last.to = from
	}
	// Whoever is taken on by a browser is guarded against being erased at the
	// same moment.
	p.dirty = true
	d.epochs = append(d.epochs, epoch{name: w.ids.epoch(), profile: p.id, from: from, cause: cause})
	if err := w.dropEpochs(); err != nil {
		return err
	}
	d.dirty = true
	return w.tx.Put(referenceKey(p.account, p.id, tableDevice, d.id[:]), present)
}

// dropEpochs keeps the record of a device small. A profile that it no longer
// names is not to name it either.
func (w *work) dropEpochs() error {
	d := w.device
	for len(d.epochs) > maxEpochs {
		dropped := d.epochs[0].profile
		d.epochs = slices.Delete(d.epochs, 0, 1)
		if slices.ContainsFunc(d.epochs, func(ep epoch) bool { return ep.profile == dropped }) {
			continue
		}
		if err := w.tx.Delete(referenceKey(d.account, dropped, tableDevice, d.id[:])); err != nil {
			return err
		}
	}
	return nil
}

// profile is who the device is now.
func (w *work) profile() (*profile, error) {
	current := w.device.current()
	if current == nil {
		return nil, errGone
	}
	p, err := w.load(current.profile)
	if err == nil && p == nil {
		return nil, errGone
	}
	return p, err
}

// standing says how a call relates to the epochs of its device (B8).
type standing int

const (
	standingNow   standing = iota // of the present epoch
	standingOlder                 // of an older one, made while it lasted
	standingStale                 // of an older one, made after it ended, or of none this device knows
)

// epochOf finds the epoch a call belongs to. The stamp says what the page knew;
// without one the time at which the call was made decides.
func (w *work) epochOf(call *Call) (*epoch, standing) {
	d := w.device
	made := w.madeBy(d.current().from, call)
	if w.retired {
		made = min(made, d.rotated-1)
	}
	i := d.stamped(call.Epoch, made)
	if i < 0 {
		return nil, standingStale
	}
	ep := &d.epochs[i]
	switch {
	case i == len(d.epochs)-1 && !w.retired:
		return ep, standingNow
	case w.earliest(call, made) < ep.to && w.age(call) <= lateLimit.Milliseconds():
		return ep, standingOlder
	}
	return ep, standingStale
}

// age is how old a call was when it was sent.
func (w *work) age(call *Call) int64 {
	return millis(w.req.ReceivedAt) - millis(madeAt(w.req.ReceivedAt, w.req.SentAt, call.At))
}

// madeBy is when a call was made, by the clock that something was noted by. If
// that is still to come, the clock was set back since, or is another proxy's and
// behind; all that tells then is the age: what is older than requests are under
// way is of before, and everything younger of afterwards.
func (w *work) madeBy(noted int64, call *Call) int64 {
	now, age := millis(w.req.ReceivedAt), w.age(call)
	if noted-now <= underWay.Milliseconds() {
		return now - age
	}
	return noted - max(0, age-underWay.Milliseconds())
}

// earliest is when a call may have been made that says who the page believed in.
// Its age does not tell how long the request was under way: for as long as the
// clocks seem to differ, unless they do so by more than requests take. While one
// tab's call is on its way another's may end the epoch, and the doubt must not
// lose it (B19). Without a stamp the age alone decides: the doubt would lead
// whoever came later to an earlier person.
func (w *work) earliest(call *Call, made int64) int64 {
	if off := w.req.ReceivedAt.Sub(w.req.SentAt); call.Epoch != "" && off > 0 && off <= underWay {
		made -= off.Milliseconds()
	}
	return made
}

// stamped resolves a stamp to the index of an epoch, -1 when the device has
// none such. made is when the call was made.
func (d *device) stamped(stamp string, made int64) int {
	base, cause, waited := cutStamp(stamp)
	if waited {
		for i := len(d.epochs) - 1; i >= 0; i-- {
			if d.epochs[i].cause == cause {
				return i
			}
		}
	}
	if base != "" {
		return slices.IndexFunc(d.epochs, func(ep epoch) bool { return ep.name == base })
	}
	// The first epoch reaches back without limit: the page made its calls
	// before the server heard of it.
	for i := len(d.epochs) - 1; i > 0; i-- {
		if d.epochs[i].from <= made {
			return i
		}
	}
	return 0
}

// cutStamp takes "<epoch>+<call id>" apart; waited says that there is a "+".
func cutStamp(stamp string) (base, cause string, waited bool) {
	return strings.Cut(stamp, "+")
}
