package tracker

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// The damages of TestCheckFindsDamage that take more than a line.

func (w *world) deviceAtEntry(e store.Entry) *device {
	d, err := decodeDevice(keyAccount(e.Key), lastID(e.Key), e.Value)
	require.NoError(w.t, err)
	return d
}

func (w *world) chatAt(e store.Entry) *chat {
	c, err := decodeChat(keyAccount(e.Key), lastID(e.Key), e.Value)
	require.NoError(w.t, err)
	return c
}

func (w *world) sessionAt(e store.Entry) *session {
	s, err := decodeSession(keyAccount(e.Key), e.Key, e.Value)
	require.NoError(w.t, err)
	return s
}

func (w *world) eventAt(e store.Entry) *event {
	ev, err := decodeEvent(e.Value)
	require.NoError(w.t, err)
	return ev
}

func anyDevice(*device) bool { return true }

func inAChat(d *device) bool { return !d.chat.zero() }

// strayVisitor gives a visitor's device to another visitor, in the record of
// the other.
func (w *world) strayVisitor() {
	one := w.firstProfile(aVisitor)
	other := w.firstProfile(func(p *profile) bool { return aVisitor(p) && p.id != one.id })
	other.device = one.device
	w.putProfile(other)
}

// strayReference lets a profile refer to a device that never was its.
func (w *world) strayReference() {
	lead := w.firstProfile(aLead)
	e := w.first(tableDevice, func(e store.Entry) bool {
		return !slices.ContainsFunc(w.deviceAtEntry(e).epochs, func(ep epoch) bool { return ep.profile == lead.id })
	})
	i := lastID(e.Key)
	w.change(store.Entry{Key: referenceKey(lead.account, lead.id, tableDevice, i[:]), Value: present})
}

// again tells of a session's start or end once more, some time away.
func (w *world) again(s seq, away int64) {
	e := w.first(tableEvent, func(e store.Entry) bool { return seqOf(e.Key) == s })
	home, at, _, err := parseEventKey(e.Key)
	require.NoError(w.t, err)
	w.change(store.Entry{Key: eventKey(keyAccount(e.Key), home, at+away, s, pattern(0xee)), Value: e.Value})
}

// overlapping lets a session go on into the next.
func (w *world) overlapping() {
	var before *session
	w.first(tableSession, func(e store.Entry) bool {
		s := w.sessionAt(e)
		if s.late {
			return false
		}
		found := before != nil && before.home == s.home
		if !found {
			before = s
			return false
		}
		before.end = s.start + 1
		w.change(store.Entry{Key: before.key(), Value: before.encode()})
		return true
	})
}

// openTwice lets the visitor that was merged into a person have the person's
// session open as well.
func (w *world) openTwice() {
	person := w.firstProfile(func(p *profile) bool { return p.person() && withASession(p) })
	visitor := w.firstProfile(func(p *profile) bool { return p.mergedInto == person.id })
	visitor.open = person.open
	w.putProfile(visitor)
}

// recordTwice gives a session a second record.
func (w *world) recordTwice() {
	s := w.sessionAt(w.first(tableSession, nil))
	s.start++
	w.change(store.Entry{Key: s.key(), Value: s.encode()})
}

// uncut lets a late session go on over one that had begun when it ended.
func (w *world) uncut(meant func(*session) bool) {
	s := w.sessionAt(w.first(tableSession, func(e store.Entry) bool { return meant(w.sessionAt(e)) }))
	next := w.sessionAt(w.first(tableSession, func(e store.Entry) bool {
		other := w.sessionAt(e)
		return other.home == s.home && !other.late && other.start > s.last
	}))
	s.end = next.start + 1
	w.change(store.Entry{Key: s.key(), Value: s.encode()})
}

// remember changes the merge that a member says it came by.
func (w *world) remember(change func(*merge)) {
	e := w.first(tableMember, nil)
	m, err := decodeMerge(e.Value)
	require.NoError(w.t, err)
	change(m)
	w.change(store.Entry{Key: e.Key, Value: m.encode()})
}

// mergedTwice adds a merge of a visitor that was merged.
func (w *world) mergedTwice() {
	m, err := decodeMerge(w.first(tableMerge, nil).Value)
	require.NoError(w.t, err)
	m.id = pattern(0xee)
	w.change(
		store.Entry{Key: idKey(tableMerge, DefaultAccount, m.id), Value: m.encode()},
		store.Entry{Key: pairKey(tableMergeOf, DefaultAccount, m.person, m.id), Value: present},
	)
}

// strangersChat puts a device into the session of another lead.
func (w *world) strangersChat() {
	e := w.first(tableDevice, func(e store.Entry) bool { return inAChat(w.deviceAtEntry(e)) })
	d := w.deviceAtEntry(e)
	chat := w.chatAt(w.first(tableChat, func(e store.Entry) bool {
		c := w.chatAt(e)
		return c.ended == 0 && !c.auth && c.id != d.chat
	}))
	d.chat = chat.id
	w.change(store.Entry{Key: e.Key, Value: d.encode()})
}

// secondGrave digs another for an ended Live Chat session.
func (w *world) secondGrave() {
	e := w.first(tableQueue, func(e store.Entry) bool { return e.Key[10] == dueGrave && len(e.Key) == queueSuffix+2+16+16 })
	deadline, kind, ref, err := parseQueueKey(e.Key)
	require.NoError(w.t, err)
	w.change(store.Entry{Key: queueKey(deadline+1, kind, ref), Value: present})
}
