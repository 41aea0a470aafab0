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
	if err := w.passOn(d); err != nil {
		return err
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

// passOn lets the cookies and boots of a device that is deleted lead to its
// successor, where there is one: the browser may not have heard of a newer
// cookie yet, and must not become a third device (B8). A successor that is gone
// already was erased, and so is what these cookies stand for (B33).
func (w *work) passOn(d *device) error {
	next := &device{}
	if !d.successor.zero() {
		found, err := w.loadDevice(d.successor)
		if err != nil {
			return err
		}
		if found == nil {
			return w.entombAll(d, millis(w.now))
		}
		next = found
	}
	tokens, err := w.inherit(tableToken, d, d.tokens, next.id, maxTokens-len(next.tokens))
	if err != nil {
		return err
	}
	boots, err := w.inherit(tableBoot, d, d.boots, next.id, maxBoots-len(next.boots))
	if len(tokens)+len(boots) > 0 {
		next.tokens, next.boots, next.dirty = append(tokens, next.tokens...), append(boots, next.boots...), true
	}
	return err
}

// inherit lets the newest of some cookies or boots lead to heir from now on, as
// of when they were issued, and the others nowhere.
func (w *work) inherit(table byte, d *device, hashes []digest, heir id, most int) (led []digest, err error) {
	for i, hash := range hashes {
		key := hashKey(table, d.account, hash)
		if heir.zero() || len(hashes)-i > most {
			if err := w.forgetKey(key, d.id); err != nil {
				return nil, err
			}
			continue
		}
		value, err := w.tx.Get(key)
		if err != nil {
			return nil, err
		}
		of, since, err := decodeDeviceReference(value)
		if err != nil || of != d.id {
			continue // it leads to another device by now
		}
		led = append(led, hash)
		if err := w.tx.Put(key, deviceReference(heir, since)); err != nil {
			return nil, err
		}
	}
	return led, nil
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
