package tracker

// maxExpire is how many keys of an expired visitor one transaction deletes.
const maxExpire = 500

// visitorDue deletes a visitor whose lifetime is over (B15): events, sessions,
// device and indexes, in chunks; again says that another is needed. The hot
// record goes last, so that an interruption is taken up where it stopped.
func (w *work) visitorDue(key, ref []byte) (again bool, err error) {
	_, i, err := parseIDRef(ref)
	if err != nil {
		return false, err
	}
	p, err := w.load(i)
	if err != nil {
		return false, err
	}
	if p == nil || p.kind != kindVisitor || !p.mergedInto.zero() {
		return false, w.tx.Delete(key)
	}
	if end := w.visitorEnd(p); end > millis(w.now) {
		if err := w.tx.Delete(key); err != nil {
			return false, err
		}
		p.expiry, p.dirty = end, true
		return false, w.tx.Put(queueKey(end, dueVisitor, ref), p.whereabouts())
	}
	left := maxExpire
	for _, table := range []byte{tableEvent, tableSession, tableAttribute, tableItem, tableReference} {
		entries, err := w.tx.Scan(prefixKeys(idKey(table, p.account, p.id), left))
		if err != nil {
			return false, err
		}
		for _, entry := range entries {
			if err := w.tx.Delete(entry.Key); err != nil {
				return false, err
			}
		}
		if left -= len(entries); left == 0 {
			return true, nil
		}
	}
	if err := w.forgetDevice(p); err != nil {
		return false, err
	}
	if !p.open.id.zero() {
		if err := w.tx.Delete(queueKey(p.open.queued, dueSession, ref)); err != nil {
			return false, err
		}
	}
	if err := w.removeProfile(p); err != nil {
		return false, err
	}
	return false, w.tx.Delete(key)
}

// forgetDevice deletes the visitor's device with its cookies, unless it went
// on to be somebody else.
func (w *work) forgetDevice(p *profile) error {
	d, err := w.loadDevice(p.device)
	if err != nil || d == nil {
		return err
	}
	if current := d.current(); current != nil && current.profile != p.id {
		return nil
	}
	for _, token := range d.tokens {
		if err := w.forgetKey(hashKey(tableToken, p.account, token), d.id); err != nil {
			return err
		}
	}
	for _, boot := range d.boots {
		if err := w.forgetKey(hashKey(tableBoot, p.account, boot), d.id); err != nil {
			return err
		}
	}
	for _, window := range d.windows {
		if err := w.tx.Delete(spillKey(d, window.tab)); err != nil {
			return err
		}
	}
	for _, ep := range d.epochs { // persons it was before go on without it
		if err := w.tx.Delete(referenceKey(p.account, ep.profile, tableDevice, d.id[:])); err != nil {
			return err
		}
	}
	return w.dropDevice(d)
}

// forgetKey deletes a token or boot unless it leads to another device by now.
func (w *work) forgetKey(key []byte, device id) error {
	value, err := w.tx.Get(key)
	if err != nil || len(value) == 0 {
		return err
	}
	if i, _, err := decodeDeviceReference(value); err != nil || i != device {
		return err
	}
	return w.tx.Delete(key)
}
