package tracker

import (
	"errors"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// deadline says what the sweeper does when one of its kind is due. again asks
// for another transaction.
type deadline struct {
	settle func(w *work, key, ref []byte) (again bool, err error)
	ends   bool // it ends a session, which cannot wait (B11); others expire
	// told says whether the record that is read anyway names the deadline, which
	// is then there. Nil and false leave it to a look into the queue.
	told func(w *work, at int64, ref []byte) (bool, error)
}

// stands says whether the entry of the queue is still there.
func (d deadline) stands(w *work, key, ref []byte) (bool, error) {
	if d.told != nil {
		at, _, _, err := parseQueueKey(key)
		if err != nil {
			return false, err
		}
		if told, err := d.told(w, at, ref); told || err != nil {
			return told, err
		}
	}
	entry, err := w.tx.Get(key)
	return len(entry) > 0, err
}

// deadlines are all kinds of them, by the letter in their key.
var deadlines = map[byte]deadline{
	dueSession: {settle: inOne((*work).sessionDue), ends: true, told: (*work).sessionQueued},
	dueLate:    {settle: inOne((*work).lateDue), ends: true},
	dueVisitor: {settle: (*work).visitorDue},
	dueChat:    {settle: inOne((*work).chatDue)},
	dueGrave:   {settle: inOne((*work).graveDue)},
	dueTomb:    {settle: inOne((*work).tombDue)},
	dueInvalid: {settle: inOne((*work).invalidationDue)},
}

// inOne is for kinds that one transaction settles.
func inOne(settle func(w *work, key, ref []byte) error) func(w *work, key, ref []byte) (bool, error) {
	return func(w *work, key, ref []byte) (bool, error) { return false, settle(w, key, ref) }
}

// sessionQueued says whether the open session of a profile is queued for at.
func (w *work) sessionQueued(at int64, ref []byte) (bool, error) {
	_, i, err := parseIDRef(ref)
	if err != nil {
		return false, err
	}
	p, err := w.load(i)
	return p != nil && !p.open.id.zero() && p.open.queued == at, err
}

// sessionDue ends the open session of a profile, unless activity went on.
func (w *work) sessionDue(key, ref []byte) error {
	_, i, err := parseIDRef(ref)
	if err != nil {
		return err
	}
	p, err := w.load(i)
	if err != nil {
		return err
	}
	if p == nil || p.open.id.zero() {
		return w.tx.Delete(key)
	}
	if at, err := w.erasedAt(i); at != 0 || err != nil {
		p.open, p.dirty = openSession{}, true
		return errors.Join(err, w.tx.Delete(key))
	}
	end := p.open.last + w.timeout
	if end <= millis(w.now) {
		if err := w.endOpen(p); errors.Is(err, errGone) {
			p.open, p.dirty = openSession{}, true // nothing is left to be ended
		} else if err != nil {
			return err
		}
		return w.tx.Delete(key)
	}
	if err := w.tx.Delete(key); err != nil {
		return err
	}
	p.open.queued, p.dirty = end, true
	return w.tx.Put(queueKey(end, dueSession, ref), p.whereabouts())
}

// lateDue ends a back-dated session when no more of its events came (B13),
// at the latest where the next session of its timeline begins.
func (w *work) lateDue(key, ref []byte) error {
	if err := w.tx.Delete(key); err != nil {
		return err
	}
	record := append([]byte{tableSession}, ref...)
	value, err := w.tx.Get(record)
	if err != nil || len(value) == 0 {
		return err
	}
	s, err := decodeSession(w.req.Account, record, value)
	if err != nil || s.end != 0 {
		return err
	}
	// The guard of the timeline keeps an event that joins at this moment from
	// being lost: it reads and writes it too.
	home, err := w.load(s.home)
	if err != nil || home == nil {
		return err
	}
	if at, err := w.erasedAt(s.home); at != 0 || err != nil {
		return err
	}
	home.dirty = true
	w.sessions[s.ref()] = s
	if s.due > millis(w.now) {
		s.queued = s.due
		return w.tx.Put(queueKey(s.due, dueLate, ref), present)
	}
	s.end = s.last + w.timeout
	after := appendTime(idKey(tableSession, s.account, s.home), s.start+1)
	next, err := w.tx.Scan(store.Range{From: after, To: prefixEnd(idKey(tableSession, s.account, s.home)), Limit: 1})
	if err != nil {
		return err
	}
	if len(next) == 1 {
		if _, start, _, err := parseSessionKey(next[0].Key); err == nil {
			s.end = max(s.last, min(s.end, start))
		}
	}
	return w.conclude(s.home, s)
}

// chatDue ends a Live Chat session nobody uses any more (B7).
func (w *work) chatDue(key, ref []byte) error {
	if err := w.tx.Delete(key); err != nil {
		return err
	}
	_, i, err := parseIDRef(ref)
	if err != nil {
		return err
	}
	c, err := w.loadChat(i)
	if err != nil || c == nil || c.ended != 0 {
		return err
	}
	end := w.chatEnd(c)
	if end > millis(w.now) {
		c.queued, c.dirty = end, true
		return w.tx.Put(queueKey(end, dueChat, ref), present)
	}
	c.queued = 0
	return w.end(c, end)
}

// graveDue forgets an ended cookie value, or an ended session itself, after
// its 400 days.
func (w *work) graveDue(key, ref []byte) error {
	if err := w.tx.Delete(key); err != nil {
		return err
	}
	const session = 2 + 16 + 16
	if len(ref) == session {
		var i id
		copy(i[:], ref[2:])
		c, err := w.loadChat(i)
		if err != nil || c == nil {
			return err
		}
		delete(w.chats, i)
		return w.remove(idKey(tableChat, c.account, i), referenceKey(c.account, c.profile, tableChat, i[:]))
	}
	var hash digest
	if copy(hash[:], ref[2+16:]) != len(hash) {
		return errMalformed
	}
	return w.tx.Delete(hashKey(tableCookie, w.req.Account, hash))
}
