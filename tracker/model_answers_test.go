package tracker

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
)

// checkPerson compares one person's portrait and timeline with the oracle.
func (s *sim) checkPerson(p *oProfile, got Person) {
	var emails []string
	if got.ContactInformation != nil {
		for _, e := range got.ContactInformation.Email {
			emails = append(emails, e.Address)
		}
	}
	var items []json.RawMessage
	_ = json.Unmarshal(got.CustomAttributes["category"], &items)
	running := p.running != nil && p.running.last+oSessionLasts > s.at()
	know := s.oracle.portrait(p)
	switch {
	case got.FirstName != know.first || !reflect.DeepEqual(got.Tags, know.tags) || !reflect.DeepEqual(emails, know.emails) || len(items) != know.items:
		s.fail("%s is shown as %+v, and should have %q, %v, %v, %d items", p.name, got, know.first, know.tags, know.emails, know.items)
	case !reflect.DeepEqual(got.LastActivityAt, s.lastActivity(p)):
		s.fail("%s was last active at %v, not %v", p.name, s.lastActivity(p), got.LastActivityAt)
	case (got.Type == TypeCustomer) != p.customer:
		s.fail("%s is shown as a %s", p.name, got.Type)
	case s.calm && got.Active != running:
		s.fail("%s is shown as active: %v", p.name, got.Active)
	case len(got.Links) != len(p.links):
		s.fail("%s has %d links, not %d", p.name, len(got.Links), len(p.links))
	}
	merges, err := s.service.Merges(context.Background(), DefaultAccount, got.ID)
	if err != nil || len(merges) != s.oracle.mergesOf(p) {
		s.fail("%s has %d merges, not %d: %v", p.name, s.oracle.mergesOf(p), len(merges), err)
	}
	s.checkTimeline(p, got)
}

// checkTimeline reads it in small pages: newest first, everything once.
func (s *sim) checkTimeline(p *oProfile, got Person) {
	want := map[string]*oActivity{}
	for label, a := range s.oracle.recorded {
		if a.who.root() == p {
			want[label] = a
		}
	}
	q := EventQuery{Limit: 1 + s.step%50}
	before := int64(1 << 62)
	for {
		events, next, err := s.service.Events(context.Background(), DefaultAccount, got.ID, q)
		if err != nil {
			s.fail("events of %s: %v", p.name, err)
			return
		}
		for _, e := range events {
			if at := e.OccurredTime.UnixMilli(); at > before {
				s.fail("the timeline of %s is out of order", p.name)
			} else {
				before = at
			}
			label := labelOf(e)
			if label == "" {
				continue
			}
			a := want[label]
			if a == nil {
				s.fail("%s stands in the timeline of %s, once too often or wrongly", label, p.name)
				return
			}
			if merged := e.MergedFrom != nil; merged != (a.who != p) {
				s.fail("%s of %s: merged %v", label, a.who.name, merged)
			}
			delete(want, label)
		}
		if next == "" {
			break
		}
		q.Cursor = next
	}
	if len(want) > 0 {
		s.fail("%d activities are missing in the timeline of %s", len(want), p.name)
	}
}

func labelOf(e Event) string {
	var p struct{ URL, Label string }
	_ = json.Unmarshal(e.Properties, &p)
	if p.URL != "" {
		return strings.TrimPrefix(p.URL, "https://shop.example/")
	}
	return p.Label
}

// checkSearch: persons are found by the beginning of a name or address.
func (s *sim) checkSearch(persons []*oProfile) {
	found := map[string]bool{}
	for _, p := range s.everybody(PersonQuery{Text: "ANN", Limit: 3}) {
		found[p.ID] = true
	}
	for _, p := range persons {
		anna := s.oracle.called(p, "Anna") || s.oracle.subjects["email anna@one.example"] == p
		if found[p.actual.String()] != anna {
			s.fail("%s (%q) is found by Ann: %v", p.name, p.first, found[p.actual.String()])
		}
	}
}
