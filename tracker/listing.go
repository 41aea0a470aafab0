package tracker

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"slices"
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

// list merges those with an open session, sorted here, with the others, who
// stand in order.
func (r *reading) list(q PersonQuery) (found []*profile, next string, err error) {
	var after *position
	if q.Cursor != "" {
		p, err := parsePosition(q.Cursor)
		if err != nil {
			return nil, "", err
		}
		after = &p
	}
	types := []PersonType{TypeLead, TypeCustomer}
	if q.Type != "" {
		types = []PersonType{q.Type}
	}
	for _, t := range types {
		some, err := r.listType(t, after, q.Limit+1)
		if err != nil {
			return nil, "", err
		}
		found = append(found, some...)
	}
	return page(found, q.Limit)
}

// page sorts candidates and cuts them to one page with its cursor.
func page(found []*profile, limit int) ([]*profile, string, error) {
	slices.SortFunc(found, func(a, b *profile) int { return a.position().compare(b.position()) })
	if len(found) <= limit {
		return found, "", nil
	}
	found = found[:limit]
	return found, found[limit-1].position().cursor(), nil
}

// listType reads the first persons of one type behind a position.
func (r *reading) listType(t PersonType, after *position, limit int) ([]*profile, error) {
	live, err := r.Scan(prefixKeys(listingPrefix(r.account, t, listedLive), maxLive))
	if err != nil {
		return nil, err
	}
	idle := prefixKeys(listingPrefix(r.account, t, listedIdle), limit)
	if after != nil {
		idle.From = append(listingKey(r.account, t, listedIdle, after.at, after.person), 0)
	}
	rest, err := r.Scan(idle)
	if err != nil {
		return nil, err
	}
	var found []*profile
	for _, entry := range append(live, rest...) {
		p, err := r.hot(lastID(entry.Key))
		if err != nil {
			return nil, err
		}
		if p == nil || !p.person() || (after != nil && p.position().compare(*after) <= 0) {
			continue
		}
		found = append(found, p)
	}
	return found, nil
}
