package tracker

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func absorbing(c *Config) { c.AbsorbLeads = true }

// TestB6AbsorbedLead: with absorb_lead, who authenticates after a chat has the
// lead's whole timeline, what was its visitor's included, and its properties.
func TestB6AbsorbedLead(t *testing.T) {
	w := newWorld(t, absorbing)
	b := w.browser("anna")
	b.open()
	w.pass(time.Minute)
	b.startChat()
	lead := b.person().ID
	b.must(MethodUpdatePerson, m{
		"firstName": "Anna", "tags": []string{"reading"}, "customAttributes": m{"car": "Mercedes"},
		"contactInformation": m{"email": []m{{"address": "anna@one.example"}}},
	})
	b.must(MethodAppendToList, m{"attributeName": "category", "value": m{"name": "special"}})
	w.pass(time.Minute)
	b.track("as lead")
	before := w.story(lead)
	asLead := b.person()
	w.pass(time.Minute)
	b.authenticate(w.token("email", "anna@one.example"))
	b.track("as herself")
	person := b.person()
	require.NotEqual(t, lead, person.ID)

	assert.Len(t, w.persons(), 1)
	assert.Equal(t, append(before, "10:03 personMerged", "10:03 action as herself"), w.story(person.ID))
	assert.Equal(t, "Anna", person.FirstName)
	assert.Equal(t, asLead.ContactInformation, person.ContactInformation)
	assert.Equal(t, asLead.CustomAttributes, person.CustomAttributes)
	assert.Equal(t, []string{"reading"}, person.Tags)
	assert.Empty(t, person.Links)
	for _, text := range []string{"ann", "one.exam", "reading", "anna reading"} {
		page, err := w.service.Persons(context.Background(), DefaultAccount, PersonQuery{Text: text})
		require.NoError(t, err)
		if assert.Len(t, page.Persons, 1, text) {
			assert.Equal(t, person.ID, page.Persons[0].ID, text)
		}
	}
	_, err := w.service.Person(context.Background(), DefaultAccount, lead)
	require.ErrorIs(t, err, ErrNotFound)

	merges, err := w.service.Merges(context.Background(), DefaultAccount, person.ID)
	require.NoError(t, err)
	require.Len(t, merges, 2, "and the one that the lead was made by")
	assert.Equal(t, "authenticated", merges[0].Reason)
	assert.Equal(t, lead, merges[0].VisitorID)
	w.undo(person.ID)
	assert.Equal(t, before, w.story(lead), "undone, each has its own")
	again, err := w.service.Person(context.Background(), DefaultAccount, lead)
	require.NoError(t, err)
	again.Links, again.ModifiedAt = []Link{}, asLead.ModifiedAt
	assert.Equal(t, asLead, again)
	now := b.person()
	assert.Empty(t, now.FirstName)
	assert.Empty(t, now.CustomAttributes)
	assert.Equal(t, []string{"10:03 personMerged", "10:03 sessionStarted", "10:03 action as herself"}, w.story(person.ID))
	w.redo(merges[0].ID)
	assert.Equal(t, append(before, "10:03 personMerged", "10:03 action as herself"), w.story(person.ID))
}

// TestB6AbsorbedLeadSaysNothingThatWasCleared: a person kept as a lead goes on
// to be updated, and what is cleared stays cleared.
func TestB6AbsorbedLeadSaysNothingThatWasCleared(t *testing.T) {
	w := newWorld(t, absorbing)
	b := w.lead("anna")
	b.must(MethodUpdatePerson, m{"firstName": "Anna", "lastName": "One", "tags": []string{"reading"}, "customAttributes": m{"car": "Mercedes"}})
	b.must(MethodAppendToList, m{"attributeName": "category", "value": m{"name": "special"}})
	b.authenticate(w.token("email", "anna@one.example", fromWidget(leadsID)))
	b.must(MethodUpdatePerson, m{"lastName": "Two", "tags": []string{"music"}})
	assert.Equal(t, []string{"music", "reading"}, b.person().Tags)
	b.must(MethodAppendToList, m{"attributeName": "category", "value": m{"name": "other"}})
	var items []json.RawMessage
	require.NoError(t, json.Unmarshal(b.person().CustomAttributes["category"], &items))
	assert.Len(t, items, 2)
	b.must(MethodUpdatePerson, m{"firstName": nil, "tags": nil, "customAttributes": m{"car": nil, "category": nil}})
	person := b.person()
	assert.Empty(t, person.FirstName)
	assert.Equal(t, "Two", person.LastName)
	assert.Empty(t, person.Tags)
	assert.Empty(t, person.CustomAttributes)
	w.undo(person.ID)
	assert.Len(t, w.persons(), 2)
	names := map[string]bool{}
	for _, p := range w.persons() {
		names[p.FirstName+" "+p.LastName] = true
	}
	assert.Equal(t, map[string]bool{" Two": true, "Anna One": true}, names)
}

func TestB6KeptLeadIsNotMerged(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	lead := b.person().ID
	b.authenticate(w.token("email", "anna@one.example"))
	assert.Len(t, w.persons(), 2)
	assert.Equal(t, lead, b.person().Links[0].PersonID)
}
