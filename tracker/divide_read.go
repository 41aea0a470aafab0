package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// sessionsSince are the records of some timelines that last beyond a moment.
func (w *work) sessionsSince(homes []id, since int64) (found []*session, err error) {
	const page = 100
	for _, home := range homes {
		prefix := idKey(tableSession, w.req.Account, home)
		next := store.Range{From: prefix, To: prefixEnd(prefix), Reverse: true, Limit: page}
		for more := true; more; {
			entries, err := w.tx.Scan(next)
			if err != nil {
				return nil, err
			}
			more = false
			for _, entry := range entries {
				s, err := w.takeSession(entry)
				if err != nil {
					return nil, err
				}
				if s.end == 0 || s.end >= since {
					found, more = append(found, s), len(entries) == page
				}
				next.To = entry.Key
			}
		}
	}
	return found, nil
}

// takeSession reads a record into the transaction's own.
func (w *work) takeSession(entry store.Entry) (*session, error) {
	s, err := decodeSession(w.req.Account, entry.Key, entry.Value)
	if err != nil {
		return nil, err
	}
	if mine := w.sessions[s.ref()]; mine != nil {
		return mine, nil
	}
	return s, nil
}

// sessionOf finds the record of a session about a moment, wherever among some
// timelines it stands.
func (w *work) sessionOf(homes []id, session id, t int64) (*session, error) {
	away := 2 * lateLimit.Milliseconds()
	for _, home := range homes {
		base := idKey(tableSession, w.req.Account, home)
		about := store.Range{From: appendTime(slices.Clone(base), max(0, t-away)), To: appendTime(slices.Clone(base), t+away)}
		for entry, err := range store.Entries(w.tx, about) {
			if err != nil {
				return nil, err
			}
			if lastID(entry.Key) == session {
				return w.takeSession(entry)
			}
		}
	}
	return nil, nil
}

// activities are those of some timelines between two moments, by session.
func (w *work) activities(homes []id, from, to int64) (map[id][]activity, error) {
	did := map[id][]activity{}
	for _, home := range homes {
		base := idKey(tableEvent, w.req.Account, home)
		between := store.Range{From: appendTime(slices.Clone(base), from), To: appendTime(slices.Clone(base), to)}
		for entry, err := range store.Entries(w.tx, between) {
			if err != nil {
				return nil, err
			}
			a, err := decodeActivity(entry)
			if err != nil {
				return nil, err
			}
			if a != nil {
				did[a.session] = append(did[a.session], *a)
			}
		}
	}
	return did, nil
}

// ending is where and when the end of a session was told.
type ending struct {
	home     id
	key      []byte // of the event, nil while there is none
	received int64
}

// never is later than everything that was received.
const never = int64(1) << 62

// recallEnd finds what was told of the end of a session.
func (w *work) recallEnd(s *session, homes []id) (ending, error) {
	if s.end == 0 {
		return ending{received: never}, nil
	}
	for _, home := range homes {
		key, ev, err := w.recall(home, s.end, seqEnded, s.id)
		if err != nil {
			return ending{}, err
		}
		if key != nil {
			return ending{home, key, ev.received}, nil
		}
	}
	return ending{received: never}, nil
}

// recall finds what was told of a session in a timeline at a moment.
func (w *work) recall(home id, at int64, s seq, session id) ([]byte, *event, error) {
	base := appendTime(idKey(tableEvent, w.req.Account, home), at)
	entries, err := w.tx.Scan(store.Range{From: append(slices.Clone(base), 0, byte(s)), To: append(slices.Clone(base), 0, byte(s)+1), Limit: 50})
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		ev, err := decodeEvent(entry.Value)
		if err != nil {
			return nil, nil, err
		}
		if ev.session == session && (ev.definition == schema.EventSessionEnded || ev.definition == schema.EventSessionStarted) {
			return entry.Key, ev, nil
		}
	}
	return nil, nil, nil
}
