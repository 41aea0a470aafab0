package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// membersOf are the merges that made a person what it is, the latest first,
// with those of a lead that was absorbed behind its own. A positive most bounds
// how many are read of each.
func membersOf(r store.Reader, a Account, person id, most int) ([]*merge, error) {
	entries, err := scanSome(r, idKey(tableMember, a, person), most)
	if err != nil {
		return nil, err
	}
	members := make([]*merge, 0, len(entries))
	for _, entry := range entries {
		m, err := decodeMerge(entry.Value)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
		if !m.lead {
			continue
		}
		nested, err := membersOf(r, a, m.visitor, most) // a visitor has none, so it ends here
		if err != nil {
			return nil, err
		}
		members = append(members, nested...)
	}
	return members, nil
}

// scanSome reads the first entries under a prefix, all of them when most is 0.
func scanSome(r store.Reader, prefix []byte, most int) ([]store.Entry, error) {
	next := prefixRange(prefix, store.MaxScan)
	if most > 0 {
		next.Limit = most
		return r.Scan(next)
	}
	var all []store.Entry
	for {
		some, err := r.Scan(next)
		all = append(all, some...)
		if err != nil || len(some) < next.Limit {
			return all, err
		}
		next.From = append(slices.Clone(some[len(some)-1].Key), 0)
	}
}
