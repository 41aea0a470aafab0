package tracker

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store/badger"
)

// undo undoes the latest merge of a person and returns it.
func (w *world) undo(person string) Merge {
	w.t.Helper()
	merges, err := w.service.Merges(context.Background(), DefaultAccount, person)
	require.NoError(w.t, err)
	require.NotEmpty(w.t, merges)
	undone, err := w.service.UndoMerge(context.Background(), DefaultAccount, merges[0].ID, Decision{By: "operator", Reason: "two people share this browser"})
	require.NoError(w.t, err)
	w.consistent()
	return undone
}

func (w *world) redo(merge string) Merge {
	w.t.Helper()
	redone, err := w.service.RedoMerge(context.Background(), DefaultAccount, merge, Decision{By: "operator"})
	require.NoError(w.t, err)
	w.consistent()
	return redone
}

// consistent checks everything in the store.
func (w *world) consistent() {
	w.t.Helper()
	assert.Empty(w.t, w.problems())
}

func TestB18UndoneMergeMakesALeadOfItsOwn(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open() // 10:00
	w.pass(10 * time.Minute)
	b.track("as visitor")
	w.pass(10 * time.Minute)
	b.startChat()
	w.pass(10 * time.Minute)
	b.track("as lead") // 10:30
	person := b.person().ID
	before := w.story(person)

	merge := w.undo(person)
	assert.True(t, merge.Undone)
	require.Len(t, merge.History, 1)
	assert.Equal(t, MergeTurn{Undone: true, At: w.now, By: "operator", Reason: "two people share this browser"}, merge.History[0])
	member, err := w.service.Person(context.Background(), DefaultAccount, merge.VisitorID)
	require.NoError(t, err, "it can be viewed now")
	assert.Equal(t, TypeLead, member.Type)
	require.Len(t, member.Links, 1)
	assert.Equal(t, Link{PersonID: person, Reason: "merge undone", At: w.now, MergeID: merge.ID}, member.Links[0])
	require.Len(t, w.persons(), 2)
	assert.Equal(t, []string{person, merge.VisitorID}, []string{w.persons()[0].ID, w.persons()[1].ID})

	w.pass(12 * time.Minute) // 10:42
	assert.Equal(t, []string{"10:00 sessionStarted", "10:00 pageView", "10:10 action as visitor", "10:40 sessionEnded"}, w.story(merge.VisitorID),
		"its part of the session closes 30 minutes after its last activity")
	assert.Equal(t, []string{"10:20 personMerged", "10:30 sessionStarted", "10:30 action as lead"}, w.story(person),
		"activity after the merge stays with the person")
	b.track("still the person") // 10:42
	w.pass(40 * time.Minute)
	assert.Equal(t, []string{"10:42 action still the person", "11:12 sessionEnded"}, w.story(person)[3:])
	w.consistent()

	redone := w.redo(merge.ID)
	assert.False(t, redone.Undone)
	assert.Equal(t, append(before, "10:42 action still the person", "11:12 sessionEnded"), w.story(person), "as if it had never been undone")
	_, err = w.service.Person(context.Background(), DefaultAccount, merge.VisitorID)
	require.ErrorIs(t, err, ErrNotFound)
	assert.Len(t, w.persons(), 1)
	assert.Empty(t, w.persons()[0].Links)
	merges, err := w.service.Merges(context.Background(), DefaultAccount, person)
	require.NoError(t, err)
	assert.Equal(t, []Merge{redone}, merges)
}

func TestB18UndoingTwiceIsUndoingOnce(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	person := b.person().ID
	first := w.undo(person)
	keys := w.keys()
	w.now = w.now.Add(time.Minute)
	assert.Equal(t, first, w.undo(person))
	assert.Equal(t, keys, w.keys())
	redone := w.redo(first.ID)
	require.Len(t, redone.History, 2)
	assert.Equal(t, redone, w.redo(first.ID))
	for range 2 * maxTurns {
		w.undo(person)
		redone = w.redo(first.ID)
	}
	assert.Len(t, redone.History, maxTurns, "what is kept of it is bounded")
	assert.Len(t, w.timeline(person), 3)
}

// TestB18RedoLeavesNoTrace: but in the record of the merge.
func TestB18RedoLeavesNoTrace(t *testing.T) {
	for name, live := range map[string]func(*world, *browser){
		"nothing after the merge": func(_ *world, b *browser) { b.startChat() },
		"session goes on":         func(_ *world, b *browser) { b.startChat(); b.track("after") },
		"session over": func(w *world, b *browser) {
			b.startChat()
			b.track("after")
			w.pass(time.Hour)
		},
		"over without the person": func(w *world, b *browser) {
			b.startChat()
			w.pass(time.Hour)
			b.track("another session")
		},
		"two sessions": func(w *world, b *browser) {
			other := w.browser("other")
			other.open()
			other.authenticate(w.token("email", "anna@one.example"))
			w.pass(time.Minute)
			b.authenticate(w.token("email", "anna@one.example"))
			b.track("into the person's")
		},
		"late event of the visitor in the person's session": func(w *world, b *browser) {
			other := w.browser("other")
			other.open()
			other.authenticate(w.token("email", "anna@one.example"))
			w.pass(time.Minute)
			late := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "late"}})
			w.pass(time.Minute)
			b.authenticate(w.token("email", "anna@one.example"))
			w.pass(50 * time.Minute)
			b.send(b.request(late))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.open()
			w.pass(time.Minute)
			live(w, b)
			person := b.person().ID
			merges, err := w.service.Merges(context.Background(), DefaultAccount, person)
			require.NoError(t, err)
			for _, merge := range merges {
				before := w.story(person)
				member := merge.VisitorID
				undone, err := w.service.UndoMerge(context.Background(), DefaultAccount, merge.ID, Decision{})
				require.NoError(t, err)
				w.consistent()
				assert.NotEmpty(t, w.story(member))
				w.redo(undone.ID)
				assert.Equal(t, before, w.story(person))
			}
			w.pass(2 * time.Hour)
			w.consistent()
		})
	}
}

// TestB18LateEventsGoWhereTheyBelong: the device stays the person's, and what
// it did as the visitor is the new lead's, whenever it arrives (B8).
func TestB18LateEventsGoWhereTheyBelong(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	w.pass(time.Minute)
	late := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "late"}})
	w.pass(time.Minute)
	b.startChat()
	person := b.person().ID
	merge := w.undo(person)
	w.pass(5 * time.Hour)
	require.Nil(t, b.send(b.request(late)).Results[0].Err)
	b.track("now")
	assert.Equal(t, person, b.person().ID)
	assert.Len(t, only(w.timeline(merge.VisitorID), "late"), 1)
	assert.Empty(t, only(w.timeline(person), "late"))
	assert.Contains(t, w.story(person), "15:02 action now")
	w.pass(time.Hour)
	w.consistent()
	assert.Equal(t, []string{"10:00 sessionStarted", "10:00 pageView", "10:01 action late", "10:30 sessionEnded"}, w.story(merge.VisitorID))
}

// TestB18NewLeadOutlivesVisitors: a lead of its own is not deleted after the
// lifetime of visitors (B15).
func TestB18NewLeadOutlivesVisitors(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	merge := w.undo(b.person().ID)
	w.pass(100 * 24 * time.Hour)
	member, err := w.service.Person(context.Background(), DefaultAccount, merge.VisitorID)
	require.NoError(t, err)
	assert.Equal(t, TypeLead, member.Type)
	assert.Len(t, w.timeline(merge.VisitorID), 3)
	w.redo(merge.ID)
	w.pass(100 * 24 * time.Hour)
	assert.Len(t, w.timeline(merge.PersonID), 4)
}

func TestB18WhatCannotBeUndone(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	merge := w.undo(b.person().ID)
	for name, id := range map[string]string{
		"no id": "x", "a person's": b.person().ID, "unknown": "0123456789abcdef0123456789abcdef", "empty": "",
	} {
		_, err := w.service.UndoMerge(context.Background(), DefaultAccount, id, Decision{})
		require.ErrorIs(t, err, ErrNotFound, name)
		_, err = w.service.RedoMerge(context.Background(), DefaultAccount, id, Decision{})
		require.ErrorIs(t, err, ErrNotFound, name)
	}
	_, err := w.service.UndoMerge(context.Background(), DefaultAccount+1, merge.ID, Decision{})
	require.ErrorIs(t, err, ErrUnknownAccount)
	long, err := w.service.RedoMerge(context.Background(), DefaultAccount, merge.ID, Decision{By: strings.Repeat("é", 500), Reason: strings.Repeat("x", 5000)})
	require.NoError(t, err)
	assert.Equal(t, MergeTurn{At: w.now, By: strings.Repeat("é", maxBy/2), Reason: strings.Repeat("x", maxReason)}, long.History[1])
}

// TestB18OnBadger: what was decided survives a restart.
func TestB18OnBadger(t *testing.T) {
	dir := t.TempDir()
	st, err := badger.Open(dir, badger.Options{})
	require.NoError(t, err)
	w := newWorldOn(t, st)
	b := w.lead("anna")
	b.track("as lead")
	person := b.person().ID
	before := w.story(person)
	merge := w.undo(person)
	require.NoError(t, st.Close())
	st, err = badger.Open(dir, badger.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	w.store = st
	w.service, err = New(st, Config{Accounts: w.service.accounts.configured, Now: func() time.Time { return w.now }})
	require.NoError(t, err)
	assert.Len(t, w.persons(), 2)
	assert.Equal(t, []string{"10:00 sessionStarted", "10:00 pageView"}, w.story(merge.VisitorID))
	w.redo(merge.ID)
	assert.Equal(t, before, w.story(person))
}
