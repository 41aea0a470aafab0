package tracker

import (
	"slices"
	"strings"
)

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
