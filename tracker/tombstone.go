package tracker

// tombstone stands in the place of a device's cookie or boot: what the browser
// did before that moment is not to be recorded any more (B30, B33).
type tombstone struct {
	at    int64
	until int64 // when it is forgotten itself, 0 for never
}

func (t tombstone) encode() []byte {
	e := newEncoder(16)
	e.int(3, t.at)
	e.int(4, t.until)
	return e.b
}

// decodeTombstone reads a tombstone, the zero one where a device stands.
func decodeTombstone(value []byte) (t tombstone, err error) {
	err = decodeValue(value, func(f field) {
		switch f.number {
		case 3:
			t.at = f.int()
		case 4:
			t.until = f.int()
		}
	})
	return t, err
}

// entombAll puts tombstones in the place of a device's cookies and boots.
func (w *work) entombAll(d *device, at int64) error {
	for _, token := range d.tokens {
		if err := w.entomb(tableToken, token, d, at); err != nil {
			return err
		}
	}
	for _, boot := range d.boots {
		if err := w.entomb(tableBoot, boot, d, at); err != nil {
			return err
		}
	}
	return nil
}

// entomb puts a tombstone in the place of a cookie or boot, unless it leads to
// another device by now.
func (w *work) entomb(table byte, hash digest, d *device, at int64) error {
	key := hashKey(table, d.account, hash)
	value, err := w.tx.Get(key)
	if err != nil || len(value) == 0 {
		return err
	}
	if i, _, err := decodeDeviceReference(value); err != nil || i != d.id {
		return err
	}
	t := tombstone{at: at, until: millis(w.now.Add(tombstoneLife))}
	if err := w.tx.Put(key, t.encode()); err != nil {
		return err
	}
	return w.tx.Put(queueKey(t.until, dueTomb, tombRef(d.account, table, hash)), present)
}

// reuse takes a tombstone away that a boot has left, before a new device is
// known by it; the device remembers it.
func (w *work) reuse(boot digest) error {
	value, err := w.tx.Get(hashKey(tableBoot, w.req.Account, boot))
	if err != nil || len(value) == 0 {
		return err
	}
	t, err := decodeTombstone(value)
	if err != nil || t.at == 0 {
		return err
	}
	return w.tx.Delete(queueKey(t.until, dueTomb, tombRef(w.req.Account, tableBoot, boot)))
}

// tombDue forgets a tombstone after its 400 days.
func (w *work) tombDue(key, ref []byte) error {
	table, hash, err := parseTombRef(ref)
	if err != nil {
		return err
	}
	return w.remove(key, hashKey(table, w.req.Account, hash))
}

// erasing is when a profile was erased, itself or with the person it became
// part of; 0 while it was not.
func (w *work) erasing(p *profile) (at int64, err error) {
	if p.erasing == 0 && !p.mergedInto.zero() {
		if p, err = w.owner(p); err != nil {
			return 0, err
		}
	}
	return p.erasing, nil
}

// erasedAt is when the profile of this id was erased, 0 while it was not. One
// that is not there any more is erased by now.
func (w *work) erasedAt(i id) (at int64, err error) {
	p, err := w.load(i)
	if err != nil || p == nil {
		return millis(w.now), err
	}
	return w.erasing(p)
}

// overtaken says whether a device is forgotten or its present profile erased,
// and since when. Its removal may still be under way.
func (w *work) overtaken(d *device) (at int64, err error) {
	if d.gone != 0 || len(d.epochs) == 0 {
		return d.gone, nil
	}
	p, err := w.load(d.current().profile)
	if err != nil || p == nil {
		return 0, err
	}
	return w.erasing(p)
}

// before says whether every call of the request was made before what was
// erased here.
func (w *work) before() bool {
	for i := range w.req.Calls {
		if !w.dropped(&w.req.Calls[i]) {
			return false
		}
	}
	return w.notBefore != 0
}

// dropped says whether a call is of before what was erased here.
func (w *work) dropped(call *Call) bool {
	return w.notBefore != 0 && w.madeBy(w.notBefore, call) < w.notBefore
}
