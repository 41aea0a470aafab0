package tracker

import (
	"errors"
	"log/slog"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// work is one transaction's view: the records it touched, each read once and
// written once at the end, and what is to be answered.
type work struct {
	*Service
	tx      store.Tx
	req     *Request
	account AccountConfig
	ids     *idSource
	now     time.Time
	over    int64 // what ends at this moment or before may be ended (B36)

	device     *device
	boundary   int64       // when the epoch that begins next does
	moment     int64       // the event time of what is being carried out
	nth        int         // the place of the call that is being carried out
	judged     []judgement // of the request's calls
	active     bool        // an activity was recorded
	unanswered bool        // the answer that brought the browser its present cookies was lost
	retired    bool        // it came with a retired token: it is of before the last change
	unseen     bool        // the request is not the browser's: it gets no cookie
	retires    bool        // the device's tokens of before were retired by this request
	granted    bool        // its first call is the visitor's consent (B30)
	notBefore  int64       // calls made before are dropped: who made them was erased (B33)
	rotated    string      // the device token to set, "" when the cookie stays
	chatSet    CookieChange
	devices    []*device // read in this transaction, among them the one above
	profiles   map[id]*profile
	chats      map[id]*chat
	sessions   map[sessionRef]*session // touched in this transaction
	fresh      map[id]bool             // profiles whose session was touched in this request
	sequence   uint16                  // events of this request so far
	random     id                      // of their ids
	warnings   []Warning               // put on the results of init calls
	notes      []slog.Attr
}

func newWork(s *Service, tx store.Tx, req *Request, account AccountConfig, ids *idSource) *work {
	return &work{
		Service: s, tx: tx, req: req, account: account, ids: ids, now: req.ReceivedAt, over: millis(req.ReceivedAt),
		profiles: make(map[id]*profile, 2), chats: make(map[id]*chat, 1),
		sessions: make(map[sessionRef]*session, 1), fresh: make(map[id]bool, 1), boundary: millis(req.ReceivedAt), moment: millis(req.ReceivedAt),
	}
}

// errGone says that a record which another one names is not there: the store
// contradicts itself, or the profile was erased meanwhile.
var errGone = errors.New("tracker: record is gone")

// load returns the hot record of a profile, nil when there is none. The same
// pointer comes back within a transaction.
func (w *work) load(i id) (*profile, error) {
	if p, ok := w.profiles[i]; ok {
		return p, nil
	}
	value, err := w.tx.Get(idKey(tableProfile, w.req.Account, i))
	if err != nil || len(value) == 0 {
		return nil, err
	}
	p, err := decodeProfile(w.req.Account, i, value)
	if err != nil {
		return nil, err
	}
	if !p.place.zero() {
		_, err := w.loadDevice(p.place)
		return w.profiles[i], err
	}
	w.profiles[i] = p
	return p, nil
}

// maxMergeHops is more than merges make, as they point to persons: a longer
// chain is a circle.
const maxMergeHops = 8

// owner follows the pointer of a merged profile to the person whose guard and
// session count.
func (w *work) owner(p *profile) (*profile, error) {
	for hops := 0; !p.mergedInto.zero(); hops++ {
		if hops == maxMergeHops {
			return nil, errGone
		}
		next, err := w.load(p.mergedInto)
		if err != nil {
			return nil, err
		}
		if next == nil {
			return nil, errGone
		}
		p = next
	}
	return p, nil
}

func (w *work) loadChat(i id) (*chat, error) {
	if c, ok := w.chats[i]; ok {
		return c, nil
	}
	value, err := w.tx.Get(idKey(tableChat, w.req.Account, i))
	if err != nil || len(value) == 0 {
		return nil, err
	}
	c, err := decodeChat(w.req.Account, i, value)
	if err != nil {
		return nil, err
	}
	w.chats[i] = c
	return c, nil
}

func (w *work) create(k kind) *profile {
	p := &profile{id: w.ids.id(), account: w.req.Account, kind: k, created: millis(w.now), modified: millis(w.now), dirty: true}
	if k != kindVisitor {
		p.extras = extrasNoted
	}
	w.profiles[p.id] = p
	return p
}

// flush writes each touched record once.
func (w *work) flush() error {
	if err := w.settle(); err != nil {
		return err
	}
	for _, s := range w.sessions {
		if err := w.tx.Put(s.key(), s.encode()); err != nil {
			return err
		}
	}
	for _, p := range w.profiles {
		if !p.dirty || p.within != nil {
			continue
		}
		if err := w.list(p); err != nil {
			return err
		}
		if err := w.tx.Put(idKey(tableProfile, p.account, p.id), p.encode()); err != nil {
			return err
		}
	}
	for _, c := range w.chats {
		if !c.dirty {
			continue
		}
		if err := w.tx.Put(idKey(tableChat, c.account, c.id), c.encode()); err != nil {
			return err
		}
	}
	for _, d := range w.devices {
		if !d.dirty {
			continue
		}
		if err := w.tx.Put(idKey(tableDevice, d.account, d.id), d.encode()); err != nil {
			return err
		}
	}
	return nil
}

// list moves a person's entry in the listing where it belongs: among those
// with an open session, by its deadline in the queue, or at its last activity.
func (w *work) list(p *profile) error {
	if !p.person() {
		return nil
	}
	state, at := byte(listedIdle), max(p.activity, p.created)
	if !p.open.id.zero() {
		state, at = listedLive, p.open.queued
	}
	return w.place(p, p.platformType(), state, at)
}

// place puts the entry of a person under a type, state and time.
func (w *work) place(p *profile, t PersonType, state byte, at int64) error {
	if p.listed == state && p.listing == at {
		return nil
	}
	if err := w.unlist(p, t); err != nil {
		return err
	}
	p.listed, p.listing = state, at
	return w.tx.Put(listingKey(p.account, t, state, at, p.id), present)
}

func (w *work) unlist(p *profile, t PersonType) error {
	if p.listed == 0 {
		return nil
	}
	err := w.tx.Delete(listingKey(p.account, t, p.listed, p.listing, p.id))
	p.listed, p.listing = 0, 0
	return err
}

// present is the value of keys that say all by being there; an empty value
// would be an absent key.
var present = []byte{valueVersion}

// remove deletes keys in their order.
func (w *work) remove(keys ...[]byte) error {
	for _, k := range keys {
		if err := w.tx.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
