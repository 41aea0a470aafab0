package tracker

import (
	"context"
	"errors"
	"slices"
	"time"
)

// check compares the store with itself and with the oracle.
func (s *sim) check() { s.checkStore(false) }

// checkSwept is check right after the sweeper ran: nothing may be overdue.
func (s *sim) checkSwept() { s.checkStore(true) }

func (s *sim) checkStore(swept bool) {
	if s.violation != nil {
		return
	}
	k, err := takeStock(s.store, s.at())
	if err != nil {
		s.fail("reading the store: %v", err)
		return
	}
	k.swept, k.stepped = swept, s.stepped > 0
	if err := k.all(); err != nil {
		s.fail("the store contradicts itself:\n  %v", err)
		return
	}
	s.checkActivities(k)
	s.checkProfiles(k)
	if s.calm {
		s.checkCalm(k)
	}
	if err := k.err(); err != nil {
		s.fail("the store contradicts the rules:\n  %v", err)
	}
}

// checkActivities: every acknowledged activity once, where and when it
// happened, and nothing else (B8, B13, B26).
func (s *sim) checkActivities(k *walk) {
	found := map[string]int{}
	for _, e := range k.events {
		if e.label == "" {
			continue
		}
		found[e.label]++
		want := s.oracle.recorded[e.label]
		switch {
		case want == nil && s.oracle.refused[e.label]:
			k.failf("%s was refused and is recorded", e.label)
		case want == nil:
			k.failf("%s is recorded and was never sent", e.label)
		case e.home != want.who.actual:
			k.failf("%s was made for %s and stands under another profile", e.label, want.who.name)
		case e.at != want.at:
			k.failf("%s happened at %d and is recorded at %d", e.label, want.at, e.at)
		}
	}
	for label, want := range s.oracle.recorded {
		left := want.who.erased != 0 && !want.who.removed // it is hidden, and goes
		if n := found[label]; n != 1 && !want.who.gone || n != 0 && want.who.gone && !left {
			k.failf("%s of %s (gone: %v) was acknowledged and is recorded %d times", label, want.who.name, want.who.gone, n)
		}
	}
}

// checkProfiles: the oracle's visitors and persons, and no others.
func (s *sim) checkProfiles(k *walk) {
	live := 0
	for _, p := range s.oracle.profiles {
		if p.actual.zero() {
			continue // came and went within one request
		}
		stored := k.profiles[p.actual]
		switch {
		case p.erased != 0 && !p.removed:
			continue
		case (stored == nil) != p.gone:
			k.failf("%s is gone: %v, and stored: %v", p.name, p.gone, stored != nil)
			continue
		case stored == nil:
			continue
		}
		live++
		switch {
		case stored.kind != p.kind || stored.customer != p.customer:
			k.failf("%s is of kind %d, customer %v", p.name, stored.kind, stored.customer)
		case p.into == nil && !stored.mergedInto.zero():
			k.failf("%s was merged by nobody", p.name)
		case p.into != nil && stored.mergedInto != p.into.actual:
			k.failf("%s was not merged into %s", p.name, p.into.name)
		case p.into == nil && stored.activity != p.active:
			k.failf("%s was last active at %d, stored is %d", p.name, p.active, stored.activity)
		}
	}
	persons := 0
	for _, p := range k.profiles {
		if p.kind == kindAuthenticated && p.erasing == 0 {
			persons++
		}
	}
	if persons != len(s.oracle.subjects) {
		k.failf("%d subjects, %d authenticated persons", len(s.oracle.subjects), persons)
	}
}

// checkCalm: where no call is late, every session is known beforehand.
func (s *sim) checkCalm(k *walk) {
	of := map[string]sessionRef{}
	for _, e := range k.events {
		if e.label != "" {
			of[e.label] = sessionRef{k.root(e.home), e.session}
		}
	}
	taken := map[sessionRef]bool{}
	for _, want := range s.oracle.sessions {
		if s.oracle.recorded[want.labels[0]].who.gone {
			continue
		}
		i := of[want.labels[0]]
		got := k.sessions[i]
		if got == nil || taken[i] {
			k.failf("the session of %v is missing or another's", want.labels)
			continue
		}
		taken[i] = true
		if slices.ContainsFunc(want.labels, func(label string) bool { return of[label] != i }) {
			k.failf("%v are not in one session", want.labels)
		}
		switch end := want.last + oSessionLasts; {
		case got.start != want.first || got.late && want.whole == nil:
			k.failf("the session of %v starts at %d, not %d, late %v", want.labels, got.start, want.first, got.late)
		case got.end != 0 && got.end != end:
			k.failf("the session of %v ends at %d, not %d", want.labels, got.end, end)
		case got.end != 0 && end > k.now:
			k.failf("the session of %v has ended, %d ms too early", want.labels, end-k.now)
		case got.end == 0 && end <= k.now && k.swept:
			k.failf("the session of %v should have ended", want.labels)
		}
	}
}

// checkAnswers compares what queries say with the oracle: persons in order,
// with their properties and timelines, and no visitors (B16).
func (s *sim) checkAnswers() {
	if s.violation != nil {
		return
	}
	listed := s.everybody(PersonQuery{Limit: 7})
	var want []*oProfile
	for _, p := range s.oracle.profiles {
		switch {
		case p.actual.zero():
		case p.person() && !p.gone:
			want = append(want, p)
		default:
			_, err := s.service.Person(context.Background(), DefaultAccount, p.actual.String())
			_, _, errEvents := s.service.Events(context.Background(), DefaultAccount, p.actual.String(), EventQuery{})
			_, errMerges := s.service.Merges(context.Background(), DefaultAccount, p.actual.String())
			if !errors.Is(err, ErrNotFound) || !errors.Is(errEvents, ErrNotFound) || !errors.Is(errMerges, ErrNotFound) {
				s.fail("%s can be seen", p.name)
			}
		}
	}
	slices.SortFunc(want, func(a, b *oProfile) int {
		if a.seen() != b.seen() {
			return int(b.seen() - a.seen())
		}
		return slices.Compare(a.actual[:], b.actual[:])
	})
	if len(listed) != len(want) {
		s.fail("%d persons are listed, there are %d", len(listed), len(want))
		return
	}
	for i, p := range want {
		if listed[i].ID != p.actual.String() {
			s.fail("place %d of the list is %s's", i, p.name)
			return
		}
		s.checkPerson(p, listed[i])
	}
	s.checkSearch(want)
}

func (s *sim) everybody(q PersonQuery) (all []Person) {
	for {
		page, err := s.service.Persons(context.Background(), DefaultAccount, q)
		if err != nil {
			s.fail("persons: %v", err)
		}
		if all = append(all, page.Persons...); page.Next == "" || err != nil {
			return all
		}
		q.Cursor = page.Next
	}
}

func (s *sim) lastActivity(p *oProfile) (out *time.Time) {
	if p.active != 0 {
		t := fromMillis(p.active)
		out = &t
	}
	return out
}
