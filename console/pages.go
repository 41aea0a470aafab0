package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// timelineLimit is how many events a page of the timeline shows.
const timelineLimit = 100

// listView is the page of all people.
type listView struct {
	frame
	Type       tracker.PersonType
	Persons    []profile
	Everybody  string // address of each filter, the search kept
	Leads      string
	Customers  string
	First      string // address of the first page, "" on it
	Older      string // "" on the last page
	IsFiltered bool
	Partial    bool // the words are too common to look at everybody
}

func (h *handler) listPage(w http.ResponseWriter, r *http.Request) error {
	params, err := readParams(r)
	if err != nil {
		return err
	}
	query, err := params.personQuery()
	if err != nil {
		return err
	}
	found, err := h.people.Persons(r.Context(), h.account, query)
	if err != nil {
		return fmt.Errorf("list persons: %w", err)
	}
	clock := h.clockFor(r)
	view := listView{frame: h.frame(r, clock, "People"), Type: query.Type, IsFiltered: query.Text != "" || query.Type != ""}
	view.Search = query.Text
	address := func(kind tracker.PersonType, cursor string) string {
		return view.Base + encode("query", query.Text, "type", string(kind), "cursor", cursor)
	}
	view.Everybody, view.Leads, view.Customers = address("", ""), address(tracker.TypeLead, ""), address(tracker.TypeCustomer, "")
	if query.Cursor != "" {
		view.First = address(query.Type, "")
	}
	if found.Next != "" {
		view.Older = address(query.Type, found.Next)
	}
	view.Partial = found.Partial
	for _, person := range found.Persons {
		view.Persons = append(view.Persons, clock.profile(person))
	}
	return h.views.write(w, http.StatusOK, h.views.list, view)
}

// personView is the page of one person.
type personView struct {
	frame
	Person     profile
	Days       []day
	Merges     []mergeView
	Definition string
	From, To   string // days, as given
	Choices    []choice
	Unfiltered string
	First      string
	Older      string
	IsFiltered bool
	MayManage  bool // undo and redo merges
}

// choice is a kind of event that the timeline can be narrowed to.
type choice struct{ ID, Title string }

type mergeView struct {
	ID, VisitorID, PersonID, RequestID, Reason string
	At                                         moment
	Undone                                     bool
	Other                                      string // who it was undone from, seen from this person; "" while it stands
	History                                    []turnView
}

// turnView is one time a merge was undone or redone.
type turnView struct {
	Undone     bool
	By, Reason string
	At         moment
}

func (c clock) merge(m tracker.Merge, shown string) mergeView {
	view := mergeView{
		ID: m.ID, VisitorID: m.VisitorID, PersonID: m.PersonID, RequestID: m.RequestID, Reason: m.Reason, At: c.at(m.At), Undone: m.Undone,
	}
	if m.Undone {
		if view.Other = m.VisitorID; shown == m.VisitorID {
			view.Other = m.PersonID
		}
	}
	for _, t := range m.History {
		view.History = append(view.History, turnView{t.Undone, t.By, t.Reason, c.at(t.At)})
	}
	return view
}

func (h *handler) personPage(w http.ResponseWriter, r *http.Request) error {
	params, err := readParams(r)
	if err != nil {
		return err
	}
	clock := h.clockFor(r)
	query, err := params.eventQuery(func(name string) (time.Time, error) { return params.day(name, clock.zone) })
	if err != nil {
		return err
	}
	if !query.To.IsZero() {
		query.To = query.To.AddDate(0, 0, 1) // the reader's "to" includes that day
	}
	query.Limit = timelineLimit
	id := r.PathValue("id")
	person, err := h.people.Person(r.Context(), h.account, id)
	if err != nil {
		return fmt.Errorf("read person: %w", err)
	}
	events, next, err := h.people.Events(r.Context(), h.account, id, query)
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	merges, err := h.people.Merges(r.Context(), h.account, id)
	if err != nil {
		return fmt.Errorf("list merges: %w", err)
	}

	view := personView{
		Person: clock.profile(person), Days: clock.timeline(events), Definition: query.DefinitionID,
		From: params.get("from"), To: params.get("to"), Choices: choices(events, query.DefinitionID),
	}
	view.frame = h.frame(r, clock, view.Person.Name)
	view.MayManage = callerOf(r.Context()).mayManage()
	view.IsFiltered = view.Definition != "" || view.From != "" || view.To != ""
	view.Unfiltered = view.Base + "persons/" + view.Person.Path
	address := func(cursor string) string {
		return view.Unfiltered + encode("definition", view.Definition, "from", view.From, "to", view.To, "cursor", cursor)
	}
	if query.Cursor != "" {
		view.First = address("")
	}
	if next != "" {
		view.Older = address(next)
	}
	for _, m := range merges {
		view.Merges = append(view.Merges, clock.merge(m, id))
	}
	return h.views.write(w, http.StatusOK, h.views.person, view)
}

// choices offers the standard events, what this page of the timeline holds,
// and what is chosen.
func choices(events []tracker.Event, chosen string) []choice {
	offered := []choice{{pageView, "Page view"}, {sessionStarted, "Session started"}, {sessionEnded, "Session ended"}}
	offer := func(id, title string) {
		if id != "" && !slices.ContainsFunc(offered, func(c choice) bool { return c.ID == id }) {
			offered = append(offered, choice{id, title})
		}
	}
	for _, event := range events {
		offer(event.DefinitionID, event.Title)
	}
	offer(chosen, chosen)
	return offered
}

// problemView is a page that says what went wrong.
type problemView struct {
	frame
	Status  int
	Heading string
	Message string
}

func (h *handler) errorPage(w http.ResponseWriter, r *http.Request, shown *problem) error {
	view := problemView{
		frame:  h.frame(r, h.clockFor(r), http.StatusText(shown.Status)),
		Status: shown.Status, Heading: headings[shown.Status], Message: shown.Message,
	}
	if view.Heading == "" {
		view.Heading = http.StatusText(shown.Status)
	}
	view.Plain = shown.Status == http.StatusUnauthorized
	return h.views.write(w, shown.Status, h.views.problem, view)
}

var headings = map[int]string{
	http.StatusBadRequest:          "That address does not work",
	http.StatusUnauthorized:        "Please sign in",
	http.StatusForbidden:           "Not allowed",
	http.StatusNotFound:            "Nobody here",
	http.StatusServiceUnavailable:  "Back in a moment",
	http.StatusInternalServerError: "Something went wrong",
}

// encode writes a query of the pairs whose value is given, with its "?".
func encode(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}
