package tracker

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// names are the keys and values of the store that hold an id.
func (w *world) names(person string) (found []string) {
	w.t.Helper()
	raw, err := hex.DecodeString(person)
	require.NoError(w.t, err)
	for key, value := range everything(w.t, w.store) {
		if strings.Contains(key+"\n"+value, string(raw)) {
			found = append(found, key[:1])
		}
	}
	return found
}

// TestB33AbsorbedLeadsGoWithThePerson, and so do their visitors.
func TestB33AbsorbedLeadsGoWithThePerson(t *testing.T) {
	w := newWorld(t, absorbing)
	b := w.lead("anna")
	lead := b.person().ID
	merges, err := w.service.Merges(context.Background(), DefaultAccount, lead)
	require.NoError(t, err)
	b.must(MethodUpdatePerson, m{"firstName": "Anna"})
	b.authenticate(w.token("email", "anna@one.example"))
	person := b.person().ID
	w.erase(person)
	for range 5 {
		w.pass(time.Minute)
	}
	for name, id := range map[string]string{"person": person, "lead": lead, "visitor": merges[0].VisitorID} {
		assert.Empty(t, w.names(id), name)
	}
}

// TestB33UndoneMergeLeavesNoName: neither side of an undone merge names the one
// that was erased, and nothing can be undone of it.
func TestB33UndoneMergeLeavesNoName(t *testing.T) {
	for _, erased := range []string{"person", "member"} {
		t.Run(erased, func(t *testing.T) {
			w := newWorld(t)
			b := w.lead("anna")
			b.track("as lead")
			merge := w.undo(b.person().ID)
			gone, stays := merge.PersonID, merge.VisitorID
			if erased == "member" {
				gone, stays = stays, gone
			}
			w.erase(gone)
			assert.Empty(t, w.person(stays).Links, "hidden at once")
			merges, err := w.service.Merges(t.Context(), DefaultAccount, stays)
			require.NoError(t, err)
			assert.Empty(t, merges)
			assert.Empty(t, w.problems(), "before it is removed")
			for range 5 {
				w.pass(time.Minute)
			}
			assert.Empty(t, w.names(gone))
			left, err := w.service.Person(context.Background(), DefaultAccount, stays)
			require.NoError(t, err)
			assert.Empty(t, left.Links)
			merges, err = w.service.Merges(context.Background(), DefaultAccount, stays)
			require.NoError(t, err)
			assert.Empty(t, merges)
			_, err = w.service.RedoMerge(context.Background(), DefaultAccount, merge.ID, Decision{})
			require.ErrorIs(t, err, ErrNotFound)
		})
	}
}
