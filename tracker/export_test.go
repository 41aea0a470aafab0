package tracker

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type exported struct {
	ExportedAt   time.Time
	Person       Person
	Devices      []ExportedDevice
	ChatSessions []ExportedChat
	Merges       []Merge
	Sessions     []ExportedSession
	Events       []Event
}

func (w *world) export(person string) (raw []byte, out exported) {
	w.t.Helper()
	var b bytes.Buffer
	require.NoError(w.t, w.service.Export(w.t.Context(), DefaultAccount, person, &b))
	decoder := json.NewDecoder(bytes.NewReader(b.Bytes()))
	decoder.DisallowUnknownFields()
	require.NoError(w.t, decoder.Decode(&out))
	return b.Bytes(), out
}

func TestExportHoldsEverythingOfAPersonAndNothingOfOthers(t *testing.T) {
	w := newWorld(t)
	anna, phone, bert := w.browser("anna"), w.browser("phone"), w.browser("bert")
	bert.open()
	bert.startChat()
	persons := busyLife(anna)
	phone.page.URL += "?utm_source=news"
	phone.open()
	phone.authenticate(w.token("email", "annabell@work.example"))
	for range 2 * mostEvents {
		phone.track("one of many")
	}
	for _, person := range persons {
		raw, out := w.export(person)
		want, err := w.service.Person(t.Context(), DefaultAccount, person)
		require.NoError(t, err)
		assert.Equal(t, want, out.Person)
		assert.Equal(t, w.timeline(person), oldestFirst(out.Events), "every event of every member")
		merges, err := w.service.Merges(t.Context(), DefaultAccount, person)
		require.NoError(t, err)
		assert.Equal(t, merges, out.Merges)
		sessions := map[string]uint64{}
		for _, e := range out.Events {
			if e.DefinitionID != "sessionStarted" && e.DefinitionID != "sessionEnded" && e.DefinitionID != "personMerged" {
				sessions[e.SessionID]++
			}
		}
		got := map[string]uint64{}
		for _, s := range out.Sessions {
			got[s.ID] = s.Activities
		}
		assert.Equal(t, sessions, got)
		for _, secret := range []string{anna.device, anna.chat, anna.boot, "value-of-the-shops-own-chat-cookie", "shop.example/bert", bert.person().ID} {
			assert.NotContains(t, string(raw), secret)
		}
	}
	_, lead := w.export(persons[0])
	_, authenticated := w.export(persons[1])
	assert.Len(t, lead.Devices, 1)
	assert.NotEmpty(t, lead.Merges)
	assert.Empty(t, lead.ChatSessions, "it is the authenticated person's by now")
	assert.Len(t, authenticated.Devices, 2)
	require.Len(t, authenticated.ChatSessions, 2)
	assert.Contains(t, []string{authenticated.ChatSessions[0].SessionID, authenticated.ChatSessions[1].SessionID}, "shop-session-77")
	for _, d := range authenticated.Devices {
		assert.Nil(t, d.Periods[len(d.Periods)-1].To, "it is the person's now")
	}
	found := false
	for _, s := range authenticated.Sessions {
		found = found || s.Campaign["utm_source"] == "news"
	}
	assert.True(t, found)
}

func TestExportHoldsWhatWasAbsorbed(t *testing.T) {
	w := newWorld(t, absorbing)
	b := w.lead("anna")
	b.track("as a lead")
	b.authenticate(w.token("email", "anna@one.example"))
	person := b.person().ID
	_, out := w.export(person)
	assert.Equal(t, w.timeline(person), oldestFirst(out.Events))
	sessions := map[string]bool{}
	for _, s := range out.Sessions {
		sessions[s.ID] = true
	}
	for _, e := range out.Events {
		assert.True(t, e.SessionID == "" || sessions[e.SessionID], "the session of %s is missing", e.DefinitionID)
	}
	require.Len(t, out.Devices, 1)
	assert.Len(t, out.Devices[0].Periods, 3, "a visitor's, the lead's and the person's")
}

func TestExportOfNobody(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	var out bytes.Buffer
	for _, who := range []string{b.profile().id.String(), pattern(7).String(), "x", ""} {
		assert.ErrorIs(t, w.service.Export(t.Context(), DefaultAccount, who, &out), ErrNotFound, "B16")
	}
	assert.Zero(t, out.Len())
}

// limited takes some bytes and then fails.
type limited struct{ left int }

var errFull = errors.New("gone")

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestExportEndsWithItsReader(t *testing.T) {
	w := newWorld(t)
	persons := busyLife(w.browser("anna"))
	raw, _ := w.export(persons[1])
	for n := 0; n < len(raw); n += 97 {
		assert.ErrorIs(t, w.service.Export(t.Context(), DefaultAccount, persons[1], &limited{left: n}), errFull)
	}
}
