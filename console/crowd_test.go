package console

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// crowd is a fake of a shop's realistic size: 60 persons, the first of whom has
// 200 events. It is the same at every call.
func crowd() *fakePeople {
	random := rand.New(rand.NewPCG(7, 11))
	id := func() string { return fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()) }
	f := &fakePeople{events: map[string][]tracker.Event{}, merges: map[string][]tracker.Merge{}}
	first := []string{"Ada", "Bohumil", "Chiara", "Dilek", "Émile", "Freja", "Goran", "Hana", "Ivo", "Jelena", "Kaito", "Lucía", "Mattia", "Ngozi", "Oskar"}
	last := []string{"Albrecht", "Bašić", "Castellani", "Dvořák", "Eriksen", "Fontaine", "García Márquez", "Horvat", "Ito", "Jansen"}
	places := [][2]string{{"Zagreb", "Croatia"}, {"Prague", "Czech Republic"}, {"Torino", "Italy"}, {"Lyon", "France"}, {"Aarhus", "Denmark"}, {"", ""}, {"Osaka", "Japan"}}
	tags := []string{"newsletter", "wholesale", "returns", "vip", "bikes", "spare parts"}
	at := testNow.Add(-40 * time.Second)
	for i := range 60 {
		p := tracker.Person{ID: id(), Type: tracker.TypeLead, CreatedAt: at.Add(-time.Duration(random.IntN(90*24)) * time.Hour)}
		p.ModifiedAt = p.CreatedAt.Add(at.Sub(p.CreatedAt) / 2)
		last1 := at
		p.LastActivityAt, p.Active = &last1, testNow.Sub(at) < 30*time.Minute
		if i%4 != 3 {
			p.FirstName, p.LastName = first[random.IntN(len(first))], last[random.IntN(len(last))]
			place := places[random.IntN(len(places))]
			p.City, p.Country = place[0], place[1]
			address := strings.ToLower(string([]rune(p.FirstName)[:1])) + "." + strconv.Itoa(i) + "@customer.example"
			p.ContactInformation = &tracker.ContactInformation{Email: []tracker.EmailContact{{Address: address}}}
			for range random.IntN(3) {
				p.Tags = append(p.Tags, tags[random.IntN(len(tags))])
			}
			if i%3 == 0 {
				p.Type, p.SubjectType, p.Subject = tracker.TypeCustomer, "email", address
			}
		}
		if i%11 == 7 {
			p.Type, p.SubjectType, p.Subject, p.ExternalID = tracker.TypeCustomer, "externalPersonId", "crm-"+strconv.Itoa(40000+i), "crm-"+strconv.Itoa(40000+i)
		}
		f.persons = append(f.persons, p)
		f.events[p.ID] = activity(random, id, at, 3+random.IntN(9), nil)
		at = at.Add(-time.Duration(random.IntN(3+i*i*8)) * time.Minute)
	}
	f.fillFirst(random, id)
	return f
}

// fillFirst gives the first person everything that a person page can show.
func (f *fakePeople) fillFirst(random *rand.Rand, id func() string) {
	p := &f.persons[0]
	other := &f.persons[4]
	visitor := tracker.MergedFrom{MergeID: id(), ProfileID: id()}
	p.Type, p.SubjectType, p.Subject = tracker.TypeLead, "", ""
	p.FirstName, p.MiddleName, p.LastName = "Lucía", "Inés", "García Márquez"
	p.Address, p.City, p.Country = "Kirchmayer street 97", "Prague", "Czech Republic"
	p.BirthDate, p.Gender, p.PreferredLanguage = "1993-01-01", "FEMALE", "es-ES"
	p.ProfilePicture = "https://pictures.example/people/lucia.jpg"
	p.Tags = []string{"newsletter", "bikes"}
	p.ContactInformation = &tracker.ContactInformation{
		Email: []tracker.EmailContact{{Address: "lucia@customer.example"}, {Address: "l.garcia@work.example"}},
		Phone: []tracker.PhoneContact{{Number: "421905123450"}},
	}
	p.CustomAttributes = map[string]json.RawMessage{
		"car": json.RawMessage(`"Mercedes"`), "orders": json.RawMessage(`14`), "wholesale": json.RawMessage(`false`),
		"category": json.RawMessage(`[{"__id":"1","name":"special","since":"2026-03-01"},{"__id":"2","name":"gravel bikes","since":"2026-10-19","weight":3}]`),
	}
	p.Links = []tracker.Link{{PersonID: other.ID, Reason: "authenticated", At: testNow.Add(-26 * time.Hour)}}
	p.CreatedAt, p.ModifiedAt = testNow.Add(-26*24*time.Hour), testNow.Add(-25*time.Hour)
	f.events[p.ID] = activity(random, id, *p.LastActivityAt, 200, &visitor)
	f.merges[p.ID] = []tracker.Merge{{
		ID: visitor.MergeID, VisitorID: visitor.ProfileID, PersonID: p.ID,
		At: f.events[p.ID][119].OccurredTime, Reason: "chat started", RequestID: id(),
	}}
}

// activity makes n events that end at newest, in sessions of a few each. The
// events from the 120th on are from before the merge.
func activity(random *rand.Rand, id func() string, newest time.Time, n int, merged *tracker.MergedFrom) []tracker.Event {
	pages := [][2]string{
		{"Gravel bikes – Shop", "/bikes/gravel"},
		{"Your basket – Shop", "/basket"},
		{"Shop", "/"},
		{"Delivery and returns – Shop", "/help/delivery"},
		{"Checkout – Shop", "/checkout"},
		{"Trail 29 carbon, size M – Shop", "/bikes/trail-29?size=M&colour=moss"},
	}
	var events []tracker.Event
	at := newest
	add := func(session, definition, title string, at time.Time, properties any) {
		raw, _ := json.Marshal(properties)
		e := tracker.Event{
			ID: id(), DefinitionID: definition, Title: title, SessionID: session,
			OccurredTime: at, ReceivedTime: at.Add(180 * time.Millisecond), Properties: raw,
		}
		if merged != nil && len(events) >= 120 {
			e.MergedFrom = merged
		}
		events = append(events, e)
	}
	for len(events) < n {
		session, ended := id(), at
		count := min(3+random.IntN(8), n-len(events))
		if testNow.Sub(at) > 30*time.Minute {
			add(session, "sessionEnded", "Session ended", at.Add(30*time.Minute), map[string]any{"sessionId": session, "duration": 2400, "activeDuration": 600})
		}
		for range count {
			page := pages[random.IntN(len(pages))]
			switch random.IntN(4) {
			case 0:
				add(session, "addedToCart", "Added to cart", at, map[string]any{"item": "Trail 29", "price": 2199.5, "size": "M", "options": []string{"bell", "lights"}})
			case 1:
				if len(events)%3 == 0 {
					add(session, "action", "Action", at, map[string]any{"name": "Button clicked", "label": "add-to-favorites"})
					break
				}
				fallthrough
			default:
				path, _, _ := strings.Cut(page[1], "?")
				add(session, "pageView", "Page view", at, map[string]any{
					"pageTitle": page[0], "url": "https://shop.example" + page[1], "domain": "shop.example",
					"path": path, "referrer": "https://search.example/", "deviceType": "desktop", "browserName": "Firefox", "browserVersion": "145.0", "browserOS": "Linux", "browserLanguage": "es-ES", "websiteLanguage": "en",
				})
			}
			ended = at
			at = at.Add(-time.Duration(5+random.IntN(300)) * time.Second)
		}
		utm := map[string]any{"sessionId": session, "sessionType": "Web", "utm_source": "direct"}
		if random.IntN(2) == 0 {
			utm["utm_source"], utm["utm_medium"], utm["utm_campaign"] = "newsletter", "email", "autumn"
		}
		add(session, "sessionStarted", "Session started", ended, utm)
		at = at.Add(-time.Duration(1+random.IntN(40)) * time.Hour)
	}
	return events[:n]
}
