package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// testNow is the clock of all tests.
var testNow = time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)

// fakePeople answers as tracker.Service does, from memory.
type fakePeople struct {
	persons     []tracker.Person // newest activity first
	events      map[string][]tracker.Event
	merges      map[string][]tracker.Merge
	err         error // answers every call when set
	invalidated []string
	erased      []string
	broken      bool // exports end in the middle
	reported    []tracker.ChatReport
	account     tracker.Account // of the last call
	personQuery tracker.PersonQuery
	eventQuery  tracker.EventQuery
	partial     bool   // searches look at some people only
	blank       string // cursor behind an empty first page of events, as a rare definition has it
}

// page cuts out a page; a cursor is the offset of the next one.
func page[T any](all []T, cursor string, limit int) ([]T, string, error) {
	offset := 0
	if cursor != "" {
		at, found := strings.CutPrefix(cursor, "at.")
		n, err := strconv.Atoi(at)
		if !found || err != nil || n < 0 || n > len(all) {
			return nil, "", fmt.Errorf("decode cursor: %w", tracker.ErrBadCursor)
		}
		offset = n
	}
	if limit == 0 {
		limit = 50
	}
	rest := all[offset:]
	if len(rest) > limit {
		return rest[:limit:limit], "at." + strconv.Itoa(offset+limit), nil
	}
	return rest, "", nil
}

func (f *fakePeople) Persons(_ context.Context, account tracker.Account, q tracker.PersonQuery) (tracker.PersonPage, error) {
	f.account, f.personQuery = account, q
	if f.err != nil {
		return tracker.PersonPage{}, f.err
	}
	var found []tracker.Person
	for _, p := range f.persons {
		if q.Type != "" && p.Type != q.Type {
			continue
		}
		if matches(p, q.Text) {
			found = append(found, p)
		}
	}
	shown, next, err := page(found, q.Cursor, q.Limit)
	return tracker.PersonPage{Persons: shown, Next: next, Partial: f.partial}, err
}

func matches(p tracker.Person, text string) bool {
	hay := []string{p.FirstName, p.MiddleName, p.LastName, p.Subject, p.ExternalID}
	hay = append(hay, p.Tags...)
	if p.ContactInformation != nil {
		for _, e := range p.ContactInformation.Email {
			hay = append(hay, e.Address)
		}
		for _, n := range p.ContactInformation.Phone {
			hay = append(hay, n.Number)
		}
	}
	whole := strings.ToLower(strings.Join(hay, "\n"))
	for _, word := range strings.Fields(strings.ToLower(text)) {
		if !strings.Contains(whole, word) {
			return false
		}
	}
	return true
}

func (f *fakePeople) Person(_ context.Context, account tracker.Account, id string) (tracker.Person, error) {
	f.account = account
	if f.err != nil {
		return tracker.Person{}, f.err
	}
	for _, p := range f.persons {
		if p.ID == id {
			return p, nil
		}
	}
	return tracker.Person{}, fmt.Errorf("person: %w", tracker.ErrNotFound)
}

func (f *fakePeople) Events(ctx context.Context, account tracker.Account, id string, q tracker.EventQuery) ([]tracker.Event, string, error) {
	f.eventQuery = q
	if _, err := f.Person(ctx, account, id); err != nil {
		return nil, "", err
	}
	if f.blank != "" && q.Cursor == "" {
		return nil, f.blank, nil
	}
	var found []tracker.Event
	for _, e := range f.events[id] {
		if (q.DefinitionID == "" || e.DefinitionID == q.DefinitionID) &&
			(q.From.IsZero() || !e.OccurredTime.Before(q.From)) && (q.To.IsZero() || e.OccurredTime.Before(q.To)) {
			found = append(found, e)
		}
	}
	return page(found, q.Cursor, q.Limit)
}

func (f *fakePeople) Merges(ctx context.Context, account tracker.Account, id string) ([]tracker.Merge, error) {
	if _, err := f.Person(ctx, account, id); err != nil {
		return nil, err
	}
	return f.merges[id], nil
}

func (f *fakePeople) Erase(ctx context.Context, account tracker.Account, id string) error {
	if _, err := f.Person(ctx, account, id); err != nil {
		return err
	}
	f.erased = append(f.erased, id)
	return nil
}

func (f *fakePeople) Export(ctx context.Context, account tracker.Account, id string, w io.Writer) error {
	person, err := f.Person(ctx, account, id)
	if err != nil {
		return err
	}
	events := orEmpty(slices.Clone(f.events[id]))
	for i := range events {
		if len(events[i].Properties) == 0 {
			events[i].Properties = json.RawMessage("{}")
		}
	}
	document := map[string]any{
		"exportedAt": testNow, "person": person, "merges": orEmpty(f.merges[id]), "events": events,
		"devices":      []tracker.ExportedDevice{{ID: "d1", LastSeen: testNow, ConsentedAt: &testNow, Periods: []tracker.ExportedPeriod{{ProfileID: id, From: testNow, To: &testNow}}}},
		"chatSessions": []tracker.ExportedChat{{ID: "c1", WidgetID: "widget-1", SessionID: "s1", StartedAt: testNow, EndedAt: &testNow}},
		"sessions":     []tracker.ExportedSession{{ID: "s1", ProfileID: id, StartTime: testNow, LastActivity: testNow, EndTime: &testNow, Campaign: map[string]string{"utm_source": "news"}}},
	}
	if f.broken {
		_, _ = io.WriteString(w, "{")
		return errors.New("the store is gone")
	}
	return json.NewEncoder(w).Encode(document)
}

func (f *fakePeople) UndoMerge(_ context.Context, account tracker.Account, id string, d tracker.Decision) (tracker.Merge, error) {
	return f.decide(account, id, tracker.MergeTurn{Undone: true, At: testNow, By: d.By, Reason: d.Reason})
}

func (f *fakePeople) RedoMerge(_ context.Context, account tracker.Account, id string, d tracker.Decision) (tracker.Merge, error) {
	return f.decide(account, id, tracker.MergeTurn{At: testNow, By: d.By, Reason: d.Reason})
}

func (f *fakePeople) decide(account tracker.Account, id string, turn tracker.MergeTurn) (tracker.Merge, error) {
	f.account = account
	if f.err != nil {
		return tracker.Merge{}, f.err
	}
	for _, merges := range f.merges {
		for i := range merges {
			if merges[i].ID == id {
				merges[i].Undone, merges[i].History = turn.Undone, append(merges[i].History, turn)
				return merges[i], nil
			}
		}
	}
	return tracker.Merge{}, tracker.ErrNotFound
}

func (f *fakePeople) ReportChat(_ context.Context, account tracker.Account, widgetID string, report tracker.ChatReport) (string, error) {
	f.account = account
	switch {
	case f.err != nil:
		return "", f.err
	case widgetID != "widget-1" || report.Device != "d1":
		return "", tracker.ErrNotFound
	case len(report.SID) > 50:
		return "", tracker.ErrBadSessionID
	case report.Token == "wrong":
		return "", fmt.Errorf("%w: expired", tracker.ErrBadToken)
	}
	f.reported = append(f.reported, report)
	return "sid-1", nil
}

func (f *fakePeople) InvalidateSession(_ context.Context, account tracker.Account, widgetID, sid string) error {
	f.account = account
	if f.err != nil {
		return f.err
	}
	if widgetID != "widget-1" || len(sid) > 50 {
		return fmt.Errorf("session: %w", tracker.ErrNotFound)
	}
	f.invalidated = append(f.invalidated, widgetID+" "+sid)
	return nil
}

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
