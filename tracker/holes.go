package tracker

import "strconv"

// Holes are calls that a tab's window pushed out although they were not
// recorded, nearly always because they were refused: such a call is refused
// again, however late it is repeated (B26). 64 numbers share a key, which is
// there only if one of them is a hole, and is dropped like a spilled window.

// holesKey is where the holes around n are kept.
func holesKey(d *device, tab string, n uint64) []byte {
	return dedupeKey(0, d.account, d.id, holesName(tab, n))
}

// holesName has a character that no name of a tab holds.
func holesName(tab string, n uint64) string {
	return spillMark + tab + "." + strconv.FormatUint(n/windowSize, 36)
}

func holeBit(n uint64) uint64 { return 1 << (n % windowSize) }

// open are the holes around n, as bits.
func (w *work) open(tab string, n uint64) (bits uint64, err error) {
	value, err := w.tx.Get(holesKey(w.device, tab, n))
	if err != nil || len(value) == 0 {
		return 0, err
	}
	return decodeHoles(value)
}

func encodeHoles(bits uint64, at int64) []byte {
	e := newEncoder(24)
	e.uint(3, bits)
	e.int(4, at)
	return e.b
}

func decodeHoles(value []byte) (bits uint64, err error) {
	err = decodeValue(value, func(f field) {
		if f.number == 3 {
			bits = f.value
		}
	})
	return bits, err
}

// leaveOpen notes a hole.
func (w *work) leaveOpen(tab string, n uint64) error {
	bits, err := w.open(tab, n)
	if err != nil {
		return err
	}
	d := w.device
	if err := w.tx.Put(holesKey(d, tab, n), encodeHoles(bits|holeBit(n), millis(w.now))); err != nil {
		return err
	}
	return w.tx.Put(dedupeKey(dayOf(w.now), d.account, d.id, holesName(tab, n)), present)
}

// close fills a hole: the call came after all, or is not refused any more.
func (w *work) close(tab string, n uint64) error {
	bits, err := w.open(tab, n)
	if err != nil {
		return err
	}
	if bits &^= holeBit(n); bits == 0 {
		return w.tx.Delete(holesKey(w.device, tab, n))
	}
	return w.tx.Put(holesKey(w.device, tab, n), encodeHoles(bits, millis(w.now)))
}
