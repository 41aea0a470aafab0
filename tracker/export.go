package tracker

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// The parts of an export. Devices and sessions are what the store holds of them
// without what would let anybody take their place: no cookie, not even a hash.
type (
	// ExportedDevice is a browser the person used.
	ExportedDevice struct {
		ID       string    `json:"id"`
		LastSeen time.Time `json:"lastSeen"`
		// Periods are when it was this person's, or a visitor's that became part
		// of the person.
		Periods []ExportedPeriod `json:"periods"`
		// ConsentedAt is when the visitor consented by a call.
		ConsentedAt *time.Time `json:"consentedAt,omitempty"`
	}
	// ExportedPeriod is a time in which a device was a profile; To is absent
	// while it is.
	ExportedPeriod struct {
		ProfileID string     `json:"profileId"`
		From      time.Time  `json:"from"`
		To        *time.Time `json:"to,omitempty"`
	}
	// ExportedChat is a Live Chat session of the person.
	ExportedChat struct {
		ID            string     `json:"id"`
		WidgetID      string     `json:"widgetId,omitempty"`
		SessionID     string     `json:"sessionId,omitempty"` // the site's own
		Authenticated bool       `json:"authenticated"`
		StartedAt     time.Time  `json:"startedAt"`
		EndedAt       *time.Time `json:"endedAt,omitempty"`
	}
	// ExportedSession is an activity session of the person or a merged visitor.
	ExportedSession struct {
		ID           string            `json:"sessionId"`
		ProfileID    string            `json:"profileId"`
		StartTime    time.Time         `json:"startTime"`
		LastActivity time.Time         `json:"lastActivity"`
		EndTime      *time.Time        `json:"endTime,omitempty"`
		Activities   uint64            `json:"activities"`
		Campaign     map[string]string `json:"campaign,omitempty"`
	}
)

// Export writes everything that is held of a person to w, as one JSON document:
// person, devices, Live Chat sessions, merges, sessions and events, those of
// merged visitors included. It reads in pages, so that a long life takes no more
// memory than a short one; what happens meanwhile may or may not be in it.
//
// ErrNotFound and the like come before anything was written. An error later
// leaves the document unfinished, which no JSON parser takes for whole.
func (s *Service) Export(ctx context.Context, a Account, personID string, w io.Writer) error {
	person, err := s.Person(ctx, a, personID)
	if err != nil {
		return err
	}
	i, _ := parseID(personID)
	x := &exporter{Service: s, ctx: ctx, account: a, person: i, w: w}
	merges, err := s.Merges(ctx, a, personID)
	if err != nil {
		return err
	}
	x.raw(`{"exportedAt":`)
	x.value(s.now().UTC())
	x.raw(`,"person":`)
	x.value(person)
	x.list("devices", x.devices)
	x.list("chatSessions", x.chats)
	x.raw(`,"merges":`)
	x.value(merges)
	x.list("sessions", x.sessions)
	x.list("events", x.events)
	x.raw("}\n")
	return x.err
}

// exporter writes a document; after an error it writes no more.
type exporter struct {
	*Service
	ctx     context.Context //nolint:containedctx // lives as long as one call of Export
	account Account
	person  id
	w       io.Writer
	first   bool // nothing stands in the list that is being written
	err     error
}

func (x *exporter) raw(text string) {
	if x.err == nil {
		_, x.err = io.WriteString(x.w, text)
	}
}

func (x *exporter) value(v any) {
	if x.err != nil {
		return
	}
	encoded, err := json.Marshal(v)
	if x.err = err; err == nil {
		_, x.err = x.w.Write(encoded)
	}
}

// list writes a member that fill gives the items of.
func (x *exporter) list(name string, fill func() error) {
	x.raw(`,"` + name + `":[`)
	x.first = true
	if x.err == nil {
		if err := fill(); x.err == nil {
			x.err = err
		}
	}
	x.raw("]")
}

func (x *exporter) item(v any) {
	if !x.first {
		x.raw(",")
	}
	x.first = false
	x.value(v)
}

// each calls fn for every entry below prefix, a page in a snapshot of its own.
func (x *exporter) each(prefix []byte, fn func(r *reading, e store.Entry) error) error {
	const page = 200
	next := prefixRange(prefix, page)
	for more := true; more && x.err == nil; {
		err := x.read(x.ctx, x.account, func(r *reading) error {
			entries, err := r.Scan(next)
			if err != nil {
				return err
			}
			for _, e := range entries {
				if err := fn(r, e); err != nil {
					return err
				}
			}
			if more = len(entries) == page; more {
				next.From = append(slices.Clone(entries[len(entries)-1].Key), 0)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return x.err
}

// profiles calls fn for the person and everybody merged into it.
func (x *exporter) profiles(fn func(id) error) error {
	if err := fn(x.person); err != nil {
		return err
	}
	var members []*merge
	err := x.read(x.ctx, x.account, func(r *reading) (err error) {
		members, err = membersOf(r, x.account, x.person, 0)
		return err
	})
	for _, m := range members {
		if err == nil {
			err = fn(m.visitor)
		}
	}
	return err
}

// references calls fn for what a table holds that names one of the profiles.
func (x *exporter) references(table byte, fn func(r *reading, i id, value []byte) error) error {
	seen := map[id]bool{}
	return x.profiles(func(p id) error {
		return x.each(referenceKey(x.account, p, table, nil), func(r *reading, e store.Entry) error {
			i := lastID(e.Key)
			value, err := r.Get(idKey(table, x.account, i))
			if err != nil || len(value) == 0 || seen[i] {
				return err
			}
			seen[i] = true
			return fn(r, i, value)
		})
	})
}

func (x *exporter) devices() error {
	theirs := map[id]bool{}
	if err := x.profiles(func(p id) error { theirs[p] = true; return nil }); err != nil {
		return err
	}
	return x.references(tableDevice, func(_ *reading, i id, value []byte) error {
		d, err := decodeDevice(x.account, i, value)
		if err != nil {
			return err
		}
		device := ExportedDevice{ID: i.String(), LastSeen: fromMillis(d.seen), Periods: []ExportedPeriod{}, ConsentedAt: optional(d.consent)}
		for _, ep := range d.epochs {
			if theirs[ep.profile] {
				device.Periods = append(device.Periods, ExportedPeriod{ep.profile.String(), fromMillis(ep.from), optional(ep.to)})
			}
		}
		x.item(device)
		return x.err
	})
}

func (x *exporter) chats() error {
	return x.references(tableChat, func(_ *reading, i id, value []byte) error {
		c, err := decodeChat(x.account, i, value)
		if err != nil {
			return err
		}
		x.item(ExportedChat{
			ID: i.String(), WidgetID: c.widget, SessionID: c.sid, Authenticated: c.auth,
			StartedAt: fromMillis(c.started), EndedAt: optional(c.ended),
		})
		return x.err
	})
}

func (x *exporter) sessions() error {
	return x.profiles(func(p id) error {
		return x.each(idKey(tableSession, x.account, p), func(r *reading, e store.Entry) error {
			s, err := decodeSession(x.account, e.Key, e.Value)
			if err != nil {
				return err
			}
			session := ExportedSession{
				ID: s.id.String(), ProfileID: p.String(), StartTime: fromMillis(s.start),
				LastActivity: fromMillis(s.last), EndTime: optional(s.end), Activities: s.count, Campaign: s.utm.named(),
			}
			for _, holder := range []id{x.person, p} { // who has an open session knows more of it
				hot, err := r.hot(holder)
				if err != nil {
					return err
				}
				if hot != nil && hot.open.id == s.id {
					session.LastActivity, session.Activities = fromMillis(hot.open.last), hot.open.count
				}
			}
			x.item(session)
			return x.err
		})
	})
}

func (x *exporter) events() error {
	for cursor := ""; ; {
		events, next, err := x.Events(x.ctx, x.account, x.person.String(), EventQuery{Cursor: cursor, Limit: mostEvents})
		if err != nil {
			return err
		}
		for _, e := range events {
			x.item(e)
		}
		if cursor = next; cursor == "" || x.err != nil {
			return x.err
		}
	}
}

// named are the campaign values that there are, by the names of the platform.
func (u utm) named() map[string]string {
	out := map[string]string{}
	for name, value := range map[string]string{
		"utm_source": u.source, "utm_medium": u.medium, "utm_campaign": u.campaign, "utm_term": u.term, "utm_content": u.content,
	} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

// optional is a time, nil when there is none.
func optional(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := fromMillis(ms)
	return &t
}
