package integration

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type merge struct {
	ID        string `json:"id"`
	VisitorID string `json:"visitorId"`
	PersonID  string `json:"personId"`
	Reason    string `json:"reason"`
	Undone    bool   `json:"undone"`
}

func (w *world) merges(person string) (merges []merge) {
	w.t.Helper()
	var list struct{ Merges []merge }
	require.Equal(w.t, http.StatusOK, w.get("api/persons/"+person+"/merges", &list))
	return list.Merges
}

// decide undoes or redoes a merge as a program does.
func (w *world) decide(m merge, what string) (after merge) {
	w.t.Helper()
	require.Equal(w.t, http.StatusOK, w.ask(http.MethodPost, "api/merges/"+m.ID+"/"+what, map[string]any{"reason": "two people"}, &after))
	return after
}

// TestB18UndoThroughCaddy: undone, restarted, redone, over HTTP and on Badger.
func TestB18UndoThroughCaddy(t *testing.T) {
	w := start(t, options{})
	v := w.visitor("anna")
	v.open()
	v.track("before the chat")
	v.startChat()
	v.track("in the chat")
	lead := w.only()
	before := w.story(lead.ID)
	m := w.merges(lead.ID)[0]
	assert.True(t, w.decide(m, "undo").Undone)
	require.Len(t, w.persons(), 2)
	w.stop()
	w.load()
	assert.Equal(t, []string{"sessionStarted", "pageView", "action before the chat"}, w.story(m.VisitorID))
	assert.Equal(t, []string{"personMerged", "sessionStarted", "action in the chat"}, w.story(lead.ID))
	v.track("still the same person")
	assert.Contains(t, w.story(lead.ID), "action still the same person")
	assert.True(t, w.merges(m.VisitorID)[0].Undone, "the new lead knows where it came from")
	assert.False(t, w.decide(m, "redo").Undone)
	assert.Equal(t, append(before, "action still the same person"), w.story(lead.ID))
	assert.Equal(t, lead.ID, w.only().ID)
}

// TestB6AbsorbLeadThroughCaddy: the option, and its undoing.
func TestB6AbsorbLeadThroughCaddy(t *testing.T) {
	w := start(t, options{app: "on_authenticate absorb_lead"})
	v := w.visitor("anna")
	v.open()
	v.startChat()
	lead := w.only()
	v.authenticate(token(t, "anna@example.com", ""))
	v.track("signed in")
	customer := w.only()
	assert.Equal(t, "anna@example.com", customer.Subject)
	assert.Equal(t, []string{"sessionStarted", "pageView", "personMerged", "personMerged", "action signed in"}, w.story(customer.ID))
	merges := w.merges(customer.ID)
	require.Len(t, merges, 2)
	assert.Equal(t, "authenticated", merges[0].Reason)
	assert.Equal(t, lead.ID, merges[0].VisitorID)
	w.decide(merges[0], "undo")
	assert.Len(t, w.persons(), 2)
	assert.Equal(t, []string{"sessionStarted", "pageView", "personMerged"}, w.story(lead.ID))
}
