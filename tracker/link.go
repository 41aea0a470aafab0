package tracker

// personLink is why two persons are connected. It stands under both.
type personLink struct {
	reason string
	at     int64
	merge  id // the merge that was undone, where that is the reason
}

func (l personLink) encode() []byte {
	e := newEncoder(48)
	e.string(1, l.reason)
	e.int(2, l.at)
	e.id(3, l.merge)
	return e.b
}

func decodeLink(value []byte) (l personLink, err error) {
	err = decodeValue(value, func(f field) {
		switch f.number {
		case 1:
			l.reason = f.string()
		case 2:
			l.at = f.int()
		case 3:
			l.merge = f.id()
		}
	})
	return l, err
}

// putLink connects two persons, from both sides.
func (w *work) putLink(one, other id, l personLink) error {
	for _, i := range []id{one, other} {
		p, err := w.load(i)
		if err != nil {
			return err
		}
		if p != nil && !p.extras.may(extraLinks) {
			p.extras, p.dirty = p.extras|extraLinks, true
		}
	}
	if err := w.tx.Put(pairKey(tableLink, w.req.Account, one, other), l.encode()); err != nil {
		return err
	}
	return w.tx.Put(pairKey(tableLink, w.req.Account, other, one), l.encode())
}
