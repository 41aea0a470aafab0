package tracker

import (
	"cmp"
	"context"
	"slices"
)

// Merges are the merges that made a person, newest first, with those that were
// undone: of the person's own, and of the leads it absorbed. A lead that an
// undone merge made has that merge in its list as well.
func (s *Service) Merges(ctx context.Context, a Account, personID string) (merges []Merge, err error) {
	err = s.read(ctx, a, func(r *reading) error {
		merges = []Merge{}
		p, err := r.person(personID)
		if err != nil {
			return err
		}
		found, err := r.mergesOf(p)
		if err != nil {
			return err
		}
		slices.SortStableFunc(found, func(a, b *merge) int {
			return cmp.Or(cmp.Compare(b.at, a.at), slices.Compare(a.id[:], b.id[:]))
		})
		for _, m := range found {
			merges = append(merges, m.shown())
		}
		return nil
	})
	return merges, err
}

func (r *reading) mergesOf(p *profile) (found []*merge, err error) {
	ids, err := r.mergesInto(p.id)
	if err != nil {
		return nil, err
	}
	members, err := membersOf(r, p.account, p.id, 0)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if !m.lead {
			continue
		}
		more, err := r.mergesInto(m.visitor)
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
	}
	links, err := r.links(p)
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		if i, ok := parseID(link.MergeID); ok && !slices.Contains(ids, i) {
			ids = append(ids, i)
		}
	}
	for _, i := range ids {
		value, err := r.Get(idKey(tableMerge, r.account, i))
		if err != nil {
			return nil, err
		}
		if len(value) == 0 {
			continue // erased with the person it led to
		}
		m, err := decodeMerge(value)
		if err != nil {
			return nil, err
		}
		hidden, err := r.hidden(m.visitor)
		if err != nil {
			return nil, err
		}
		if !hidden {
			found = append(found, m)
		}
	}
	return found, nil
}

func (r *reading) mergesInto(person id) (ids []id, err error) {
	entries, err := r.scanAll(idKey(tableMergeOf, r.account, person))
	for _, entry := range entries {
		ids = append(ids, lastID(entry.Key))
	}
	return ids, err
}

func (m *merge) shown() Merge {
	out := Merge{
		ID: m.id.String(), VisitorID: m.visitor.String(), PersonID: m.person.String(),
		At: fromMillis(m.at), Reason: m.reason, RequestID: m.request, Undone: m.undone(),
	}
	for _, t := range m.turns {
		out.History = append(out.History, MergeTurn{Undone: t.undone, At: fromMillis(t.at), By: t.by, Reason: t.reason})
	}
	return out
}
