package tracker

import "strings"

// device is one browser on one site: its record is the guard of everything
// that is decided per browser, and rewritten once a request.
type device struct {
	id        id
	account   Account
	tokens    []digest // cookies issued, newest last
	boots     []digest
	successor id    // the device to use instead, once this one's visitor was overdue
	rotated   int64 // when its tokens of before were retired, 0 when none was

	chat       id     // the Live Chat session it is bound to
	chatHash   digest // our chat cookie as issued to it
	chatSeen   int64  // sentAt of the latest call that presented it, 0 before
	chatIssued int64  // when it was issued
	seen       int64  // when the latest request of this device came

	consent   int64 // when the visitor consented by a call, 0 when none did (B30)
	notBefore int64 // what was erased here until then: calls made before are dropped (B33)
	gone      int64 // when it was to be forgotten, 0 while it is in use (B30)

	sites   []siteSeen
	epochs  []epoch // the last is the present one
	windows []tabWindow

	visitor *profile // the visitor it is, nil while it is a person's
	dirty   bool
}

// siteSeen is a site's session cookie this device presented.
type siteSeen struct {
	name  string
	value digest
	sent  int64 // sentAt of the latest call that presented it (B7)
}

// epoch is a pairing of the device with a profile (B8).
type epoch struct {
	name     string
	profile  id     // zero when it was erased
	from, to int64  // server time; to is 0 while it lasts
	cause    string // client id of the chat call that led to it
}

// tabWindow says which calls of a tab were recorded: the highest sequence and a
// bit for each of the 64 before and with it, as IPsec does against replay.
type tabWindow struct {
	tab  string
	high uint64
	bits uint64
}

// Bounds of a device record, which is rewritten with every request.
const (
	maxTokens  = 16 // several tabs of a first visit each get a cookie; the browser keeps the last
	maxBoots   = 4  // one at a time, but where pages cannot share theirs
	maxEpochs  = 8
	maxWindows = 4 // further tabs keep their window under a key of its own
	maxSites   = 4
)

// unbind takes the device out of its Live Chat session.
func (d *device) unbind() {
	d.chat, d.chatHash, d.chatSeen, d.chatIssued, d.sites, d.dirty = id{}, digest{}, 0, 0, nil, true
}

func (d *device) current() *epoch {
	if len(d.epochs) == 0 {
		return nil
	}
	return &d.epochs[len(d.epochs)-1]
}

func (d *device) encode() []byte {
	e := newEncoder(384)
	for _, t := range d.tokens {
		e.bytes(2, t[:])
	}
	for _, b := range d.boots {
		e.bytes(3, b[:])
	}
	e.id(4, d.successor)
	e.id(5, d.chat)
	if d.chatHash != (digest{}) {
		e.bytes(6, d.chatHash[:])
	}
	e.int(7, d.chatSeen)
	for _, s := range d.sites {
		e.nested(8, func(n *encoder) {
			n.string(1, s.name)
			n.bytes(2, s.value[:])
			n.int(3, s.sent)
		})
	}
	for _, ep := range d.epochs {
		e.nested(9, func(n *encoder) {
			n.string(1, ep.name)
			n.id(2, ep.profile)
			n.int(3, ep.from)
			n.int(4, ep.to)
			n.string(5, ep.cause)
		})
	}
	for _, w := range d.windows {
		e.nested(10, func(n *encoder) { w.encode(n) })
	}
	e.int(11, d.chatIssued)
	e.int(12, d.seen)
	e.int(13, d.rotated)
	e.int(14, d.consent)
	e.int(15, d.notBefore)
	e.int(16, d.gone)
	if d.visitor != nil {
		e.nested(17, func(n *encoder) { d.visitor.encodeTo(n, id{}) })
	}
	return e.b
}

func (w tabWindow) encode(e *encoder) {
	e.string(1, w.tab)
	e.uint(2, w.high)
	e.uint(3, w.bits)
}

func decodeDevice(a Account, i id, value []byte) (*device, error) {
	d := &device{id: i, account: a}
	var inner error
	var visitor []byte
	err := decodeValue(value, func(f field) {
		switch f.number {
		case 2:
			d.tokens = append(d.tokens, f.digest())
		case 3:
			d.boots = append(d.boots, f.digest())
		case 4:
			d.successor = f.id()
		case 5:
			d.chat = f.id()
		case 6:
			d.chatHash = f.digest()
		case 7:
			d.chatSeen = f.int()
		case 8:
			s, err := decodeSiteSeen(f.data)
			d.sites, inner = append(d.sites, s), firstError(inner, err)
		case 9:
			ep, err := decodeEpoch(f.data)
			d.epochs, inner = append(d.epochs, ep), firstError(inner, err)
		case 10:
			w, err := decodeWindow(f.data)
			d.windows, inner = append(d.windows, w), firstError(inner, err)
		case 11:
			d.chatIssued = f.int()
		case 12:
			d.seen = f.int()
		case 13:
			d.rotated = f.int()
		case 14:
			d.consent = f.int()
		case 15:
			d.notBefore = f.int()
		case 16:
			d.gone = f.int()
		case 17:
			visitor = f.data
		}
	})
	if err = firstError(err, inner); err == nil && visitor != nil {
		err = d.takeVisitor(visitor)
	}
	return d, err
}

func decodeSiteSeen(b []byte) (s siteSeen, err error) {
	err = decodeFields(b, func(f field) {
		switch f.number {
		case 1:
			s.name = f.string()
		case 2:
			s.value = f.digest()
		case 3:
			s.sent = f.int()
		}
	})
	return s, err
}

func decodeEpoch(b []byte) (ep epoch, err error) {
	err = decodeFields(b, func(f field) {
		switch f.number {
		case 1:
			ep.name = f.string()
		case 2:
			ep.profile = f.id()
		case 3:
			ep.from = f.int()
		case 4:
			ep.to = f.int()
		case 5:
			ep.cause = f.string()
		}
	})
	return ep, err
}

func decodeWindow(b []byte) (w tabWindow, err error) {
	err = decodeFields(b, func(f field) { w.take(f) })
	return w, err
}

func (w *tabWindow) take(f field) {
	switch f.number {
	case 1:
		w.tab = f.string()
	case 2:
		w.high = f.value
	case 3:
		w.bits = f.value
	}
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// windowSize is how many calls of a tab a window knows.
const windowSize = 64

// behind says that n was pushed out of the window: it counts as recorded,
// unless it was left open (see holes).
func (w tabWindow) behind(n uint64) bool { return n <= w.high && w.high-n >= windowSize }

// seen says whether n, which is not behind the window, was recorded.
func (w tabWindow) seen(n uint64) bool {
	return n <= w.high && w.bits&(1<<(w.high-n)) != 0
}

// advance moves the window so that it reaches n, and returns what it pushes
// out that was not recorded: calls that were refused, or are still on their way.
func (w *tabWindow) advance(n uint64) (open []uint64) {
	if n <= w.high {
		return nil
	}
	for i := min(windowSize, w.high); i > 0; i-- {
		if old := w.high - (i - 1); n-old >= windowSize && w.bits&(1<<(i-1)) == 0 {
			open = append(open, old)
		}
	}
	w.bits <<= n - w.high // by 64 and more: none is left
	w.high = n
	return open
}

// mark notes n, which advance has brought into the window.
func (w *tabWindow) mark(n uint64) { w.bits |= 1 << (w.high - n) }

// splitClientID takes an id of the SDK's form, <tab>-<sequence>, apart. Ids of
// any other form are kept one by one.
func splitClientID(client string) (tab string, n uint64, ok bool) {
	tab, digits, found := strings.Cut(client, "-")
	if !found || tab == "" || len(tab) > 20 || digits == "" || len(digits) > 15 || digits[0] == '0' {
		return "", 0, false
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return "", 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return tab, n, true
}
