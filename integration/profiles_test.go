package integration

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The rows of the specification's table "Profile selection", and the life of a
// visitor, through Caddy and Badger.

func TestProfileRow1VisitorIsInvisible(t *testing.T) {
	w := start(t, options{})
	v := w.visitor("anna")
	v.open()
	v.track("looking around")
	assert.Empty(t, w.persons())
}

func TestProfileRow2ChatStartMakesALead(t *testing.T) {
	w := start(t, options{})
	v := w.visitor("anna")
	v.open()
	v.track("before the chat")
	v.startChat()
	v.track("in the chat")
	lead := w.only()
	assert.Equal(t, "LEAD", lead.Type)
	assert.True(t, lead.Active)
	assert.Equal(t, []string{"sessionStarted", "pageView", "action before the chat", "personMerged", "action in the chat"}, w.story(lead.ID))
	merged := w.timeline(lead.ID)[1].MergedFrom
	require.NotNil(t, merged)
	assert.Equal(t, http.StatusNotFound, w.get("api/persons/"+merged.ProfileID, nil), "B16: the visitor itself cannot be viewed")
}

func TestProfileRow3AuthenticationAfterAChat(t *testing.T) {
	w := start(t, options{})
	v := w.visitor("anna")
	v.open()
	v.startChat()
	lead := w.only()
	v.authenticate(token(t, "anna@example.com", ""))
	v.track("signed in")
	persons := w.persons()
	require.Len(t, persons, 2)
	customer := persons[0]
	assert.Equal(t, "CUSTOMER", customer.Type)
	assert.Equal(t, "anna@example.com", customer.Subject)
	assert.Equal(t, []string{"sessionStarted", "action signed in"}, w.story(customer.ID))
	assert.Equal(t, []string{"sessionStarted", "pageView", "personMerged"}, w.story(lead.ID))
	require.Len(t, customer.Links, 1)
	assert.Equal(t, lead.ID, customer.Links[0].PersonID)
}

func TestProfileRow4AuthenticationWithoutAChat(t *testing.T) {
	w := start(t, options{})
	v := w.visitor("anna")
	v.open()
	v.track("before")
	v.authenticate(token(t, "anna@example.com", ""))
	v.track("after")
	assert.Equal(t, []string{"sessionStarted", "pageView", "action before", "personMerged", "action after"}, w.story(w.only().ID))

	again := w.visitor("annas-phone")
	again.open()
	again.authenticate(token(t, "Anna@Example.com", ""))
	assert.Len(t, w.persons(), 1, "the corresponding profile is used, wherever she signs in")
}

func TestProfileRow5TerminatedSession(t *testing.T) {
	for name, end := range map[string]func(*world, *visitor){
		"logout": func(_ *world, v *visitor) { v.must("chat", m{"state": "ended"}) },
		"session invalidation": func(w *world, _ *visitor) {
			require.Equal(t, http.StatusNoContent, w.ask(http.MethodDelete, "livechat/1/widgets/"+widgetID+"/sessions/site-1", nil, nil))
		},
		"expiration": func(*world, *visitor) { pass(25 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, options{})
			v := w.visitor("anna")
			v.open()
			v.authenticate(token(t, "anna@example.com", "site-1"))
			person := w.only()
			end(w, v)
			v.visit()
			v.track("somebody else now")
			assert.Len(t, w.persons(), 1, "a new visitor is used, and not shown")
			assert.NotContains(t, w.story(person.ID), "action somebody else now")
			v.startChat()
			persons := w.persons()
			require.Len(t, persons, 2)
			assert.Equal(t, []string{"sessionStarted", "pageView", "action somebody else now", "personMerged"}, w.story(persons[0].ID))
		})
	}
}

func TestVisitorIsReusedOnReturn(t *testing.T) {
	w := start(t, options{})
	v := w.visitor("anna")
	v.open()
	for range 3 {
		pass(44 * 24 * time.Hour)
		v.visit()
	}
	v.startChat()
	views := 0
	for _, line := range w.story(w.only().ID) {
		if line == "pageView" {
			views++
		}
	}
	assert.Equal(t, 4, views, "the profile lives 45 days from its last activity")
}

func TestVisitorIsDeletedAfter45Days(t *testing.T) {
	w := start(t, options{})
	v := w.visitor("anna")
	v.open()
	pass(45*24*time.Hour + time.Minute)
	v.known = false // the SDK starts over with a fresh boot after a day
	v.visit()
	v.startChat()
	assert.Equal(t, []string{"sessionStarted", "pageView", "personMerged"}, w.story(w.only().ID), "a new profile upon the next activity")
}

func TestSessionEndedThoughNobodyReturns(t *testing.T) {
	w := start(t, options{})
	v := w.visitor("anna")
	v.open()
	v.startChat()
	lead := w.only().ID
	pass(30*time.Minute + time.Second)
	eventually(t, func(c *assert.CollectT) { // the sweeper looks once a second
		story := w.story(lead)
		assert.Equal(c, "sessionEnded", story[len(story)-1])
	})
	events := w.timeline(lead)
	ended := events[len(events)-1]
	assert.Equal(t, 30*time.Minute, ended.OccurredTime.Sub(events[1].OccurredTime), "at the last activity and 30 minutes")
}

func TestRestartKeepsEverything(t *testing.T) {
	w := start(t, options{})
	v := w.visitor("anna")
	v.open()
	v.startChat()
	lead := w.only().ID
	before := w.timeline(lead)
	w.stop()
	pass(24 * time.Hour)
	w.load()
	eventually(t, func(c *assert.CollectT) {
		assert.Len(c, w.timeline(lead), len(before)+1, "the session that ran out meanwhile is ended")
	})
	v.visit()
	assert.Equal(t, lead, w.only().ID)
	after := w.timeline(lead)
	assert.Equal(t, before, after[:len(before)])
}

func TestReloadKeepsTracking(t *testing.T) {
	w := start(t, options{})
	v := w.visitor("anna")
	v.open()
	v.startChat()
	for range 3 {
		w.load()
		v.track("after a reload")
	}
	assert.Len(t, w.timeline(w.only().ID), 6)
}
