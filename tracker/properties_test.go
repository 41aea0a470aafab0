package tracker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// example is updatePerson's example in the specification.
var example = m{
	"address": "Kirchmayer street 97", "birthDate": "1993-01-01", "city": "Prague",
	"contactInformation": m{
		"email": []m{{"address": "email@infobip.com"}},
		"phone": []m{{"number": "421905123450"}},
	},
	"country": "Czech Republic", "customAttributes": m{"car": "Mercedes"}, "firstName": "Semi", "gender": "male",
	"lastName": "Holsen", "middleName": "Gabcik", "preferredLanguage": "it-it", "profilePicture": "https://profile.com",
	"tags": []string{"reading", "technology"},
}

func TestB23UpdatePersonOfTheSpecification(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	result := b.do(MethodUpdatePerson, example)
	require.Nil(t, result.Err)
	assert.Empty(t, result.Warnings)
	person := b.person()
	assert.Equal(t, []string{"Semi", "Gabcik", "Holsen", "Kirchmayer street 97", "Prague", "Czech Republic", "1993-01-01", "https://profile.com"},
		[]string{person.FirstName, person.MiddleName, person.LastName, person.Address, person.City, person.Country, person.BirthDate, person.ProfilePicture})
	assert.True(t, strings.EqualFold("male", person.Gender))
	assert.True(t, strings.EqualFold("it-it", person.PreferredLanguage))
	assert.Equal(t, []string{"reading", "technology"}, person.Tags)
	assert.Equal(t, &ContactInformation{Email: []EmailContact{{"email@infobip.com"}}, Phone: []PhoneContact{{"421905123450"}}}, person.ContactInformation)
	assert.JSONEq(t, `"Mercedes"`, string(person.CustomAttributes["car"]))
}

func TestB23Merging(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	b.must(MethodUpdatePerson, example)
	b.must(MethodUpdatePerson, m{
		"firstName": nil, "city": "Brno", "tags": []string{"technology", "music"},
		"contactInformation": m{"email": []m{{"address": "EMAIL@infobip.com"}, {"address": "two@infobip.com"}}, "phone": []m{{"number": "+421 905 123 450"}}},
		"customAttributes":   m{"car": nil},
	})
	person := b.person()
	assert.Empty(t, person.FirstName, "null clears")
	assert.Equal(t, "Holsen", person.LastName, "absent is kept")
	assert.Equal(t, "Brno", person.City)
	assert.Equal(t, []string{"reading", "technology", "music"}, person.Tags)
	assert.Equal(t, []EmailContact{{"email@infobip.com"}, {"two@infobip.com"}}, person.ContactInformation.Email)
	assert.Len(t, person.ContactInformation.Phone, 1, "compared by digits")
	assert.NotContains(t, person.CustomAttributes, "car")
}

func TestB23OnlyLeads(t *testing.T) {
	w := newWorld(t)
	visitor, customer := w.browser("anna"), w.browser("bert")
	visitor.open()
	customer.open()
	customer.authenticate(w.token("email", "bert@example.com"))
	for name, b := range map[string]*browser{"visitor": visitor, "customer": customer} {
		t.Run(name, func(t *testing.T) {
			before := w.keys()
			result := b.do(MethodUpdatePerson, m{"firstName": "Anna"})
			require.NotNil(t, result.Err)
			assert.Equal(t, CodeUpdatePerson, result.Err.Code)
			assert.Contains(t, result.Err.Message, "only profiles of type LEAD")
			result = b.do(MethodAppendToList, m{"attributeName": "category", "value": m{"name": "special"}})
			require.NotNil(t, result.Err)
			assert.Equal(t, CodeAppendToList, result.Err.Code)
			assert.Equal(t, before, w.keys())
		})
	}
}

func TestB23WrongValueChangesNothing(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	b.must(MethodUpdatePerson, example)
	before := b.person()
	for name, params := range map[string]any{
		"a date that is none": m{"firstName": "Changed", "birthDate": "1993-02-30"},
		"a number as a name":  m{"lastName": 7, "firstName": "Changed"},
		"too many tags":       m{"firstName": "Changed", "tags": manyTags(0, maxTags-1)},
		"not an object":       []string{"firstName"},
	} {
		t.Run(name, func(t *testing.T) {
			result := b.do(MethodUpdatePerson, params)
			require.NotNil(t, result.Err)
			assert.Equal(t, CodeUpdatePerson, result.Err.Code)
			after := b.person()
			after.LastActivityAt = before.LastActivityAt
			assert.Equal(t, before, after)
		})
	}
}

func manyTags(from, n int) (tags []string) {
	for i := range n {
		tags = append(tags, fmt.Sprint("tag", from+i))
	}
	return tags
}

func TestB23UnknownNamesAreIgnoredWithAWarning(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	result := b.do(MethodUpdatePerson, m{"firstName": "Anna", "nickName": "Annie", "customAttributes": m{"undefined": 1}})
	require.Nil(t, result.Err)
	require.Len(t, result.Warnings, 2)
	assert.Contains(t, result.Warnings[0].Message+result.Warnings[1].Message, "nickName")
	assert.Equal(t, "Anna", b.person().FirstName)
}

func TestB24AppendToList(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	for i := range maxItems {
		b.must(MethodAppendToList, m{"attributeName": "category", "value": m{"name": fmt.Sprint("item ", i)}})
	}
	var items []struct {
		ID   string `json:"__id"`
		Name string
	}
	require.NoError(t, json.Unmarshal(b.person().CustomAttributes["category"], &items))
	require.Len(t, items, maxItems)
	ids := map[string]bool{}
	for i, item := range items {
		assert.Equal(t, fmt.Sprint("item ", i), item.Name, "in the order of the calls")
		ids[item.ID] = true
	}
	assert.Len(t, ids, maxItems, "each with an id")
	for name, params := range map[string]m{
		"item 129":            {"attributeName": "category", "value": m{"name": "one too many"}},
		"not a list":          {"attributeName": "car", "value": m{"name": "x"}},
		"undefined attribute": {"attributeName": "unknown", "value": m{"name": "x"}},
		"undeclared field":    {"attributeName": "category", "value": m{"title": "x"}},
		"no value":            {"attributeName": "category"},
	} {
		t.Run(name, func(t *testing.T) {
			result := b.do(MethodAppendToList, params)
			require.NotNil(t, result.Err)
			assert.Equal(t, CodeAppendToList, result.Err.Code)
		})
	}
}

func TestB22TrackIsChecked(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	before := len(w.keys())
	for name, params := range map[string]any{
		"undefined event":     m{"eventId": "unheardOf"},
		"standard event":      m{"eventId": "pageView"},
		"undeclared property": m{"eventId": "action", "properties": m{"colour": "red"}},
		"wrong type":          m{"eventId": "action", "properties": m{"name": 7}},
		"empty properties":    m{"eventId": "action", "properties": m{}},
		"too large":           m{"eventId": "action", "properties": m{"name": strings.Repeat("x", 33<<10)}},
		"no event id":         m{},
		"event id no string":  m{"eventId": 7},
		"unknown member":      m{"eventId": "action", "props": m{}},
		"not an object":       "action",
	} {
		t.Run(name, func(t *testing.T) {
			result := b.do(MethodTrack, params)
			require.NotNil(t, result.Err)
			assert.Equal(t, CodeTrack, result.Err.Code)
			assert.Equal(t, "SdkTrackError", result.Err.Name)
		})
	}
	assert.Len(t, w.keys(), before, "nothing stored")
	b.track("fine")
}

func TestCallTooLargeForOneTransaction(t *testing.T) {
	w := newWorld(t)
	b := w.lead("anna")
	var emails, phones []m
	for i := range maxContacts {
		emails = append(emails, m{"address": fmt.Sprintf("a%d@b%d.example", i, i)})
		phones = append(phones, m{"number": fmt.Sprintf("38591%06d", i)})
	}
	var tags []string
	for i := range maxTags {
		tags = append(tags, fmt.Sprintf("a%d b%d c%d", i, i, i))
	}
	calls := []Call{
		b.call(MethodUpdatePerson, m{"contactInformation": m{"email": emails}}),
		b.call(MethodUpdatePerson, m{"contactInformation": m{"phone": phones}}),
		b.call(MethodUpdatePerson, m{"tags": tags}),
		b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "last"}}),
	}
	for _, r := range b.send(b.request(calls...)).Results {
		assert.Nil(t, r.Err, "a batch is carried out in two halves")
	}
	person := b.person()
	assert.Len(t, person.Tags, maxTags)
	assert.Len(t, person.ContactInformation.Email, maxContacts)
	result := b.do(MethodUpdatePerson, m{"tags": nil, "contactInformation": m{"email": nil, "phone": nil}})
	if result.Err != nil {
		assert.Equal(t, CodeUpdatePerson, result.Err.Code)
		assert.Contains(t, result.Err.Message, "in parts")
		assert.Len(t, b.person().Tags, maxTags, "nothing changed")
	}
}

func TestSearch(t *testing.T) {
	w := newWorld(t)
	anna := w.lead("anna")
	anna.must(MethodUpdatePerson, m{
		"firstName": "Anna-Lena", "lastName": "Šimić", "tags": []string{"Early Bird"},
		"contactInformation": m{"email": []m{{"address": "anna.simic@Example.com"}}, "phone": []m{{"number": "+385 91 234 5678"}}},
	})
	bert := w.browser("bert")
	bert.open()
	bert.authenticate(w.token("externalPersonId", "CUST-0042"))
	visitor := w.browser("visitor")
	visitor.open()
	id := map[string]string{anna.person().ID: "anna", bert.person().ID: "bert"}
	for query, want := range map[string][]string{
		"anna": {"anna"}, "LENA": {"anna"}, "šim": {"anna"}, "anna šimić": {"anna"}, "anna bert": nil,
		"anna.simic@example.com": {"anna"}, "anna.simic": {"anna"}, "example.com": {"anna"},
		"38591": {"anna"}, "+38591": {"anna"}, "5678": {"anna"}, "early": {"anna"}, "bird": {"anna"},
		"cust-0042": {"bert"}, "cust": {"bert"}, "0042": nil, "visitor": nil, "": {"bert", "anna"},
	} {
		t.Run(query, func(t *testing.T) {
			page, err := w.service.Persons(context.Background(), DefaultAccount, PersonQuery{Text: query})
			require.NoError(t, err)
			assert.Empty(t, page.Next)
			assert.False(t, page.Partial)
			var got []string
			for _, p := range page.Persons {
				got = append(got, id[p.ID])
			}
			assert.Equal(t, want, got)
		})
	}
	anna.must(MethodUpdatePerson, m{"firstName": "Bea", "contactInformation": m{"email": nil}})
	for _, gone := range []string{"lena", "example.com"} {
		page, err := w.service.Persons(context.Background(), DefaultAccount, PersonQuery{Text: gone})
		require.NoError(t, err)
		assert.Empty(t, page.Persons, gone)
	}
}

func TestPersonsAreListedByLastActivity(t *testing.T) {
	w := newWorld(t)
	var browsers []*browser
	for i := range 12 {
		b := w.lead(fmt.Sprint("b", i))
		browsers = append(browsers, b)
		w.pass(11 * time.Minute)
	}
	// Two come back: one within its session, one long after it.
	browsers[11].track("again")
	w.pass(time.Minute)
	browsers[2].track("again")
	w.pass(time.Minute)
	want := []string{"b2", "b11", "b10", "b9", "b8", "b7", "b6", "b5", "b4", "b3", "b1", "b0"}
	name := map[string]string{}
	for i, b := range browsers {
		name[b.person().ID] = fmt.Sprint("b", i)
	}
	for _, limit := range []int{1, 2, 3, 5, 12, 50} {
		var got []string
		for _, p := range w.inPages(limit) {
			got = append(got, name[p.ID])
		}
		assert.Equal(t, want, got, "in pages of %d", limit)
	}
	_, err := w.service.Persons(context.Background(), DefaultAccount, PersonQuery{Cursor: "nonsense"})
	require.ErrorIs(t, err, ErrBadCursor)
	_, _, err = w.service.Events(context.Background(), DefaultAccount, browsers[0].person().ID, EventQuery{Cursor: "nonsense"})
	require.ErrorIs(t, err, ErrBadCursor)
}

func TestSpidersLeaveNoTrace(t *testing.T) {
	w := newWorld(t)
	b := w.browser("googlebot")
	b.agent = Agent{DeviceType: "spider"}
	result := b.do(MethodPage, m{})
	assert.Nil(t, result.Err)
	require.Len(t, result.Warnings, 1)
	assert.Equal(t, "not_recorded", result.Warnings[0].Code)
	assert.Empty(t, w.keys())
	assert.Empty(t, b.device)
}

// TestItemsAndLinksAreShown: the record says where nobody has to look, and one
// of before it did says nothing.
func TestItemsAndLinksAreShown(t *testing.T) {
	w := newWorld(t)
	anna := w.lead("anna")
	lead := anna.profile()
	assert.Equal(t, extrasNoted, lead.extras)
	anna.must(MethodAppendToList, m{"attributeName": "category", "value": m{"name": "special"}})
	assert.Equal(t, extrasNoted|extraItems, anna.profile().extras)
	anna.authenticate(w.token("email", "anna@example.com"))
	assert.Equal(t, extrasNoted|extraLinks, anna.profile().extras)
	for _, change := range []func(*profile){func(*profile) {}, func(p *profile) { p.extras = 0 }} {
		for _, of := range []id{lead.id, anna.profile().id} {
			p := w.firstProfile(func(p *profile) bool { return p.id == of })
			change(p)
			w.putProfile(p)
			person, err := w.service.Person(context.Background(), DefaultAccount, of.String())
			require.NoError(t, err)
			assert.Len(t, person.Links, 1)
			assert.Equal(t, of == lead.id, person.CustomAttributes["category"] != nil)
		}
	}
}
