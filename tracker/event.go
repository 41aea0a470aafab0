package tracker

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// event is one entry of a timeline as it is stored: never rewritten, under the
// profile it belonged to when it happened.
type event struct {
	definition string
	session    id
	received   int64
	claimed    int64 // the browser's own time, kept beside the corrected one (B13)
	page       *pageView
	utm        *utm   // of session events
	span       *span  // of a session's end
	merge      *merge // of a merge
	properties []byte // canonical JSON of a custom event
	address    string // of the page it happened on; not stored
}

// pageView is what a page view says (spec/platform 4.2).
type pageView struct {
	page  Page
	agent Agent
}

// span is what the end of a session says.
type span struct{ start, end, last int64 }

// utm are the campaign values a session started with.
type utm struct{ source, medium, campaign, term, content string }

func (u *utm) encode(e *encoder) {
	e.string(1, u.source)
	e.string(2, u.medium)
	e.string(3, u.campaign)
	e.string(4, u.term)
	e.string(5, u.content)
}

func decodeUTM(b []byte) (*utm, error) {
	u := &utm{}
	err := decodeFields(b, func(f field) {
		switch f.number {
		case 1:
			u.source = f.string()
		case 2:
			u.medium = f.string()
		case 3:
			u.campaign = f.string()
		case 4:
			u.term = f.string()
		case 5:
			u.content = f.string()
		}
	})
	return u, err
}

func (ev *event) encode() []byte {
	e := newEncoder(64 + len(ev.properties))
	e.string(1, ev.definition)
	e.id(2, ev.session)
	e.int(3, ev.received)
	e.int(4, ev.claimed)
	e.bytes(5, ev.properties)
	if ev.page != nil {
		e.nested(6, ev.page.encode)
	}
	if ev.utm != nil {
		e.nested(7, ev.utm.encode)
	}
	if ev.span != nil {
		e.nested(8, func(n *encoder) {
			n.int(1, ev.span.start)
			n.int(2, ev.span.end)
			n.int(3, ev.span.last)
		})
	}
	if ev.merge != nil {
		e.nested(9, ev.merge.fields)
	}
	return e.b
}

func (v *pageView) encode(e *encoder) {
	e.string(1, v.page.URL)
	e.string(2, v.page.Title)
	e.string(3, v.page.Referrer)
	e.string(4, v.page.Language)
	e.string(5, v.page.WebsiteLanguage)
	e.string(6, v.agent.DeviceType)
	e.string(7, v.agent.BrowserName)
	e.string(8, v.agent.BrowserVersion)
	e.string(9, v.agent.BrowserOS)
}

func decodePageView(b []byte) (*pageView, error) {
	v := &pageView{}
	err := decodeFields(b, func(f field) {
		switch f.number {
		case 1:
			v.page.URL = f.string()
		case 2:
			v.page.Title = f.string()
		case 3:
			v.page.Referrer = f.string()
		case 4:
			v.page.Language = f.string()
		case 5:
			v.page.WebsiteLanguage = f.string()
		case 6:
			v.agent.DeviceType = f.string()
		case 7:
			v.agent.BrowserName = f.string()
		case 8:
			v.agent.BrowserVersion = f.string()
		case 9:
			v.agent.BrowserOS = f.string()
		}
	})
	return v, err
}

func decodeEvent(value []byte) (*event, error) {
	ev := &event{}
	var inner, err error
	decodeErr := decodeValue(value, func(f field) {
		switch f.number {
		case 1:
			ev.definition = f.string()
		case 2:
			ev.session = f.id()
		case 3:
			ev.received = f.int()
		case 4:
			ev.claimed = f.int()
		case 5:
			ev.properties = f.data
		case 6:
			ev.page, err = decodePageView(f.data)
			inner = firstError(inner, err)
		case 7:
			ev.utm, err = decodeUTM(f.data)
			inner = firstError(inner, err)
		case 8:
			ev.span = &span{}
			inner = firstError(inner, decodeFields(f.data, func(f field) {
				switch f.number {
				case 1:
					ev.span.start = f.int()
				case 2:
					ev.span.end = f.int()
				case 3:
					ev.span.last = f.int()
				}
			}))
		case 9:
			ev.merge = &merge{}
			inner = firstError(inner, decodeFields(f.data, func(f field) { inner = firstError(inner, ev.merge.take(f)) }))
		}
	})
	return ev, firstError(decodeErr, inner)
}

// The properties of standard events as a reader sees them (spec/platform 4.2).
type (
	pageViewProperties struct {
		PageTitle       string `json:"pageTitle"`
		URL             string `json:"url"`
		Domain          string `json:"domain"`
		Path            string `json:"path"`
		Referrer        string `json:"referrer,omitzero"`
		DeviceType      string `json:"deviceType"`
		BrowserName     string `json:"browserName,omitzero"`
		BrowserVersion  string `json:"browserVersion,omitzero"`
		BrowserOS       string `json:"browserOS,omitzero"`
		BrowserLanguage string `json:"browserLanguage,omitzero"`
		WebsiteLanguage string `json:"websiteLanguage,omitzero"`
		Timestamp       string `json:"timestamp"`
	}
	sessionProperties struct {
		SessionID      string `json:"sessionId"`
		SessionType    string `json:"sessionType"`
		StartTime      string `json:"startTime"`
		EndTime        string `json:"endTime,omitzero"`
		Duration       *int64 `json:"duration,omitzero"`       // seconds from start to end
		ActiveDuration *int64 `json:"activeDuration,omitzero"` // seconds from start to the last activity
		UTMSource      string `json:"utm_source"`
		UTMMedium      string `json:"utm_medium,omitzero"`
		UTMCampaign    string `json:"utm_campaign,omitzero"`
		UTMTerm        string `json:"utm_term,omitzero"`
		UTMContent     string `json:"utm_content,omitzero"`
	}
	mergeProperties struct {
		MergeID   string `json:"mergeId"`
		VisitorID string `json:"visitorId"`
		Reason    string `json:"reason"`
	}
)

// readable turns the stored properties into the JSON object a reader sees.
func (ev *event) readable(occurred int64) ([]byte, error) {
	switch ev.definition {
	case schema.EventPageView:
		return json.Marshal(ev.pageProperties(occurred))
	case schema.EventSessionStarted, schema.EventSessionEnded:
		return json.Marshal(ev.sessionProperties(occurred))
	case schema.EventPersonMerged:
		m := ev.merge
		if m == nil {
			return []byte("{}"), nil
		}
		return json.Marshal(mergeProperties{MergeID: m.id.String(), VisitorID: m.visitor.String(), Reason: m.reason})
	}
	if len(ev.properties) == 0 {
		return []byte("{}"), nil
	}
	return jsontext.Value(ev.properties), nil
}

func (ev *event) pageProperties(occurred int64) pageViewProperties {
	v := ev.page
	if v == nil {
		v = &pageView{}
	}
	domain, path := splitURL(v.page.URL)
	return pageViewProperties{
		PageTitle: v.page.Title, URL: v.page.URL, Domain: domain, Path: path, Referrer: v.page.Referrer,
		DeviceType: orElse(v.agent.DeviceType, "unknown"), BrowserName: v.agent.BrowserName,
		BrowserVersion: v.agent.BrowserVersion, BrowserOS: v.agent.BrowserOS,
		BrowserLanguage: v.page.Language, WebsiteLanguage: v.page.WebsiteLanguage,
		Timestamp: stamp(occurred),
	}
}

func (ev *event) sessionProperties(occurred int64) sessionProperties {
	u := ev.utm
	if u == nil {
		u = &utm{}
	}
	out := sessionProperties{
		SessionID: ev.session.String(), SessionType: "Web", StartTime: stamp(occurred),
		UTMSource: orElse(u.source, "direct"), UTMMedium: u.medium, UTMCampaign: u.campaign,
		UTMTerm: u.term, UTMContent: u.content,
	}
	if s := ev.span; s != nil {
		duration, active := (s.end-s.start)/1000, (s.last-s.start)/1000
		out.StartTime, out.EndTime, out.Duration, out.ActiveDuration = stamp(s.start), stamp(s.end), &duration, &active
	}
	return out
}
