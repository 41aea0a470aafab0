package console

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// schema is the part of JSON Schema that openapi.json uses.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Enum       []string           `json:"enum"`
	Format     string             `json:"format"`
	Pattern    string             `json:"pattern"`
	Required   []string           `json:"required"`
	Properties map[string]*schema `json:"properties"`
	Additional *bool              `json:"additionalProperties"`
	Items      *schema            `json:"items"`
}

type apiResponse struct {
	Ref     string                             `json:"$ref"`
	Content map[string]struct{ Schema schema } `json:"content"`
}

type operation struct {
	Parameters []struct {
		Name, In string
		Schema   schema
	}
	Responses map[string]apiResponse
}

type description struct {
	Paths      map[string]map[string]operation
	Components struct {
		Schemas   map[string]*schema
		Responses map[string]apiResponse
	}
}

func describe(t *testing.T) description {
	t.Helper()
	w := ask(newConsole(t, small()), http.MethodGet, "/openapi.json", asReader)
	require.Equal(t, 200, w.Code)
	var described description
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &described))
	return described
}

func (d description) response(t *testing.T, in operation, status int) apiResponse {
	t.Helper()
	found, ok := in.Responses[fmt.Sprint(status)]
	require.True(t, ok, "status %d is not described", status)
	if name, shared := strings.CutPrefix(found.Ref, "#/components/responses/"); shared {
		require.Contains(t, d.Components.Responses, name)
		return d.Components.Responses[name]
	}
	return found
}

// check returns what of value breaks the schema.
func (d description) check(s *schema, value any, at string) []string {
	if s.Ref != "" {
		shared := d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
		if shared == nil {
			return []string{at + ": unknown reference " + s.Ref}
		}
		return d.check(shared, value, at)
	}
	switch typed := value.(type) {
	case map[string]any:
		return d.checkObject(s, typed, at)
	case []any:
		if s.Type != "array" {
			return []string{at + ": an array"}
		}
		var faults []string
		for i, item := range typed {
			faults = append(faults, d.check(s.Items, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return faults
	case string:
		return checkString(s, typed, at)
	case bool:
		if s.Type == "boolean" {
			return nil
		}
	case float64:
		if s.Type == "integer" && typed == float64(int64(typed)) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: %v is no %s", at, value, s.Type)}
}

func (d description) checkObject(s *schema, object map[string]any, at string) (faults []string) {
	if s.Type != "object" {
		return []string{at + ": an object"}
	}
	for _, name := range s.Required {
		if _, present := object[name]; !present {
			faults = append(faults, at+"."+name+": missing")
		}
	}
	for name, value := range object {
		if property := s.Properties[name]; property != nil {
			faults = append(faults, d.check(property, value, at+"."+name)...)
		} else if s.Additional != nil && !*s.Additional {
			faults = append(faults, at+"."+name+": not described")
		}
	}
	return faults
}

func checkString(s *schema, value, at string) []string {
	if s.Type != "string" || len(s.Enum) > 0 && !slices.Contains(s.Enum, value) {
		return []string{at + ": the text " + value}
	}
	layout := map[string]string{"date-time": time.RFC3339Nano, "date": time.DateOnly}[s.Format]
	if _, err := time.Parse(layout, value); layout != "" && err != nil {
		return []string{at + ": " + err.Error()}
	}
	return nil
}

func TestDescriptionHasExactlyTheRoutes(t *testing.T) {
	var described, served []string
	for path, operations := range describe(t).Paths {
		for method := range operations {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	for _, route := range newConsole(t, small()).(*handler).routes() {
		served = append(served, route.method+" "+strings.TrimSuffix(route.pattern, "{$}"))
	}
	assert.ElementsMatch(t, served, described)
}

func TestAnswersAreAsDescribed(t *testing.T) {
	described := describe(t)
	for _, test := range []struct {
		method, target, path string
		status               int
		err                  error
	}{
		{"GET", "/", "/", 200, nil},
		{"GET", "/?type=x", "/", 400, nil},
		{"GET", "/persons/p1", "/persons/{id}", 200, nil},
		{"GET", "/persons/v1", "/persons/{id}", 404, nil},
		{"GET", "/live", "/live", 200, nil},
		{"GET", "/live?x=", "/live", 400, nil},
		{"GET", "/api/events/live", "/api/events/live", 200, nil},
		{"GET", "/api/events/live?x=", "/api/events/live", 400, nil},
		{"GET", "/openapi.json", "/openapi.json", 200, nil},
		{"GET", "/assets/none", "/assets/{file}", 404, nil},
		{"GET", "/api/persons", "/api/persons", 200, nil},
		{"GET", "/api/persons?limit=1", "/api/persons", 200, nil},
		{"GET", "/api/persons?limit=0", "/api/persons", 400, nil},
		{"GET", "/api/persons", "/api/persons", 503, store.ErrUnavailable},
		{"GET", "/api/persons/p1", "/api/persons/{id}", 200, nil},
		{"GET", "/api/persons/p2", "/api/persons/{id}", 200, nil},
		{"GET", "/api/persons/v1", "/api/persons/{id}", 404, nil},
		{"GET", "/api/persons/p1/events", "/api/persons/{id}/events", 200, nil},
		{"GET", "/api/persons/p1/events?cursor=x", "/api/persons/{id}/events", 400, nil},
		{"GET", "/api/persons/v1/events", "/api/persons/{id}/events", 404, nil},
		{"GET", "/api/persons/p1/merges", "/api/persons/{id}/merges", 200, nil},
		{"GET", "/api/persons/p1/merges?x=", "/api/persons/{id}/merges", 400, nil},
		{"GET", "/api/persons/p1/export", "/api/persons/{id}/export", 200, nil},
		{"GET", "/api/persons/v1/export", "/api/persons/{id}/export", 404, nil},
		{"DELETE", "/api/persons/p1", "/api/persons/{id}", 204, nil},
		{"DELETE", "/api/persons/v1", "/api/persons/{id}", 404, nil},
		{"DELETE", "/api/persons/p1", "/api/persons/{id}", 503, store.ErrUnavailable},
		{"GET", "/persons/p1/erase", "/persons/{id}/erase", 200, nil},
		{"GET", "/persons/v1/erase", "/persons/{id}/erase", 404, nil},
		{"DELETE", "/livechat/1/widgets/widget-1/sessions/s1", "/livechat/1/widgets/{widgetId}/sessions/{sid}", 204, nil},
		{"DELETE", "/livechat/1/widgets/other/sessions/s1", "/livechat/1/widgets/{widgetId}/sessions/{sid}", 404, nil},
		{"DELETE", "/livechat/1/widgets/widget-1/sessions/s1", "/livechat/1/widgets/{widgetId}/sessions/{sid}", 503, store.ErrUnavailable},
	} {
		t.Run(fmt.Sprintf("%s %s %d", test.method, test.target, test.status), func(t *testing.T) {
			people := small()
			people.err = test.err
			described.answers(t, people, test.method, test.target, test.path, test.status)
		})
	}
	walk(t, small(), func(t *testing.T, _ http.Handler, route route, target string) {
		path := strings.TrimSuffix(route.pattern, "{$}")
		described.answers(t, small(), route.method, target, path, 401)
		described.answers(t, small(), route.method, target, path, 403)
	})
}

// answers asks once and holds the answer against the description.
func (d description) answers(t *testing.T, people People, method, target, path string, status int) {
	t.Helper()
	caller := map[int]func(*http.Request){401: with("X", ""), 403: with("Authorization", "App "+trackKey)}[status]
	if caller == nil {
		caller = asManager
	}
	w := ask(newConsole(t, people), method, target, caller)
	require.Equal(t, status, w.Code, w.Body.String())
	operation, found := d.Paths[path][strings.ToLower(method)]
	require.True(t, found)
	content := d.response(t, operation, status).Content
	if status == http.StatusNoContent {
		assert.Empty(t, content)
		return
	}
	mediaType, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	require.NoError(t, err)
	media, found := content[mediaType]
	require.True(t, found, "%s is not described", mediaType)
	if mediaType != "application/json" {
		return
	}
	var body any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	assert.Empty(t, d.check(&media.Schema, body, ""))
}

// TestDescribedParametersAreTheAllowedOnes compares with what the refusal of an
// unknown one lists.
func TestDescribedParametersAreTheAllowedOnes(t *testing.T) {
	console := newConsole(t, small())
	allowed := regexp.MustCompile(`allowed are ([a-z, ]+)`)
	for path, operations := range describe(t).Paths {
		if _, reads := operations["get"]; !reads || !strings.HasPrefix(path, "/api/") {
			continue
		}
		var described, taken []string
		for _, parameter := range operations["get"].Parameters {
			if parameter.In == "query" {
				described = append(described, parameter.Name)
			}
		}
		w := ask(console, http.MethodGet, strings.Replace(path, "{id}", "p1", 1)+"?unknown=1", asReader)
		require.Equal(t, 400, w.Code)
		if list := allowed.FindStringSubmatch(w.Body.String()); list != nil {
			taken = strings.Split(list[1], ", ")
		}
		assert.ElementsMatch(t, taken, described, path)
	}
}

// TestDescriptionIsChecked proves that check finds faults at all.
func TestDescriptionIsChecked(t *testing.T) {
	d := describe(t)
	s := &schema{Ref: "#/components/schemas/Person"}
	assert.ElementsMatch(t, []string{".id: missing", ".createdAt: missing", ".modifiedAt: missing", ".active: the text x", ".type: the text VISITOR", ".more: not described"},
		d.check(s, map[string]any{"type": "VISITOR", "active": "x", "more": true}, ""))
}

// Every code of an error stands in the table of the documentation.
func TestErrorsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/console.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "\n### Errors\n")
	require.True(t, found)
	noScope, _ := problemOf(caller{}.may(nil, route{}))
	for _, p := range []*problem{
		errNobody, errUnknownKey, errCrossSite, errNoRoute, errNotFound, errNoSession, errNoDevice, errNoMerge, errMediaType, errTooLarge, errLongReason,
		errMethod, errBadCursor, errMergeChanged, errBusy, errUnavailable, errInternal, badParameter("limit", ""), noScope,
	} {
		assert.Contains(t, table, fmt.Sprintf("\n| %d | `%s` |", p.Status, p.Code))
	}
}
