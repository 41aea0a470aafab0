package integration

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refusal is the body of an answer that concerns the request as a whole.
type refusal struct {
	Success bool
	Error   struct {
		Code                            int
		Name, Message, Origin, Platform string
	}
}

// TestBadRequestsAreRefusedWhole sends what no SDK sends. Nothing is stored:
// the lead's timeline and the list of people stay as they are.
func TestBadRequestsAreRefusedWhole(t *testing.T) {
	w := start(t, options{})
	anna := w.visitor("anna")
	anna.open()
	anna.startChat()
	before, people := w.timeline(w.only().ID), w.persons()

	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	replaced := func(old, with string) []byte {
		return bytes.Replace(anna.body(anna.call("track", m{"eventId": "action"})), []byte(old), []byte(with), 1)
	}
	for name, c := range map[string]struct {
		body   []byte
		change func(*http.Request)
		status int
		code   int
	}{
		"malformed JSON":      {[]byte(`{"apiKey":`), nil, 400, 2020},
		"not an object":       {[]byte(`[]`), nil, 400, 2020},
		"no calls":            {anna.body(), nil, 400, 2020},
		"unknown member":      {replaced(`"apiKey"`, `"extra":1,"apiKey"`), nil, 400, 2020},
		"member given twice":  {replaced(`"apiKey"`, `"sentAt":"2026-11-22T10:00:00.000Z","apiKey"`), nil, 400, 2020},
		"invalid UTF-8":       {replaced(`"action"`, "\"\xff\""), nil, 400, 2020},
		"oversize body":       {append(anna.body(anna.call("page", m{})), bytes.Repeat([]byte(" "), 65_536)...), nil, 413, 2020},
		"101 calls":           {anna.body(make([]call, 101)...), nil, 400, 2020},
		"wrong key":           {replaced(trackingKey, "00000000000000000000000000000000"), nil, 401, 2020},
		"key without scope":   {replaced(trackingKey, readingKey), nil, 403, 2020},
		"foreign origin":      {replaced("", ""), header("Origin", "https://evil.example"), 403, 2020},
		"opaque origin":       {replaced("", ""), header("Origin", "null"), 403, 2020},
		"cross-site":          {replaced("", ""), header("Sec-Fetch-Site", "cross-site"), 403, 2020},
		"another media type":  {replaced("", ""), header("Content-Type", "application/x-www-form-urlencoded"), 415, 2020},
		"compressed":          {replaced("", ""), header("Content-Encoding", "gzip"), 415, 2020},
		"another method":      {nil, func(r *http.Request) { r.Method = http.MethodPut }, 405, 2020},
		"no origin, no proof": {replaced("", ""), func(r *http.Request) { r.Header.Del("Origin"); r.Header.Del("Sec-Fetch-Site") }, 403, 2020},
	} {
		t.Run(name, func(t *testing.T) {
			var changes []func(*http.Request)
			if c.change != nil {
				changes = append(changes, c.change)
			}
			status, answer := w.post(anna.client, c.body, changes...)
			assert.Equal(t, c.status, status, string(answer))
			var r refusal
			require.NoError(t, json.Unmarshal(answer, &r), string(answer))
			assert.False(t, r.Success)
			assert.Equal(t, c.code, r.Error.Code)
			assert.Equal(t, "PersonStateError", r.Error.Name)
			assert.True(t, strings.HasPrefix(r.Error.Message, "Person synchronization failed. Cause: "), r.Error.Message)
			assert.NotContains(t, string(answer), trackingKey)
		})
	}
	assert.Equal(t, before, w.timeline(people[0].ID))
	assert.Equal(t, people, w.persons())
}

// TestBadCallsAreRefusedOneByOne sends well-formed requests with calls that
// break a rule, between two good ones that are carried out.
func TestBadCallsAreRefusedOneByOne(t *testing.T) {
	w := start(t, options{})
	lead := w.visitor("anna")
	lead.open()
	lead.startChat()
	id := w.only().ID
	for name, c := range map[string]struct {
		method string
		params any
		code   int
		cause  string
	}{
		"unknown event":           {"track", m{"eventId": "unheardOf"}, 2016, "unheardOf"},
		"standard event":          {"track", m{"eventId": "pageView"}, 2016, "pageView"},
		"undeclared property":     {"track", m{"eventId": "action", "properties": m{"colour": "red"}}, 2016, "colour"},
		"wrong property type":     {"track", m{"eventId": "action", "properties": m{"name": 7}}, 2016, "name"},
		"empty properties":        {"track", m{"eventId": "action", "properties": m{}}, 2016, ""},
		"wrong person property":   {"updatePerson", m{"birthDate": "yesterday"}, 2017, "birthDate"},
		"item of an unknown list": {"appendToList", m{"attributeName": "wishes", "value": m{"name": "x"}}, 2019, "wishes"},
		"item of a scalar":        {"appendToList", m{"attributeName": "car", "value": m{"name": "x"}}, 2019, "car"},
		"wrong token":             {"chat", m{"state": "authenticated", "widgetId": widgetID, "token": "eyJhbGciOiJub25lIn0.e30."}, 2020, ""},
		"forged epoch":            {"updatePerson", m{"firstName": "Mallory"}, 2020, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := w.story(id)
			bad := lead.call(c.method, c.params)
			if name == "forged epoch" {
				bad.Epoch = "AAAAAAAAAAAA"
			}
			results := lead.send(
				lead.call("track", m{"eventId": "action", "properties": m{"label": "good before"}}), bad,
				lead.call("track", m{"eventId": "action", "properties": m{"label": "good after"}}))
			assert.True(t, results[0].Success)
			assert.True(t, results[2].Success)
			assert.False(t, results[1].Success)
			require.NotNil(t, results[1].Error)
			assert.Equal(t, c.code, results[1].Error.Code)
			assert.Contains(t, results[1].Error.Message, c.cause)
			assert.Equal(t, "people-tracking", results[1].Error.Origin)
			assert.Equal(t, "fe-snippet", results[1].Error.Platform)
			assert.Equal(t, append(before, "action good before", "action good after"), w.story(id))
		})
	}
	assert.Empty(t, w.only().FirstName)
}

// TestForgedCookies sends cookies that this server never issued.
func TestForgedCookies(t *testing.T) {
	w := start(t, options{})
	anna := w.visitor("anna")
	anna.open()
	anna.startChat()
	before := w.timeline(w.only().ID)
	for name, cookies := range map[string]string{
		"device":  "_people=00000000000000000000000000000000",
		"chat":    "_people_chat=00000000000000000000000000000000",
		"both":    "_people=ffffffffffffffffffffffffffffffff; _people_chat=ffffffffffffffffffffffffffffffff",
		"garbage": "_people=\"'><script>; _people_chat=%00",
	} {
		t.Run(name, func(t *testing.T) {
			mallory := w.visitor("mallory" + name)
			body := mallory.body(mallory.call("page", m{}), mallory.call("updatePerson", m{"firstName": "Mallory"}))
			status, answer := w.post(&http.Client{}, body, func(r *http.Request) { r.Header.Set("Cookie", cookies) })
			require.Equal(t, http.StatusOK, status, string(answer))
			var response struct{ Results []result }
			require.NoError(t, json.Unmarshal(answer, &response))
			assert.True(t, response.Results[0].Success, "a visitor of its own")
			require.NotNil(t, response.Results[1].Error)
			assert.Equal(t, 2017, response.Results[1].Error.Code)
		})
	}
	assert.Len(t, w.persons(), 1)
	assert.Equal(t, before, w.timeline(w.only().ID))
}

// TestConsoleRefusesStrangers asks for everything without and with a wrong key.
func TestConsoleRefusesStrangers(t *testing.T) {
	w := start(t, options{})
	anna := w.visitor("anna")
	anna.open()
	anna.startChat()
	id := w.only().ID
	for _, path := range []string{"", "persons/" + id, "api/persons", "api/persons/" + id, "api/persons/" + id + "/events", "api/persons/" + id + "/merges", "openapi.json"} {
		for name, key := range map[string]string{"no key": "", "wrong key": "App nonsense", "basic without Caddy's check": "Basic ZGVtbzpkZW1v", "tracking key": "App " + trackingKey} {
			stranger := *w
			stranger.sign = func(r *http.Request) {
				if key != "" {
					r.Header.Set("Authorization", key)
				}
			}
			want := http.StatusUnauthorized
			if name == "tracking key" {
				want = http.StatusForbidden
			}
			assert.Equal(t, want, stranger.get(path, nil), "%s with %s", path, name)
		}
	}
}
