package integration

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the tests ask the console's API, as a program does.

func withKey(key string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "App "+key) }
}

// ask sends a request, with a body of JSON unless it is nil, and returns the
// status. What a successful answer says goes into into, unless that is nil.
func (w *world) ask(method, path string, body, into any) (status int) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.console+"/"+path, nil)
	require.NoError(w.t, err)
	if body != nil {
		sent, err := json.Marshal(body)
		require.NoError(w.t, err)
		req.Body = io.NopCloser(bytes.NewReader(sent))
		req.Header.Set("Content-Type", "application/json")
	}
	w.sign(req)
	res, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, res.Body.Close()) }()
	answer, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	if into != nil && res.StatusCode < http.StatusBadRequest {
		require.NoError(w.t, json.Unmarshal(answer, into), string(answer))
	}
	return res.StatusCode
}

func (w *world) get(path string, into any) (status int) {
	w.t.Helper()
	return w.ask(http.MethodGet, path, nil, into)
}

type person struct {
	ID               string         `json:"id"`
	Type             string         `json:"type"`
	Subject          string         `json:"subject"`
	FirstName        string         `json:"firstName"`
	MiddleName       string         `json:"middleName"`
	LastName         string         `json:"lastName"`
	City             string         `json:"city"`
	CustomAttributes map[string]any `json:"customAttributes"`
	Active           bool           `json:"active"`
	Links            []struct {
		PersonID string `json:"personId"`
	} `json:"links"`
}

func (w *world) persons() []person {
	w.t.Helper()
	var list struct{ Persons []person }
	require.Equal(w.t, http.StatusOK, w.get("api/persons", &list))
	return list.Persons
}

// only is the one person there is.
func (w *world) only() person {
	w.t.Helper()
	persons := w.persons()
	require.Len(w.t, persons, 1)
	return persons[0]
}

type timelineEvent struct {
	EventID      string
	DefinitionID string
	OccurredTime time.Time
	Properties   map[string]any
	MergedFrom   *struct{ ProfileID string }
}

// timeline is all of a person's events, oldest first.
func (w *world) timeline(id string) []timelineEvent {
	w.t.Helper()
	return eventsAs[timelineEvent](w, id)
}

// eventsAs reads a timeline page by page, oldest first.
func eventsAs[E any](w *world, id string) (events []E) {
	w.t.Helper()
	for cursor := ""; ; {
		var list struct {
			Events     []E
			NextCursor string
		}
		require.Equal(w.t, http.StatusOK, w.get("api/persons/"+id+"/events?limit=200&cursor="+cursor, &list))
		events = append(events, list.Events...)
		if cursor = list.NextCursor; cursor == "" {
			slices.Reverse(events)
			return events
		}
	}
}

// story tells a timeline in short: definitions, with the label of custom events
// or with the properties that are named.
func (w *world) story(id string, properties ...string) []string {
	w.t.Helper()
	if len(properties) == 0 {
		properties = []string{"label"}
	}
	out := []string{}
	for _, e := range w.timeline(id) {
		line := e.DefinitionID
		for _, name := range properties {
			if text, ok := e.Properties[name].(string); ok {
				line += " " + text
			}
		}
		out = append(out, line)
	}
	return out
}

// times is how often each line of a story comes.
func times(lines []string) map[string]int {
	found := map[string]int{}
	for _, line := range lines {
		found[line]++
	}
	return found
}

// eventually waits until the store shows what was sent, or done of its own.
func eventually(t testing.TB, check func(*assert.CollectT)) {
	t.Helper()
	require.EventuallyWithT(t, check, 15*time.Second, 50*time.Millisecond)
}
