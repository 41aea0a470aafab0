package tracker

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// position is a place in the list: behind the person who was last active then.
type position struct {
	at     int64
	person id
}

// compare orders by newest activity, then by id.
func (p position) compare(o position) int {
	if c := cmp.Compare(o.at, p.at); c != 0 {
		return c
	}
	return slices.Compare(p.person[:], o.person[:])
}

func (p position) cursor() string {
	return base64.RawURLEncoding.EncodeToString(append(appendTime(nil, p.at), p.person[:]...))
}

func parsePosition(cursor string) (p position, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) != 24 {
		return position{}, ErrBadCursor
	}
	p.at = int64(binary.BigEndian.Uint64(raw)) //nolint:gosec // written by cursor from an int64
	copy(p.person[:], raw[8:])
	return p, nil
}

func (p *profile) position() position { return position{max(p.activity, p.created), p.id} }

// candidate is somebody who may stand on a page of the list.
type candidate struct {
	position
	profile *profile // nil where it was not read yet
}

// list merges those with an open session, sorted here, with the others, who
// stand in order.
func (r *reading) list(q PersonQuery) (found []*profile, next string, err error) {
	after, err := q.after()
	if err != nil {
		return nil, "", err
	}
	types := []PersonType{TypeLead, TypeCustomer}
	if q.Type != "" {
		types = []PersonType{q.Type}
	}
	var candidates []candidate
	for _, t := range types {
		live, err := r.live(t, after)
		if err != nil {
			return nil, "", err
		}
		idle, err := r.idle(t, after, q.Limit+1)
		if err != nil {
			return nil, "", err
		}
		candidates = slices.Concat(candidates, live, idle)
	}
	slices.SortFunc(candidates, func(a, b candidate) int { return a.compare(b.position) })
	if err := r.expectRecords(min(len(candidates), q.Limit+1), func(n int) id { return candidates[n].person }); err != nil {
		return nil, "", err
	}
	for _, c := range candidates {
		if c.profile == nil {
			if c.profile, err = r.hot(c.person); err != nil {
				return nil, "", err
			}
		}
		if c.profile == nil || !c.profile.person() {
			continue
		}
		if found = append(found, c.profile); len(found) > q.Limit {
			break
		}
	}
	return page(found, q.Limit)
}

// after is the place behind which the page begins, nil for the first one.
func (q PersonQuery) after() (*position, error) {
	if q.Cursor == "" {
		return nil, nil //nolint:nilnil // from the beginning
	}
	p, err := parsePosition(q.Cursor)
	return &p, err
}

// page sorts persons and cuts them to one page with its cursor.
func page(found []*profile, limit int) ([]*profile, string, error) {
	slices.SortFunc(found, func(a, b *profile) int { return a.position().compare(b.position()) })
	if len(found) <= limit {
		return found, "", nil
	}
	found = found[:limit]
	return found, found[limit-1].position().cursor(), nil
}

// live are the persons of a type with an open session, who stand by the
// deadline of that: where they belong is known when their records are read.
func (r *reading) live(t PersonType, after *position) (found []candidate, err error) {
	live := r.liveRange(t)
	for read := 0; read < maxLive; {
		entries, err := r.Scan(live)
		if err != nil {
			return nil, err
		}
		if err := r.expectRecords(len(entries), func(n int) id { return lastID(entries[n].Key) }); err != nil {
			return nil, err
		}
		for _, entry := range entries {
			p, err := r.hot(lastID(entry.Key))
			if err != nil {
				return nil, err
			}
			if p != nil && (after == nil || p.position().compare(*after) > 0) {
				found = append(found, candidate{p.position(), p})
			}
		}
		if read += len(entries); len(entries) < live.Limit {
			break
		}
		live.From = append(entries[len(entries)-1].Key, 0)
	}
	return found, nil
}

// liveRange is where the persons of a type with an open session stand, by the
// deadline of that. What lies before the sweeper's mark are the tombstones of
// sessions that ended, which an engine keeps for long and would have to read.
func (r *reading) liveRange(t PersonType) store.Range {
	live := prefixKeys(listingPrefix(r.account, t, listedLive), store.MaxScan)
	if swept := r.swept.Load(); swept > 0 {
		live.To = appendNewest(bytes.Clone(live.From), swept-1)
	}
	return live
}

// idle are the first other persons of a type behind a position, who stand in
// their order.
func (r *reading) idle(t PersonType, after *position, limit int) ([]candidate, error) {
	idle := prefixKeys(listingPrefix(r.account, t, listedIdle), limit)
	if after != nil {
		idle.From = append(listingKey(r.account, t, listedIdle, after.at, after.person), 0)
	}
	entries, err := r.Scan(idle)
	found := make([]candidate, 0, len(entries))
	for _, entry := range entries {
		found = append(found, candidate{position: positionOf(entry.Key)})
	}
	return found, err
}
