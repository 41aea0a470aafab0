package console

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func open(t *testing.T, people People, target string, change ...func(*http.Request)) *htmlNode {
	t.Helper()
	w := ask(newConsole(t, people), http.MethodGet, target, append(change, asOperator, inBrowser)...)
	require.Equal(t, 200, w.Code, w.Body.String())
	return parse(t, w)
}

// following returns the address of a link by its text.
func following(t *testing.T, document *htmlNode, name string) string {
	t.Helper()
	for _, a := range elements(document, func(n *htmlNode) bool { return n.Data == "a" }) {
		if text(a) == name {
			href := attribute(a, "href")
			require.True(t, strings.HasPrefix(href, "/people/"), href)
			return strings.TrimPrefix(href, "/people")
		}
	}
	return ""
}

func texts(nodes []*htmlNode) []string {
	var all []string
	for _, n := range nodes {
		all = append(all, text(n))
	}
	return all
}

func TestListWithoutScript(t *testing.T) {
	people := crowd()
	document := open(t, people, "/")
	assert.Len(t, elements(document, classed("name")), 50)
	assert.Empty(t, following(t, document, "Newest"))
	older := following(t, document, "Older")
	require.NotEmpty(t, older)

	document = open(t, people, older)
	assert.Len(t, elements(document, classed("name")), 10)
	assert.Empty(t, following(t, document, "Older"))
	assert.Equal(t, "/", following(t, document, "Newest"))
}

func TestListKeepsSearchAndType(t *testing.T) {
	people := crowd()
	document := open(t, people, "/?query=customer.example&type=LEAD&limit=5")
	older := following(t, document, "Older")
	assert.Contains(t, older, "query=customer.example")
	assert.Contains(t, older, "type=LEAD")
	assert.Equal(t, "/?query=customer.example", following(t, document, "All"))
	assert.Equal(t, "/?query=customer.example&type=CUSTOMER", following(t, document, "Customers"))
	current := elements(document, func(n *htmlNode) bool { return attribute(n, "aria-current") == "page" })
	assert.Equal(t, []string{"Leads"}, texts(current))
	hidden := elements(document, func(n *htmlNode) bool { return attribute(n, "type") == "hidden" })
	require.Len(t, hidden, 1)
	assert.Equal(t, "LEAD", attribute(hidden[0], "value"), "another search keeps the type")
	for _, badge := range elements(document, classed("badge")) {
		assert.Equal(t, "Lead", text(badge))
	}
}

func TestSearchThatDidNotLookAtEverybody(t *testing.T) {
	people := crowd()
	const note = "too common to look at everybody"
	assert.NotContains(t, text(open(t, people, "/?query=customer")), note)
	people.partial = true
	assert.Contains(t, text(open(t, people, "/?query=customer")), note)
	assert.Contains(t, text(open(t, people, "/?query=xyz")), note, "nor if nobody was found")
	w := ask(newConsole(t, people), http.MethodGet, "/api/persons?query=customer", asReader)
	var list personList
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &list))
	assert.True(t, list.Partial)
}

func TestEmptyStates(t *testing.T) {
	assert.Contains(t, text(open(t, &fakePeople{}, "/")), "Nobody has started a chat yet")
	assert.Contains(t, text(open(t, crowd(), "/?query=zzz")), "Nobody matches")
	assert.Contains(t, text(open(t, crowd(), "/?cursor=at.60")), "Nobody further back")
	sparse := small()
	assert.Contains(t, text(open(t, sparse, "/persons/p2")), "No activity yet")
	assert.Contains(t, text(open(t, sparse, "/persons/p1?definition=nothing")), "No such event")
	assert.Contains(t, text(open(t, sparse, "/persons/p1?cursor=at.3")), "Nothing further back")
}

func TestAPageOfEventsMayBeEmpty(t *testing.T) {
	people := small()
	people.blank = "at.0"
	document := open(t, people, "/persons/p1?definition=action")
	assert.Contains(t, text(document), "Nothing so far")
	assert.NotContains(t, text(document), "No such event")
	assert.Equal(t, "/persons/p1?cursor=at.0&definition=action", following(t, document, "Older"))
	assert.Equal(t, following(t, document, "Older"), following(t, document, "look there"))
}

func TestPersonPage(t *testing.T) {
	document := open(t, small(), "/persons/p1")
	page := text(document)
	for _, want := range []string{
		"Semi Gabcik Holsen", "Customer", "Active now", "External id", "crm-7", "verified: authenticated with it",
		"Kirchmayer street 97", "Contacts as given, not verified", "a@customer.example", "421905123450", "Mercedes", "category 1 item", "special",
		"Connected, not merged", "A chat was started, so what the visitor had done until then came here.", "came through a merge", "Button clicked", "Session started",
	} {
		assert.Contains(t, page, want, "B6, B17, B23")
	}
	assert.NotContains(t, page, "__id")
	marks := elements(document, classed("merged"))
	require.Len(t, marks, 1, "only the page view came through the merge")
	assert.Equal(t, "#merge-m1", attribute(marks[0], "href"))
	assert.Len(t, elements(document, func(n *htmlNode) bool { return attribute(n, "id") == "merge-m1" }), 1)
	assert.Contains(t, page, "operator", "who is signed in")
	assert.NotContains(t, text(open(t, small(), "/persons/p1", asReader)), "Signed in", "a key is no user")
}

func TestTimelineFilterIsInTheReadersDays(t *testing.T) {
	people := small()
	prague := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: zoneCookie, Value: "Europe%2FPrague"}) }
	document := open(t, people, "/persons/p1?definition=pageView&from=2026-11-22&to=2026-11-22", prague)
	assert.Equal(t, time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC), people.eventQuery.From.UTC())
	assert.Equal(t, time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC), people.eventQuery.To.UTC())
	assert.Equal(t, "pageView", people.eventQuery.DefinitionID)
	assert.Equal(t, timelineLimit, people.eventQuery.Limit)
	selected := elements(document, func(n *htmlNode) bool { return n.Data == "option" && len(n.Attr) == 2 })
	assert.Equal(t, []string{"Page view"}, texts(selected))
	assert.Equal(t, "/persons/p1", following(t, document, "Clear"))
	assert.Contains(t, text(document), "Times in Europe/Prague")
	var shown []string
	for _, n := range elements(document, classed("event")) {
		at := elements(n, func(n *htmlNode) bool { return n.Data == "time" })[0]
		shown = append(shown, text(at)+" "+attribute(at, "title")+" "+attribute(at, "datetime"))
	}
	assert.Equal(t, []string{"11:08 2026-11-22 10:08:00.120 UTC 2026-11-22T10:08:00.120Z"}, shown)
}

func TestTimelinePagesWithoutScript(t *testing.T) {
	people := crowd()
	first := people.persons[0].ID
	seen := map[string]bool{}
	target := "/persons/" + first
	for pages := 0; target != ""; pages++ {
		require.Less(t, pages, 3)
		document := open(t, people, target)
		for _, event := range elements(document, classed("event")) {
			assert.False(t, seen[attribute(event, "data-key")])
			seen[attribute(event, "data-key")] = true
		}
		target = following(t, document, "Older")
	}
	assert.Len(t, seen, 200)
}

func TestZoneCookie(t *testing.T) {
	for value, want := range map[string]string{
		"Europe%2FPrague": "Europe/Prague", "America/Argentina/Buenos_Aires": "America/Argentina/Buenos_Aires", "Etc%2FGMT%2B5": "Etc/GMT+5",
		"": "UTC", "Local": "UTC", "..%2F..%2Fetc%2Fpasswd": "UTC", "%2Fetc%2Fpasswd": "UTC", "Nowhere/City": "UTC", "%zz": "UTC", strings.Repeat("A", 5000): "UTC",
	} {
		document := open(t, small(), "/", with("Cookie", zoneCookie+"="+value))
		assert.Equal(t, want, attribute(elements(document, func(n *htmlNode) bool { return n.Data == "html" })[0], "data-zone"), value)
	}
}

func TestNames(t *testing.T) {
	contact := &tracker.ContactInformation{Email: []tracker.EmailContact{{Address: "A@customer.example"}}, Phone: []tracker.PhoneContact{{Number: "385"}}}
	c := clock{now: testNow, zone: time.UTC}
	for name, test := range map[string]struct {
		person          tracker.Person
		shown, initials string
		contacts        []string
	}{
		"ok/full name":         {tracker.Person{FirstName: "Émile", LastName: "Ito", Subject: "a@customer.example", ContactInformation: contact}, "Émile Ito", "ÉI", []string{"a@customer.example", "385"}},
		"ok/last name":         {tracker.Person{LastName: "Ito"}, "Ito", "I", nil},
		"ok/identity":          {tracker.Person{Subject: "crm-7", ContactInformation: contact}, "crm-7", "", []string{"A@customer.example", "385"}},
		"ok/e-mail":            {tracker.Person{ContactInformation: contact}, "A@customer.example", "", []string{"385"}},
		"ok/nothing":           {tracker.Person{}, "Unnamed lead", "", nil},
		"ok/nothing, known":    {tracker.Person{Type: tracker.TypeCustomer}, "Unnamed customer", "", nil},
		"ok/blank":             {tracker.Person{FirstName: " ", LastName: "\t"}, "Unnamed lead", "", nil},
		"ok/name of no letter": {tracker.Person{FirstName: "<b>", LastName: "1"}, "<b> 1", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := c.profile(test.person)
			assert.Equal(t, test.shown, p.Name)
			assert.Equal(t, test.initials, p.Initials)
			assert.Equal(t, test.contacts, p.Contacts)
		})
	}
}

func TestCustomAttributes(t *testing.T) {
	values, lists := attributes(map[string]json.RawMessage{
		"b": json.RawMessage(`true`), "a": json.RawMessage(`"x"`), "o": json.RawMessage(`{"k":1}`), "n": json.RawMessage(`null`), "broken": json.RawMessage(`{`),
		"l": json.RawMessage(`[{"__id":"1","name":"x"},{"__id":"2","since":2,"name":"y"},3]`), "empty": json.RawMessage(`[]`),
	})
	assert.Equal(t, []field{{Name: "a", Value: "x"}, {Name: "b", Value: "true"}, {Name: "broken", Value: "{"}, {Name: "n", Value: "null"}, {Name: "o", Value: "{\n  \"k\": 1\n}", Block: true}}, values)
	assert.Equal(t, []table{{Name: "empty"}, {Name: "l", Columns: []string{"name", "since"}, Rows: [][]field{
		{{Name: "name", Value: "x"}, {}}, {{Name: "name", Value: "y"}, {Name: "since", Value: "2"}}, {{}, {}},
	}}}, lists)
}
