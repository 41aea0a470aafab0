package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// links removes the connections with other persons from both sides.
func (r *removal) links(p *profile) (done bool, err error) {
	return r.each(prefixRange(idKey(tableLink, p.account, p.id), maxExpire), 5, func(e store.Entry) error {
		other := lastID(e.Key)
		l, err := decodeLink(e.Value)
		if err != nil {
			return err
		}
		if !l.merge.zero() {
			if err := r.undoneMerge(p.account, l.merge, other); err != nil {
				return err
			}
		}
		return r.remove(e.Key, pairKey(tableLink, p.account, other, p.id))
	})
}

// undoneMerge removes a merge that was undone from the person it was into, so
// that nothing there names the profile that goes.
func (r *removal) undoneMerge(a Account, merge, person id) error {
	value, err := r.tx.Get(idKey(tableMerge, a, merge))
	if err != nil || len(value) == 0 {
		return err
	}
	m, err := decodeMerge(value)
	if err != nil || m.person != person {
		return err // the person itself goes, and all its merges with it
	}
	base := idKey(tableEvent, a, person)
	told := store.Range{From: appendTime(slices.Clone(base), max(0, m.at-lateLimit.Milliseconds())), To: appendTime(slices.Clone(base), m.at+1)}
	for entry, err := range store.Entries(r.tx, told) {
		if err != nil {
			return err
		}
		if ev, err := decodeEvent(entry.Value); err == nil && ev.merge != nil && ev.merge.id == m.id {
			if err := r.tx.Delete(entry.Key); err != nil {
				return err
			}
		}
	}
	return r.remove(idKey(tableMerge, a, m.id), pairKey(tableMergeOf, a, person, m.id))
}

// merges removes what the index of a person's merges still names.
func (r *removal) merges(p *profile) (done bool, err error) {
	return r.each(prefixKeys(idKey(tableMergeOf, p.account, p.id), maxExpire), 2, func(e store.Entry) error {
		return r.remove(e.Key, idKey(tableMerge, p.account, lastID(e.Key)))
	})
}

// timeline removes list items, sessions and events.
func (r *removal) timeline(p *profile) (done bool, err error) {
	if done, err := r.rows(idKey(tableItem, p.account, p.id)); err != nil || !done {
		return false, err
	}
	done, err = r.each(prefixRange(idKey(tableSession, p.account, p.id), maxExpire), 2, func(e store.Entry) error {
		s, err := decodeSession(p.account, e.Key, e.Value)
		if err != nil {
			return err
		}
		if s.late && s.end == 0 {
			return r.remove(e.Key, queueKey(s.queued, dueLate, lateRef(s)))
		}
		return r.tx.Delete(e.Key)
	})
	if err != nil || !done {
		return false, err
	}
	return r.rows(idKey(tableEvent, p.account, p.id))
}
