package tracker

import "time"

// device removes a device that still is the erased profile. One that went on
// to be somebody else forgets that it ever was.
func (r *removal) device(p *profile, i id) (done bool, err error) {
	d, err := r.loadDevice(i)
	if err != nil || d == nil {
		return true, err
	}
	at, err := r.overtaken(d)
	if err != nil {
		return false, err
	}
	if at != 0 {
		return r.removeDevice(d, at)
	}
	if !r.spend(1 + 1) {
		return false, nil
	}
	for n := range d.epochs {
		if d.epochs[n].profile == p.id {
			d.epochs[n].profile = id{}
		}
	}
	d.dirty = true
	return true, nil
}

// forget removes a device whose visitor withdrew consent.
func (r *removal) forget(i id) (again bool, err error) {
	d, err := r.loadDevice(i)
	if err != nil || d == nil {
		return false, err
	}
	done, err := r.removeDevice(d, r.at)
	return !done, err
}

// removeDevice leaves nothing of a device but tombstones.
func (r *removal) removeDevice(d *device, at int64) (done bool, err error) {
	if done, err := r.clientIDs(d); err != nil || !done {
		return false, err
	}
	if !r.spend(2*len(d.tokens) + 2*len(d.boots) + len(d.epochs) + 2) {
		return false, nil
	}
	if err := r.entombAll(d, at); err != nil {
		return false, err
	}
	for _, ep := range d.epochs {
		if err := r.tx.Delete(referenceKey(d.account, ep.profile, tableDevice, d.id[:])); err != nil {
			return false, err
		}
	}
	return true, r.dropDevice(d)
}

// clientIDs removes the ids of the device's calls, day by day, and the windows
// of tabs that stand outside the days.
func (r *removal) clientIDs(d *device) (done bool, err error) {
	days := []uint16{0}
	for back := range dedupeDays + 3 {
		days = append(days, dayOf(r.now.Add(time.Duration(1-back)*lateLimit)))
	}
	for _, day := range days {
		if done, err := r.rows(dedupeKey(day, d.account, d.id, "")); err != nil || !done {
			return false, err
		}
	}
	return true, nil
}
