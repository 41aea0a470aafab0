package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	partial     bool // searches look at some people only
	outcomes    []tracker.Outcome
	missed      uint64
	news        chan struct{}
	watching    atomic.Int32
	watchErr    error
	mu          sync.Mutex // of outcomes
	blank       string     // cursor behind an empty first page of events, as a rare definition has it
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

func (f *fakePeople) Outcomes(account tracker.Account, after string) ([]tracker.Outcome, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.account = account
	at := slices.IndexFunc(f.outcomes, func(o tracker.Outcome) bool { return o.ID == after })
	missed := f.missed
	f.missed = 0
	return slices.Clone(f.outcomes[at+1:]), missed
}

func (f *fakePeople) Watch(tracker.Account) (<-chan struct{}, func(), error) {
	if f.watchErr != nil {
		return nil, nil, f.watchErr
	}
	f.watching.Add(1)
	return f.news, func() { f.watching.Add(-1) }, nil
}

// tell adds outcomes as calls are answered.
func (f *fakePeople) tell(outcomes ...tracker.Outcome) {
	f.mu.Lock()
	f.outcomes = append(f.outcomes, outcomes...)
	f.mu.Unlock()
	f.news <- struct{}{}
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
