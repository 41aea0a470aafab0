package console

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// The standard events that have a look of their own (B29).
const (
	pageView       = "pageView"
	sessionStarted = "sessionStarted"
	sessionEnded   = "sessionEnded"
	personMerged   = "personMerged"
)

// inlineProperties is how many single values of a custom event stand in its
// line; all properties stand below it.
const inlineProperties = 3

// day holds the part of a timeline that lies in one day of the reader's.
type day struct {
	ISO, Name string
	Sessions  []session
}

// session is the part of an activity session that lies in one day and page.
type session struct {
	ID         string // "" for a single event outside any session
	From, To   moment
	Length     string // between first and last activity, "" for a single one
	Count      int    // activities
	Device     string // browser and system of its first page view
	MergedFrom *tracker.MergedFrom
	Events     []entry

	first, last time.Time
}

// entry is one event of a timeline.
type entry struct {
	ID         string
	Kind       string // page, start, end, merge or custom
	Title      string
	At         moment
	Where      string // of a page view: host and path
	Href       string
	Inline     []field
	Details    []field
	MergedFrom *tracker.MergedFrom // unset where its session says so for all
}

// timeline groups events, newest first, by the reader's day and by session.
// Events of two sessions may alternate (B12, B13); each session still stands
// once in a day, where its newest event is.
func (c clock) timeline(events []tracker.Event) []day {
	var days []day
	place := map[string]int{} // session id to its index in the current day
	for _, event := range events {
		iso, name := c.day(event.OccurredTime)
		if len(days) == 0 || days[len(days)-1].ISO != iso {
			days = append(days, day{ISO: iso, Name: name})
			clear(place)
		}
		today := &days[len(days)-1]
		at, known := place[event.SessionID]
		if !known || event.SessionID == "" { // what has no session stands alone
			at = len(today.Sessions)
			place[event.SessionID] = at
			today.Sessions = append(today.Sessions, session{ID: event.SessionID})
		}
		today.Sessions[at].add(c.entry(event), event)
	}
	for d := range days {
		for s := range days[d].Sessions {
			days[d].Sessions[s].finish(c)
		}
	}
	return days
}

func (s *session) add(e entry, event tracker.Event) {
	s.Events = append(s.Events, e)
	switch event.DefinitionID {
	case sessionStarted, sessionEnded, personMerged:
		return // no activity
	}
	s.Count++
	if s.last.IsZero() {
		s.last = event.OccurredTime
	}
	s.first = event.OccurredTime
	if event.DefinitionID == pageView {
		s.Device = device(event.Properties) // the oldest, read last, wins
	}
}

// finish derives what needs all events of the part.
func (s *session) finish(c clock) {
	if !s.first.IsZero() {
		s.From, s.To = c.hour(s.first), c.hour(s.last)
		if length := s.last.Sub(s.first); length >= time.Second {
			s.Length = span(length)
		}
	}
	from := s.Events[0].MergedFrom
	for _, e := range s.Events {
		if e.MergedFrom == nil || from == nil || *e.MergedFrom != *from {
			return
		}
	}
	s.MergedFrom = from
	for i := range s.Events {
		s.Events[i].MergedFrom = nil
	}
}

func (c clock) entry(event tracker.Event) entry {
	e := entry{ID: event.ID, Kind: "custom", Title: event.Title, At: c.hour(event.OccurredTime), MergedFrom: event.MergedFrom}
	if e.Title == "" {
		e.Title = event.DefinitionID
	}
	e.Details = fieldsOf(event.Properties)
	switch event.DefinitionID {
	case pageView:
		e.page(event.Properties)
	case sessionStarted:
		e.Kind, e.Inline = "start", labelled(e.Details, campaignLabels)
	case sessionEnded:
		e.Kind, e.Inline = "end", labelled(e.Details, durationLabels)
	case personMerged:
		e.Kind, e.Inline = "merge", labelled(e.Details, mergeLabels)
	default:
		for _, f := range e.Details {
			if !f.Block && len(e.Inline) < inlineProperties {
				e.Inline = append(e.Inline, f)
			}
		}
	}
	e.Details = append(e.Details,
		field{Name: "Event", Value: event.DefinitionID + " · " + event.ID},
		field{Name: "Occurred", Value: c.at(event.OccurredTime).UTC},
		field{Name: "Received", Value: c.at(event.ReceivedTime).UTC})
	return e
}

func (e *entry) page(properties json.RawMessage) {
	var page struct{ PageTitle, URL, Domain, Path string }
	// A property of another type than expected leaves its field empty; the
	// details show it all the same.
	_ = json.Unmarshal(properties, &page)
	e.Kind = "page"
	e.Where = page.Domain + page.Path
	if e.Where == "" {
		e.Where = page.URL
	}
	e.Href = webAddress(page.URL)
	if page.PageTitle != "" {
		e.Title = page.PageTitle
	}
}

func device(properties json.RawMessage) string {
	var agent struct{ DeviceType, BrowserName, BrowserVersion, BrowserOS string }
	_ = json.Unmarshal(properties, &agent)
	major, _, _ := strings.Cut(agent.BrowserVersion, ".")
	return join(" · ", join(" ", agent.BrowserName, major), agent.BrowserOS, agent.DeviceType)
}

// The properties of standard events that stand in their line, with shorter
// names.
var (
	campaignLabels = map[string]string{"utm_source": "source", "utm_medium": "medium", "utm_campaign": "campaign", "utm_term": "term", "utm_content": "content"}
	durationLabels = map[string]string{"duration": "lasted", "activeDuration": "active"}
	mergeLabels    = map[string]string{"reason": "because"}
)

// directSource is the utm_source of a session that has none.
const directSource = "direct"

func labelled(fields []field, labels map[string]string) []field {
	var found []field
	for _, f := range fields {
		label := labels[f.Name]
		if label == "" || f.Value == "" || f.Value == directSource {
			continue
		}
		if strings.HasSuffix(strings.ToLower(f.Name), "duration") {
			f.Value = inSeconds(f.Value)
		}
		f.Name = label
		found = append(found, f)
	}
	return found
}

// inSeconds makes a number of seconds readable.
func inSeconds(value string) string {
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || seconds < 0 || seconds > 1e9 {
		return value
	}
	return span(time.Duration(seconds * float64(time.Second)))
}
