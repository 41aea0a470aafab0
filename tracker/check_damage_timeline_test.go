package tracker

import (
	"bytes"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// damagedTimelines are those of events and sessions.
func damagedTimelines() map[string]damage {
	const a = DefaultAccount
	return map[string]damage{
		"event of nobody": {func(w *world) {
			e := w.first(tableEvent, nil)
			w.change(store.Entry{Key: eventKey(a, nobody, 5, seqOf(e.Key), nobody), Value: e.Value})
		}, 'E', "an event of no profile"},
		"event in a wrong place": {func(w *world) {
			e := w.first(tableEvent, nil)
			w.change(store.Entry{Key: eventKey(a, keyID(e.Key, 3), 5, 9, nobody), Value: e.Value})
		}, 'E', "stands in the place 9"},
		"end that does not say of what": {eventDamage("sessionEnded", func(ev *event) { ev.span = nil }), 'E', "does not say what it is about"},
		"merge told of":                 {eventDamage("personMerged", func(ev *event) { ev.merge.person = nobody }), 'E', "did not happen"},
		"event in no session":           {eventDamage("pageView", func(ev *event) { ev.session = nobody }), 'P', "is in no session of theirs"},
		"activity lost": {lost(tableEvent, func(e store.Entry) bool {
			return seqOf(e.Key) == seqActivity && bytes.Contains(e.Value, []byte("another tab"))
		}), 'P', "activities and has"},
		"start lost":                  {lost(tableEvent, func(e store.Entry) bool { return seqOf(e.Key) == seqStarted }), 'P', "started 0 times"},
		"end lost":                    {lost(tableEvent, func(e store.Entry) bool { return seqOf(e.Key) == seqEnded }), 'P', "ended 0 times"},
		"start told twice":            {func(w *world) { w.again(seqStarted, 0) }, 'P', "started 2 times"},
		"end told twice":              {func(w *world) { w.again(seqEnded, 0) }, 'P', "ended 2 times"},
		"start at another time":       {func(w *world) { w.again(seqStarted, 7) }, 'P', "is said to start at"},
		"end at another time":         {func(w *world) { w.again(seqEnded, 7) }, 'P', "is said to end at"},
		"last activity of an end":     {sessionDamage(over, func(s *session) { s.last-- }), 'P', "is said to end at"},
		"activity behind the end":     {sessionDamage(over, func(s *session) { s.end = s.start - 1 }), 'P', "which ended at"},
		"count":                       {sessionDamage(over, func(s *session) { s.count++ }), 'P', "activities and has"},
		"session of nobody":           {sessionDamage(over, func(s *session) { s.home = nobody }), 'H', "a session of no profile"},
		"session ends before it ends": {sessionDamage(over, func(s *session) { s.end = s.last - 1 }), 'H', "was last active at"},
		"sessions overlap":            {func(w *world) { w.overlapping() }, 'H', "goes on when"},
		"session nobody has open":     {profileDamage(withASession, func(p *profile) { p.open = openSession{} }), 'P', "is open in no profile"},
		"session open twice":          {func(w *world) { w.openTwice() }, 'P', "is open in two profiles"},
		"two records":                 {func(w *world) { w.recordTwice() }, 'P', "has two records"},
		"late session not queued":     {lost(tableQueue, dueFor(dueLate)), 'H', "is not in the queue"},
		"late session queued late":    {sessionDamage(lateOpen, func(s *session) { s.queued = s.due + oDay }), 'H', "after its end"},
		"late session's activity":     {sessionDamage(lateEnded, func(s *session) { s.last-- }), 'P', "was last active at"},
		"late session not cut":        {func(w *world) { w.uncut(lateEnded) }, 'P', "goes on at"},
	}
}

// damagedMerges are those of merges, and of the members they made.
func damagedMerges() map[string]damage {
	const a = DefaultAccount
	return map[string]damage{
		"member of nobody": {func(w *world) {
			e := w.first(tableMember, nil)
			w.change(store.Entry{Key: memberKey(a, keyID(e.Key, 3), 5, nobody), Value: e.Value})
		}, 'M', "does not say so"},
		"member twice": {func(w *world) {
			e := w.first(tableMember, nil)
			w.change(store.Entry{Key: memberKey(a, keyID(e.Key, 3), 5, lastID(e.Key)), Value: e.Value})
		}, 'M', "belongs to the person twice"},
		"member by another merge": {func(w *world) { w.remember(func(m *merge) { m.visitor = nobody }) }, 'M', "by a merge of others"},
		"member without a merge":  {func(w *world) { w.remember(func(m *merge) { m.id = nobody }) }, 'M', "by a merge without a record"},
		"merged twice":            {func(w *world) { w.mergedTwice() }, 'G', "was merged twice"},
		"merge not found":         {lost(tableMergeOf, nil), 'G', "does not know"},
		"merge under another id": {func(w *world) {
			e := w.first(tableMerge, nil)
			w.change(store.Entry{Key: idKey(tableMerge, a, nobody), Value: e.Value})
		}, 'G', "the record of merge"},
		"merge of no visitor":     {profileDamage(aMerged, func(p *profile) { p.mergedInto = id{} }), 'G', "who was not merged"},
		"merge not told of":       {lost(tableEvent, func(e store.Entry) bool { return bytes.Contains(e.Value, []byte("personMerged")) }), 'G', "told of 0 times"},
		"merge of another person": {strayKeys(pairKey(tableMergeOf, a, nobody, nobody)), 'g', "which is not the person's"},
		"merge lost":              {lost(tableMerge, nil), 'g', "which is not the person's"},
	}
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
