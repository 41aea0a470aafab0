package tracker

import (
	"fmt"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// A visitor is one browser, so what a call changes of the visitor and of the
// device is one record: that of the device, which holds the visitor's. A call
// of a visitor then rewrites one key instead of two. Under the visitor's own
// key stands only which device that is. When the visitor becomes part of a
// person, or is removed, its record moves to its own key, and the device's is
// written with it: whoever changes either meets the other's write.

// standsWith says that the record of p belongs into that of d.
func (p *profile) standsWith(d *device) bool {
	current := d.current()
	return p.kind == kindVisitor && p.mergedInto.zero() && p.erasing == 0 && p.device == d.id &&
		current != nil && current.profile == p.id
}

// visitorPlace is what stands under the key of a visitor whose record is within
// that of its device.
func visitorPlace(device id) []byte {
	e := newEncoder(24)
	e.id(placeField, device)
	return e.b
}

const placeField = 30

// placeOf is the device that holds a visitor's record, zero when the value is
// the record itself.
func placeOf(value []byte) (device id, err error) {
	err = decodeValue(value, func(f field) {
		if f.number == placeField {
			device = f.id()
		}
	})
	return device, err
}

// whereabouts is the value of a profile's deadlines in the queue. A visitor's
// says where the record stands, so that the sweeper looks into one place only.
func (p *profile) whereabouts() []byte {
	if p.kind == kindVisitor && !p.device.zero() {
		return visitorPlace(p.device)
	}
	return present
}

// lookAt reads the record that a deadline says its visitor's is in. It may have
// moved since, or what the deadline says is damaged: then the visitor's own key
// leads to it.
func (w *work) lookAt(deadline []byte) error {
	place, err := placeOf(deadline)
	if err != nil || place.zero() {
		return nil //nolint:nilerr // the key says all
	}
	_, err = w.loadDevice(place)
	return err
}

// takeVisitor reads the record of the visitor the device is.
func (d *device) takeVisitor(record []byte) error {
	current := d.current()
	if current == nil {
		return fmt.Errorf("%w: the visitor of a device that is nobody", errMalformed)
	}
	d.visitor = &profile{id: current.profile, account: d.account, device: d.id, within: d}
	err := decodeFields(record, d.visitor.take)
	d.visitor.settled()
	return err
}

// readProfile reads the hot record of a profile from where it stands, nil when
// there is none.
func readProfile(r store.Reader, a Account, i id) (*profile, error) {
	value, err := r.Get(idKey(tableProfile, a, i))
	if err != nil || len(value) == 0 {
		return nil, err
	}
	p, err := decodeProfile(a, i, value)
	if err != nil || p.place.zero() {
		return p, err
	}
	d, err := readDevice(r, a, p.place)
	if err != nil || d == nil || d.visitor == nil || d.visitor.id != i {
		return nil, err
	}
	return d.visitor, nil
}

func readDevice(r store.Reader, a Account, i id) (*device, error) {
	value, err := r.Get(idKey(tableDevice, a, i))
	if err != nil || len(value) == 0 {
		return nil, err
	}
	return decodeDevice(a, i, value)
}

// loadDevice returns the record of a device, nil when there is none. The same
// pointer comes back within a transaction.
func (w *work) loadDevice(i id) (*device, error) {
	for _, d := range w.devices {
		if d.id == i {
			return d, nil
		}
	}
	d, err := readDevice(w.tx, w.req.Account, i)
	if err != nil || d == nil {
		return nil, err
	}
	w.keep(d)
	return d, nil
}

// keep makes d part of the transaction, with its visitor.
func (w *work) keep(d *device) {
	w.devices = append(w.devices, d)
	if v := d.visitor; v != nil {
		w.profiles[v.id] = v
	}
}

// settle moves the records of visitors to where they stand from now on.
func (w *work) settle() error {
	for _, d := range w.devices {
		if v := d.visitor; v != nil && !v.standsWith(d) {
			v.within, v.dirty = nil, true
			d.visitor, d.dirty = nil, true
		}
		if d.visitor == nil && d.dirty && d.current() != nil {
			if err := w.takeIn(d); err != nil {
				return err
			}
		}
		if d.visitor != nil && d.visitor.dirty {
			d.dirty = true
		}
	}
	return nil
}

// takeIn brings the record of the visitor a device is into the device's: of a
// new one, or one that was written before records stood there.
func (w *work) takeIn(d *device) error {
	v := w.profiles[d.current().profile]
	if v == nil || !v.standsWith(d) {
		return nil
	}
	d.visitor, v.within = v, d
	return w.tx.Put(idKey(tableProfile, v.account, v.id), visitorPlace(d.id))
}

// removeProfile deletes the record of a profile.
func (w *work) removeProfile(p *profile) error {
	delete(w.profiles, p.id)
	if d := p.within; d != nil {
		p.within, d.visitor, d.dirty = nil, nil, true
	}
	return w.tx.Delete(idKey(tableProfile, p.account, p.id))
}

// dropDevice deletes the record of a device. A visitor's that stands in it has
// to be removed as well.
func (w *work) dropDevice(d *device) error {
	for n, known := range w.devices {
		if known == d {
			w.devices = append(w.devices[:n:n], w.devices[n+1:]...)
			break
		}
	}
	if v := d.visitor; v != nil { // its record is on its own until it goes
		d.visitor, v.within, v.dirty = nil, nil, true
	}
	return w.tx.Delete(idKey(tableDevice, d.account, d.id))
}
