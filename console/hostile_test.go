package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// hostile fills everything that a visitor, a site or a token decides with one
// text. Ids are ours and stay.
func hostile(value string) *fakePeople {
	f := small()
	p := &f.persons[0]
	p.SubjectType, p.Subject, p.ExternalID = value, value, value
	for _, at := range []*string{&p.FirstName, &p.MiddleName, &p.LastName, &p.Address, &p.City, &p.Country, &p.BirthDate, &p.Gender, &p.PreferredLanguage, &p.ProfilePicture} {
		*at = value
	}
	p.Tags = []string{value, value}
	p.ContactInformation = &tracker.ContactInformation{Email: []tracker.EmailContact{{Address: value}}, Phone: []tracker.PhoneContact{{Number: value}}}
	quoted, _ := json.Marshal(value)
	object, _ := json.Marshal(map[string]any{value: value, "url": value, "nested": []string{value}})
	p.CustomAttributes = map[string]json.RawMessage{value: quoted, "list " + value: json.RawMessage("[" + string(object) + "]"), "object " + value: object}
	p.Links[0].Reason = value
	standard, _ := json.Marshal(map[string]any{
		"pageTitle": value, "url": value, "domain": value, "path": value, "referrer": value,
		"browserName": value, "browserVersion": value, "browserOS": value, "deviceType": value, "utm_source": value, "duration": value, "reason": value,
	})
	events := f.events["p1"]
	for i := range events {
		events[i].Properties = standard
	}
	events[0].Title, events[0].Properties = value, object
	events = append(events,
		tracker.Event{ID: "e0", DefinitionID: "personMerged", Title: "Person merged", OccurredTime: events[0].OccurredTime, Properties: standard},
		tracker.Event{ID: "e00", DefinitionID: "sessionEnded", Title: "Session ended", SessionID: "s0", OccurredTime: events[0].OccurredTime, Properties: standard},
		tracker.Event{ID: "e000", DefinitionID: "odd", Title: value, SessionID: "s0", OccurredTime: events[0].OccurredTime, Properties: json.RawMessage(value)})
	f.events["p1"] = events
	f.merges["p1"][0].Reason, f.merges["p1"][0].RequestID = value, value
	return f
}

// shapes lists the elements of a page with the names of their attributes.
func shapes(document *htmlNode, into map[string]bool) {
	for _, n := range elements(document, func(*htmlNode) bool { return true }) {
		var names []string
		for _, a := range n.Attr {
			names = append(names, a.Key)
		}
		sort.Strings(names)
		into[n.Data+" "+strings.Join(names, " ")] = true
	}
}

func count(document *htmlNode, tags ...string) int {
	return len(elements(document, func(n *htmlNode) bool {
		for _, tag := range tags {
			if n.Data == tag {
				return true
			}
		}
		return false
	}))
}

var personAddresses = []string{"/", "/persons/p1", "/?query=", "/persons/p1?definition=action", "/persons/unknown", "/?type="}

// FuzzHostilePeople: whatever a visitor types, a page has the elements of the
// templates and no others, loads nothing, and links to http and https only.
func FuzzHostilePeople(f *testing.F) {
	for _, seed := range []string{
		"plain", "", " ", "two\nlines", `<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus='alert(1)`,
		`javascript:alert(1)`, `JaVaScRiPt:alert(1)//https://x.example/`, `data:text/html,<script>alert(1)</script>`, `https://x.example/"><svg onload=alert(1)>`,
		`//x.example/a.js`, `https:\\x.example`, `https://x.exampl(`, `http://`, `https://user:pass@x.example/?a=b&c=<d>`, `vbscript:x`, `{{.}}`, `</title><script>`, `</textarea></select></style>`,
		"\u202eevil\u2066", "\x00\xff\xfe", `-->`, `<!--`, `]]>`, "`${alert(1)}`", `&lt;script&gt;`, `{"a":`, `[1,`, `{"url":"javascript:alert(1)"}`, "https://x.example/\u2028", `null`, strings.Repeat("<a>", 500),
	} {
		f.Add(seed)
	}
	known := map[string]bool{}
	for _, plain := range []string{"plain", "two\nlines", "https://plain.example/", `{"a":1}`, ""} {
		for _, people := range []*fakePeople{hostile(plain), {}} {
			console := newConsole(f, people)
			for _, address := range append(personAddresses, "/?query=zzz", "/?query=zzz&type=LEAD") {
				if strings.HasSuffix(address, "=") {
					address += url.QueryEscape(plain)
				}
				shapes(parse(f, ask(console, http.MethodGet, address, asOperator, inBrowser)), known)
			}
		}
	}
	f.Fuzz(func(t *testing.T, value string) {
		console := newConsole(t, hostile(value))
		for _, address := range personAddresses {
			if strings.HasSuffix(address, "=") {
				address += url.QueryEscape(value)
			}
			w := ask(console, http.MethodGet, address, asOperator, inBrowser)
			document := parse(t, w)
			found := map[string]bool{}
			shapes(document, found)
			for shape := range found {
				assert.True(t, known[shape], "an element of nobody's template: %s", shape)
			}
			assert.Equal(t, 1, count(document, "script"))
			assert.Equal(t, 2, count(document, "link"))
			assert.Zero(t, count(document, "img", "iframe", "object", "embed", "style", "base", "video", "audio", "source"))
			for _, n := range elements(document, func(n *htmlNode) bool { return attribute(n, "href") != "" }) {
				href := attribute(n, "href")
				if strings.HasPrefix(href, "/people/") || strings.HasPrefix(href, "#") {
					continue
				}
				to, err := url.Parse(href)
				require.NoError(t, err, href)
				assert.Contains(t, []string{"http", "https"}, to.Scheme, href)
				assert.NotEmpty(t, to.Host)
				assert.Equal(t, "noreferrer noopener external", attribute(n, "rel"), href)
			}
		}
		for _, address := range []string{"/api/persons", "/api/persons/p1", "/api/persons/p1/merges"} {
			w := ask(console, http.MethodGet, address, asReader)
			if !utf8.ValidString(value) || w.Code == http.StatusInternalServerError {
				continue
			}
			assert.True(t, json.Valid(w.Body.Bytes()))
			assert.NotContains(t, w.Body.String(), "<", "no browser may take it for a page")
		}
	})
}

func TestHostileTextIsShownAsText(t *testing.T) {
	const value = `<img src=x onerror=alert(1)>`
	console := newConsole(t, hostile(value))
	for _, address := range []string{"/", "/persons/p1"} {
		document := parse(t, ask(console, http.MethodGet, address, asOperator, inBrowser))
		assert.Contains(t, text(document), value)
	}
}

func TestLinks(t *testing.T) {
	for value, want := range map[string]string{
		"https://shop.example/a?b=c#d": "https://shop.example/a?b=c#d", "http://shop.example": "http://shop.example",
		"javascript:alert(1)": "", "data:text/html,x": "", "//shop.example/": "", "/path": "", "https:": "", "https:///path": "", "https://shop(": "", "shop.example": "", "ftp://shop.example/": "", "https://shop.example/\n": "",
	} {
		assert.Equal(t, want, webAddress(value), value)
	}
	people := small()
	people.persons[0].ProfilePicture = "https://pictures.example/a.jpg"
	document := parse(t, ask(newConsole(t, people), http.MethodGet, "/persons/p1", asOperator, inBrowser))
	assert.Zero(t, count(document, "img"), "loading it would tell its server that the person is looked at")
	links := elements(document, func(n *htmlNode) bool { return attribute(n, "href") == "https://pictures.example/a.jpg" })
	require.Len(t, links, 1)
	assert.Equal(t, "noreferrer noopener external", attribute(links[0], "rel"))
}
