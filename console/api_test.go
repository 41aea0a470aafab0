package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

var update = flag.Bool("update", false, "write the golden files of this package")

// small has one person with everything, one with nothing, and one event of
// each shape.
func small() *fakePeople {
	at := func(minute int) time.Time { return time.Date(2026, 11, 22, 10, minute, 0, 120e6, time.UTC) }
	last := at(9)
	return &fakePeople{
		persons: []tracker.Person{{
			ID: "p1", Type: tracker.TypeCustomer, CreatedAt: at(0), ModifiedAt: at(5), LastActivityAt: &last, Active: true,
			SubjectType: "externalPersonId", Subject: "crm-7", ExternalID: "crm-7",
			FirstName: "Semi", MiddleName: "Gabcik", LastName: "Holsen", Address: "Kirchmayer street 97", City: "Prague", Country: "Czech Republic",
			BirthDate: "1993-01-01", Gender: "MALE", PreferredLanguage: "it-IT", ProfilePicture: "https://profile.com", Tags: []string{"reading", "<b>"},
			ContactInformation: &tracker.ContactInformation{Email: []tracker.EmailContact{{Address: "a@customer.example"}}, Phone: []tracker.PhoneContact{{Number: "421905123450"}}},
			CustomAttributes:   map[string]json.RawMessage{"car": json.RawMessage(`"Mercedes"`), "category": json.RawMessage(`[{"__id":"i1","name":"special"}]`)},
			Links:              []tracker.Link{{PersonID: "p2", Reason: "authenticated", At: at(4)}},
		}, {ID: "p2", Type: tracker.TypeLead, CreatedAt: at(1), ModifiedAt: at(1)}},
		events: map[string][]tracker.Event{"p1": {
			{ID: "e3", DefinitionID: "action", Title: "Action", SessionID: "s1", OccurredTime: at(9), ReceivedTime: at(10), Properties: json.RawMessage(`{"name":"Button clicked","label":"add-to-favorites"}`)},
			{ID: "e2", DefinitionID: "pageView", Title: "Page view", SessionID: "s1", OccurredTime: at(8), ReceivedTime: at(8), Properties: json.RawMessage(`{"url":"https://shop.example/"}`), MergedFrom: &tracker.MergedFrom{MergeID: "m1", ProfileID: "v1"}},
			{ID: "e1", DefinitionID: "sessionStarted", Title: "Session started", SessionID: "s1", OccurredTime: at(8), ReceivedTime: at(8)},
		}},
		merges: map[string][]tracker.Merge{"p1": {{ID: "m1", VisitorID: "v1", PersonID: "p1", At: at(4), Reason: "chat started", RequestID: "r1"}}},
	}
}

func TestGoldenJSON(t *testing.T) {
	console := newConsole(t, small())
	for name, target := range map[string]string{
		"persons":       "/api/persons?limit=1",
		"persons-none":  "/api/persons?query=nobody",
		"person":        "/api/persons/p1",
		"person-sparse": "/api/persons/p2",
		"events":        "/api/persons/p1/events?limit=2",
		"events-last":   "/api/persons/p1/events?cursor=at.2",
		"events-none":   "/api/persons/p2/events",
		"merges":        "/api/persons/p1/merges",
		"merges-none":   "/api/persons/p2/merges",
		"error":         "/api/persons?limit=0",
	} {
		t.Run("ok/"+name, func(t *testing.T) {
			w := ask(console, http.MethodGet, target, asReader)
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			var got bytes.Buffer
			require.NoError(t, json.Indent(&got, w.Body.Bytes(), "", "  "))
			golden := filepath.Join("testdata", name+".json")
			if *update {
				require.NoError(t, os.WriteFile(golden, got.Bytes(), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got.String())
		})
	}
}

func TestPagingReachesEverybodyOnce(t *testing.T) {
	people := crowd()
	console := newConsole(t, people)
	seen := map[string]bool{}
	cursor := ""
	for pages := 1; ; pages++ {
		require.Less(t, pages, 10)
		w := ask(console, http.MethodGet, "/api/persons?limit=17&cursor="+cursor, asReader)
		require.Equal(t, 200, w.Code)
		var list personList
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &list))
		for _, p := range list.Persons {
			assert.False(t, seen[p.ID], "twice")
			seen[p.ID] = true
		}
		if cursor = list.NextCursor; cursor == "" {
			assert.Equal(t, 4, pages)
			break
		}
	}
	assert.Len(t, seen, len(people.persons))
}

func TestQueriesReachTracker(t *testing.T) {
	people := small()
	console := newConsole(t, people)
	w := ask(console, http.MethodGet, "/api/persons?query=+semi%20holsen&type=CUSTOMER&limit=100", asReader)
	require.Equal(t, 200, w.Code)
	assert.Equal(t, tracker.PersonQuery{Text: "semi holsen", Type: tracker.TypeCustomer, Limit: 100}, people.personQuery)
	assert.Equal(t, account, people.account)

	w = ask(console, http.MethodGet, "/api/persons/p1/events?from=2026-11-22T11:00:00%2B01:00&to=2026-11-22T10:09:00Z&definition=pageView&cursor=at.0&limit=200", asReader)
	require.Equal(t, 200, w.Code)
	assert.Equal(t, tracker.EventQuery{
		From: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 22, 10, 9, 0, 0, time.UTC),
		DefinitionID: "pageView", Cursor: "at.0", Limit: 200,
	}, people.eventQuery)
}

func TestParametersAreNamedInErrors(t *testing.T) {
	console := newConsole(t, small())
	const events = "/api/persons/p1/events"
	for _, test := range []struct{ target, message string }{
		{"/api/persons?limit=0", "limit: must be a number from 1 to 100"},
		{"/api/persons?limit=101", "limit: must be a number from 1 to 100"},
		{"/api/persons?limit=ten", "limit: must be a number from 1 to 100"},
		{"/api/persons?type=lead", "type: must be LEAD or CUSTOMER"},
		{"/api/persons?type=VISITOR", "type: must be LEAD or CUSTOMER"},
		{"/api/persons?query=" + strings.Repeat("%C3%A9", 201), "query: longer than 200 characters"},
		{"/api/persons?query=%ff", "query: not UTF-8"},
		{"/api/persons?query=a&query=b", `"query": given twice`},
		{"/api/persons?limt=5", `"limt": unknown, allowed are query, type, cursor, limit`},
		{"/api/persons?%zz", "query string: malformed"},
		{"/api/persons?cursor=else", "cursor: not one that this list gave out; start again without it"},
		{"/api/persons?cursor=" + strings.Repeat("a", 1025), "cursor: not one that this list gave out; start again without it"},
		{"/api/persons/p1?x=1", `"x": unknown, this address takes no parameters`},
		{"/api/persons/p1/merges?x=1", `"x": unknown, this address takes no parameters`},
		{events + "?limit=201", "limit: must be a number from 1 to 200"},
		{events + "?from=yesterday", "from: must be a time such as 2026-11-22T10:00:00Z"},
		{events + "?to=2026-11-22", "to: must be a time such as 2026-11-22T10:00:00Z"},
		{events + "?from=2026-11-22T10:00:00Z&to=2026-11-22T09:00:00Z", "to: is before from"},
		{events + "?definition=page%20view", "definition: must be 1 to 36 letters and digits"},
		{events + "?cursor=else", "cursor: not one that this list gave out; start again without it"},
		{events + "?query=a", `"query": unknown, allowed are from, to, definition, cursor, limit`},
		{"/persons/p1?from=22.11.2026", "from: must be a day such as 2026-11-22"},
		{"/?type=x", "type: must be LEAD or CUSTOMER"},
	} {
		t.Run("fail/"+test.target[:min(len(test.target), 60)], func(t *testing.T) {
			w := ask(console, http.MethodGet, test.target, asReader)
			assert.Equal(t, 400, w.Code)
			var body struct{ Error struct{ Message string } }
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
			assert.Equal(t, test.message, body.Error.Message)
		})
	}
}

func TestErrorsOfTracker(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		status int
		code   string
		logged bool
	}{
		{"not found", tracker.ErrNotFound, 404, "not_found", false},
		{"unavailable", store.ErrUnavailable, 503, "unavailable", false},
		{"closed by a reload", store.ErrClosed, 503, "unavailable", false},
		{"too slow", context.DeadlineExceeded, 503, "unavailable", false},
		{"caller gone", context.Canceled, 503, "unavailable", false},
		{"unexpected", errors.New("key 4711 is broken"), 500, "internal", true},
	} {
		t.Run("fail/"+test.name, func(t *testing.T) {
			people := small()
			people.err = fmt.Errorf("query: %w", test.err)
			var log bytes.Buffer
			walk(t, people, func(t *testing.T, console http.Handler, route route, target string) {
				if strings.HasPrefix(target, "/assets/") || target == "/openapi.json" || strings.HasSuffix(target, "/live") {
					return // they ask nobody, or what is held in memory
				}
				log.Reset()
				console.(*handler).log = slog.New(slog.NewTextHandler(&log, nil))
				w := ask(console, route.method, target, asManager)
				assert.Equal(t, test.status, w.Code)
				assert.Equal(t, test.code, errorCode(t, w))
				assert.Equal(t, test.status == 503, w.Header().Get("Retry-After") != "")
				assert.NotContains(t, w.Body.String(), "4711", "internals stay inside")
				assert.Equal(t, test.logged, strings.Contains(log.String(), "4711"), log.String())

				page := ask(console, route.method, target, asManager, inBrowser)
				assert.Equal(t, test.status, page.Code)
				assert.NotContains(t, page.Body.String(), "4711")
			})
		})
	}
}

func TestB16VisitorsAreNotThere(t *testing.T) {
	people := small()
	console := newConsole(t, people)
	for _, route := range []string{"/persons/%s", "/api/persons/%s", "/api/persons/%s/events", "/api/persons/%s/merges"} {
		var answers []string
		for _, id := range []string{"v1", "unknown", "%00", "..%2fp1", strings.Repeat("f", 4000)} {
			w := ask(console, http.MethodGet, fmt.Sprintf(route, id), asReader)
			assert.Equal(t, 404, w.Code, id)
			answers = append(answers, w.Body.String())
		}
		for _, answer := range answers {
			assert.Equal(t, answers[0], answer, "a visitor, an unknown id and a malformed one look the same")
		}
	}
	w := ask(console, http.MethodGet, "/persons/v1", asOperator, inBrowser)
	assert.Equal(t, 404, w.Code)
	assert.Contains(t, text(parse(t, w)), "There is no such person; a visitor is not shown before")
}

func TestB7InvalidateSession(t *testing.T) {
	people := small()
	console := newConsole(t, people)
	w := ask(console, http.MethodDelete, "/livechat/1/widgets/widget-1/sessions/s1", asManager)
	assert.Equal(t, 204, w.Code)
	assert.Empty(t, w.Body.String())
	w = ask(console, http.MethodDelete, "/livechat/1/widgets/widget-1/sessions/a%2Fb", asManager)
	assert.Equal(t, 204, w.Code, "a sid is any text of the site's")
	assert.Equal(t, []string{"widget-1 s1", "widget-1 a/b"}, people.invalidated)
	assert.Equal(t, account, people.account)

	w = ask(console, http.MethodDelete, "/livechat/1/widgets/other/sessions/s1", asManager)
	assert.Equal(t, 404, w.Code)
	assert.Contains(t, w.Body.String(), "no such widget")
}
