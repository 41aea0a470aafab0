package tracker

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// oMerge is a merge as the oracle knows it (B17, B18).
type oMerge struct {
	member, into *oProfile
	lead         bool // the member was a lead that was absorbed
	undone       bool
}

// merge makes a visitor, or a lead that is absorbed, part of a person.
func (o *oracle) merge(member, into *oProfile, now int64) {
	m := &oMerge{member: member, into: into, lead: member.kind == kindLead}
	o.merges = append(o.merges, m)
	o.include(m, now)
}

func (o *oracle) include(m *oMerge, now int64) {
	owner := m.into.root()
	m.member.into = m.into
	m.into.active = max(m.into.active, m.member.active)
	owner.active = max(owner.active, m.member.active)
	m.member.left = nil
	if s := m.member.running; s != nil && now < s.last+oSessionLasts {
		m.member.left = s // with the member, until its clock ends it (B12)
		if p := owner.running; p == nil || now >= p.last+oSessionLasts {
			owner.running, m.member.left = s, nil
		}
	}
	m.member.running = nil
}

// undo makes the member a lead of its own, with its share of every session.
func (o *oracle) undo(m *oMerge, now int64) {
	owner := m.into.root()
	m.undone, m.member.into = true, nil
	if m.member.kind == kindVisitor {
		m.member.kind = kindLead
	}
	m.member.links[m.into], m.into.links[m.member] = true, true
	for _, p := range []*oProfile{m.member, m.into, owner} {
		p.active = o.lastOf(p)
	}
	for _, s := range slices.Clone(o.sessions) {
		o.divide(s, m.member, owner)
	}
	if owner.running != nil && o.sideOf(owner.running.labels[0]) == m.member {
		owner.running = nil
	}
	if left := m.member.left; left != nil && left.last+oSessionLasts <= now {
		m.member.left = nil // its clock has ended it: what the person shared goes on
	}
	m.member.running = m.member.left
	for _, s := range o.sessions {
		if m.member.left == nil && o.sideOf(s.labels[0]) == m.member && (m.member.running == nil || m.member.running.last < s.last) {
			m.member.running = s
		}
	}
}

func (o *oracle) sideOf(label string) *oProfile { return o.recorded[label].who.root() }

// divide leaves a session that two sides share in two parts.
func (o *oracle) divide(s *oSession, member, owner *oProfile) {
	var mine, theirs []string
	for _, label := range s.labels {
		switch o.sideOf(label) {
		case member:
			mine = append(mine, label)
		case owner:
			theirs = append(theirs, label)
		}
	}
	if len(mine) == 0 || len(theirs) == 0 {
		return
	}
	first := o.sideOf(s.labels[0])
	if first == owner {
		mine, theirs = theirs, mine
	}
	if s.whole == nil {
		s.whole = s
	}
	twin := &oSession{whole: s.whole, twin: true}
	o.sessions = append(o.sessions, twin)
	s.labels, twin.labels = mine, theirs
	for _, part := range []*oSession{s, twin} {
		part.first, part.last = o.span(part.labels)
	}
	if owner.running == s && first == member {
		owner.running = twin
	}
}

func (o *oracle) span(labels []string) (first, last int64) {
	first = o.recorded[labels[0]].at
	for _, label := range labels {
		first, last = min(first, o.recorded[label].at), max(last, o.recorded[label].at)
	}
	return first, last
}

// redo puts the parts of sessions together again and includes the member.
func (o *oracle) redo(m *oMerge, now int64) {
	owner := m.into.root()
	for _, s := range slices.Clone(o.sessions) {
		if s.whole == nil || o.sideOf(s.labels[0]) != m.member {
			continue
		}
		for _, other := range slices.Clone(o.sessions) {
			if other.whole == s.whole && o.sideOf(other.labels[0]) == owner {
				o.unite(s, other, m.member, owner, now)
			}
		}
	}
	m.undone = false
	delete(m.member.links, m.into)
	delete(m.into.links, m.member)
	o.include(m, now)
}

func (o *oracle) unite(mine, theirs *oSession, member, owner *oProfile, now int64) {
	keep, drop := mine, theirs
	if mine.twin && !theirs.twin || mine.twin == theirs.twin && theirs.first < mine.first {
		keep, drop = theirs, mine
	}
	held := owner.running == theirs && now < theirs.last+oSessionLasts
	keep.labels, keep.last = append(keep.labels, drop.labels...), max(keep.last, drop.last)
	o.sessions = slices.DeleteFunc(o.sessions, func(s *oSession) bool { return s == drop })
	if held || owner.running == theirs {
		owner.running = keep
	}
	if member.running == mine {
		member.running = nil
		if !held && owner.running != keep {
			member.running = keep
		}
	}
}

// lastOf is the last activity of a profile and of all that is part of it.
func (o *oracle) lastOf(p *oProfile) (last int64) {
	for _, a := range o.recorded {
		for who := a.who; who != nil; who = who.into {
			if who == p {
				last = max(last, a.at)
			}
		}
	}
	return last
}

// mergesOf is how many merges are listed of a person: those into it and into
// leads it absorbed, and the one that was undone to make it.
func (o *oracle) mergesOf(p *oProfile) (n int) {
	for _, m := range o.merges {
		absorbed := slices.ContainsFunc(o.merges, func(by *oMerge) bool {
			return by.lead && !by.undone && by.into == p && by.member == m.into
		})
		if m.into == p || absorbed || m.undone && m.member == p {
			n++
		}
	}
	return n
}

// leadsOf are the leads a person absorbed, the latest first.
func (o *oracle) leadsOf(p *oProfile) (leads []*oProfile) {
	for _, m := range slices.Backward(o.merges) {
		if m.lead && !m.undone && m.into == p {
			leads = append(leads, m.member)
		}
	}
	return leads
}

// decides undoes or redoes some merge, as an operator does.
func (s *sim) decides() {
	if len(s.oracle.merges) == 0 {
		return
	}
	m := pick(s, s.oracle.merges)
	if m.member.actual.zero() || m.into.actual.zero() {
		return
	}
	shown := m.member
	if !m.undone {
		shown = m.into.root()
	}
	merges, err := s.service.Merges(context.Background(), DefaultAccount, shown.actual.String())
	if err != nil {
		s.fail("merges of %s: %v", shown.name, err)
		return
	}
	at := slices.IndexFunc(merges, func(found Merge) bool {
		return found.VisitorID == m.member.actual.String() && found.PersonID == m.into.actual.String()
	})
	if at < 0 || merges[at].Undone != m.undone {
		s.fail("the merge of %s into %s is not among those of %s: %+v", m.member.name, m.into.name, shown.name, merges)
		return
	}
	again := s.chance(4)
	decide, undone := s.service.UndoMerge, true
	if m.undone != again {
		decide, undone = s.service.RedoMerge, false
	}
	s.note("the merge of %s into %s is undone: %v, again: %v", m.member.name, m.into.name, undone, again)
	after, err := decide(context.Background(), DefaultAccount, merges[at].ID, Decision{By: "operator"})
	switch {
	case err != nil:
		s.fail("deciding: %v", err)
	case after.Undone != undone:
		s.fail("after deciding, it is undone: %v", after.Undone)
	case again:
	case undone:
		s.oracle.undo(m, s.at())
	default:
		s.oracle.redo(m, s.at())
	}
}

// portrait is what a person says of itself, and behind that what the leads say
// that it absorbed.
func (o *oracle) portrait(p *oProfile) oProfile {
	out := oProfile{first: p.first, tags: slices.Clone(p.tags), emails: slices.Clone(p.emails), items: p.items}
	for _, lead := range o.leadsOf(p) {
		if out.first == "" && !p.hidden["first"] {
			out.first = lead.first
		}
		for _, tag := range lead.tags {
			if !slices.Contains(out.tags, tag) {
				out.tags = append(out.tags, tag)
			}
		}
		for _, email := range lead.emails {
			if !slices.Contains(out.emails, email) {
				out.emails = append(out.emails, email)
			}
		}
		out.items += lead.items
	}
	return out
}

// called says that a name is in the index: a person's own, or of a lead that
// it absorbed, whether that is shown or not.
func (o *oracle) called(p *oProfile, name string) bool {
	return slices.ContainsFunc(append(o.leadsOf(p), p), func(who *oProfile) bool { return strings.Contains(who.first, name) })
}

// decide undoes and redoes whatever merges there are, while browsers go on.
func (c *crowd) decide() error {
	ctx := context.Background()
	page, err := c.service.Persons(ctx, DefaultAccount, PersonQuery{})
	if err != nil {
		return err
	}
	for n, p := range page.Persons {
		merges, err := c.service.Merges(ctx, DefaultAccount, p.ID)
		if errors.Is(err, ErrNotFound) { // merged again meanwhile
			continue
		}
		if err != nil {
			return err
		}
		for at, m := range merges {
			decide := c.service.UndoMerge
			if (n+at)%2 == 0 {
				decide = c.service.RedoMerge
			}
			if _, err := decide(ctx, DefaultAccount, m.ID, Decision{By: "operator"}); err != nil {
				return err
			}
		}
	}
	return nil
}
