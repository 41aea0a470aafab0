package tracker

import (
	"bytes"
	"context"
	"encoding/base64"
	"math"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// The sizes of a page of events, and how many events a filtered query looks
// at before it answers with what it has.
const (
	defaultEvents = 50
	mostEvents    = 200
	maxLooked     = 5000
)

// Events is a page of a person's timeline over all merged visitors, newest
// first.
func (s *Service) Events(ctx context.Context, a Account, personID string, q EventQuery) (events []Event, next string, err error) {
	if q.Limit <= 0 || q.Limit > mostEvents {
		q.Limit = defaultEvents
	}
	err = s.read(ctx, a, func(r *reading) error {
		p, err := r.person(personID)
		if err != nil {
			return err
		}
		events, next, err = r.timeline(p, q)
		return err
	})
	return events, next, err
}

// strand is one member's timeline, read backwards in pieces.
type strand struct {
	home   id
	merge  *MergedFrom // nil for the person's own
	from   []byte
	to     []byte
	buffer []store.Entry
	done   bool
}

// next is the piece that is read next.
func (t *strand) next(limit int) store.Range {
	return store.Range{From: t.from, To: t.to, Reverse: true, Limit: limit}
}

// fill makes the next entry of the strand available.
func (t *strand) fill(r store.Reader, limit int) error {
	if len(t.buffer) > 0 || t.done {
		return nil
	}
	entries, err := r.Scan(t.next(limit))
	if err != nil {
		return err
	}
	t.done = len(entries) < limit
	if len(entries) > 0 {
		t.to = entries[len(entries)-1].Key
	}
	t.buffer = entries
	return nil
}

// timeline merges the strands of a person. Their keys order them: time, what
// comes first at one time, event.
func (r *reading) timeline(p *profile, q EventQuery) (events []Event, next string, err error) {
	strands, err := r.strands(p, q)
	if err != nil {
		return nil, "", err
	}
	err = r.expect(func() (_ [][]byte, ranges []store.Range) {
		for _, t := range strands {
			ranges = append(ranges, t.next(q.Limit+1))
		}
		return nil, ranges
	})
	if err != nil {
		return nil, "", err
	}
	events = []Event{}
	for looked := 0; ; looked++ {
		newest, err := r.newest(strands, q.Limit)
		if err != nil || newest == nil {
			return events, "", err
		}
		entry := newest.buffer[0]
		if len(events) == q.Limit || looked == maxLooked {
			return events, eventCursor(entry.Key), nil
		}
		newest.buffer = newest.buffer[1:]
		event, err := r.event(entry, newest.merge)
		if err != nil {
			return nil, "", err
		}
		if q.DefinitionID == "" || q.DefinitionID == event.DefinitionID {
			events = append(events, event)
		}
	}
}

// newest is the strand with the newest entry left, nil when all are read.
func (r *reading) newest(strands []*strand, limit int) (*strand, error) {
	var best *strand
	for _, t := range strands {
		if err := t.fill(r, limit+1); err != nil {
			return nil, err
		}
		if len(t.buffer) == 0 {
			continue
		}
		if best == nil || bytes.Compare(eventSuffix(t.buffer[0].Key), eventSuffix(best.buffer[0].Key)) > 0 {
			best = t
		}
	}
	return best, nil
}

// strands opens the person's own timeline and those of the members that reach
// into the asked time.
func (r *reading) strands(p *profile, q EventQuery) ([]*strand, error) {
	from, to := int64(0), int64(math.MaxInt64)
	if !q.From.IsZero() {
		from = max(0, millis(q.From))
	}
	if !q.To.IsZero() {
		to = max(0, millis(q.To))
	}
	var last []byte // the end of the page before, as part of a key
	if q.Cursor != "" {
		var err error
		if last, err = parseEventCursor(q.Cursor); err != nil {
			return nil, err
		}
	}
	open := func(home id, merged *MergedFrom) *strand {
		base := idKey(tableEvent, p.account, home)
		t := &strand{home: home, merge: merged, from: appendTime(bytes.Clone(base), from), to: appendTime(bytes.Clone(base), to)}
		if last != nil {
			if end := append(append(bytes.Clone(base), last...), 0); bytes.Compare(end, t.to) < 0 {
				t.to = end
			}
		}
		return t
	}
	strands := []*strand{open(p.id, nil)}
	members, err := membersOf(r, p.account, p.id, 0)
	for _, m := range members {
		strands = append(strands, open(m.visitor, &MergedFrom{MergeID: m.id.String(), ProfileID: m.visitor.String()}))
	}
	return strands, err
}

// eventCursor names the first event of the next page by its place in time; it
// is the same whichever member's timeline the event stands in.
func eventCursor(key []byte) string { return base64.RawURLEncoding.EncodeToString(eventSuffix(key)) }

func parseEventCursor(cursor string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) != eventKeyLen-3-16 {
		return nil, ErrBadCursor
	}
	return raw, nil
}

func (r *reading) event(entry store.Entry, merged *MergedFrom) (Event, error) {
	_, occurred, i, err := parseEventKey(entry.Key)
	if err != nil {
		return Event{}, err
	}
	ev, err := decodeEvent(entry.Value)
	if err != nil {
		return Event{}, err
	}
	properties, err := ev.readable(occurred)
	if err != nil {
		return Event{}, err
	}
	event := Event{
		ID: i.String(), DefinitionID: ev.definition, Title: r.title(ev.definition),
		OccurredTime: fromMillis(occurred), ReceivedTime: fromMillis(ev.received),
		Properties: properties, MergedFrom: merged,
	}
	if !ev.session.zero() {
		event.SessionID = ev.session.String()
	}
	return event, nil
}
