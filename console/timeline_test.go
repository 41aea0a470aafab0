package console

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// happened makes an event of a session at a time of 22 November, UTC.
func happened(definition, session, at string, merged *tracker.MergedFrom) tracker.Event {
	when, err := time.Parse("2006-01-02 15:04", "2026-11-"+at)
	if err != nil {
		panic(err)
	}
	return tracker.Event{
		ID: definition + at, DefinitionID: definition, Title: definition, SessionID: session, OccurredTime: when, ReceivedTime: when, MergedFrom: merged,
		Properties: json.RawMessage(`{"browserName":"Firefox","browserVersion":"145.0.1","browserOS":"Linux","deviceType":"desktop"}`),
	}
}

// outline tells which sessions stand in which day, with how many events.
func outline(days []day) map[string][]string {
	all := map[string][]string{}
	for _, d := range days {
		for _, s := range d.Sessions {
			line := s.ID
			for range s.Events {
				line += "."
			}
			all[d.ISO] = append(all[d.ISO], line)
		}
	}
	return all
}

func TestTimelineGroupsByDayAndSession(t *testing.T) {
	events := []tracker.Event{
		happened("sessionEnded", "b", "22 09:50", nil),
		happened("pageView", "b", "22 09:20", nil),
		happened("pageView", "c", "22 09:19", nil), // another device's session (B12)
		happened("sessionStarted", "b", "22 09:18", nil),
		happened("sessionEnded", "a", "22 00:40", nil),
		happened("pageView", "a", "22 00:10", nil),
		happened("pageView", "a", "21 23:50", nil),
		happened("sessionStarted", "a", "21 23:50", nil),
	}
	utc := clock{now: testNow, zone: time.UTC}
	assert.Equal(t, map[string][]string{"2026-11-22": {"b...", "c.", "a.."}, "2026-11-21": {"a.."}}, outline(utc.timeline(events)),
		"a session stands once in a day and is cut at the reader's midnight")

	lisbonWest := clock{now: testNow, zone: time.FixedZone("west", -3600)}
	assert.Equal(t, map[string][]string{"2026-11-22": {"b...", "c."}, "2026-11-21": {"a...."}}, outline(lisbonWest.timeline(events)))

	days := utc.timeline(events)
	assert.Equal(t, "Today · Sunday, 22 November 2026", days[0].Name)
	assert.Equal(t, "Yesterday · Saturday, 21 November 2026", days[1].Name)
	b := days[0].Sessions[0]
	assert.Equal(t, 1, b.Count, "start and end of a session are no activity")
	assert.Empty(t, b.Length)
	assert.Equal(t, "Firefox 145 · Linux · desktop", b.Device)
	assert.Empty(t, utc.timeline(nil))
}

func TestEventsOutsideSessionsStandAlone(t *testing.T) {
	days := clock{now: testNow, zone: time.UTC}.timeline([]tracker.Event{
		happened("personMerged", "", "22 09:50", nil), happened("pageView", "b", "22 09:20", nil), happened("personMerged", "", "22 09:10", nil),
	})
	assert.Equal(t, map[string][]string{"2026-11-22": {".", "b.", "."}}, outline(days))
}

func TestB17MergedMarks(t *testing.T) {
	m1, m1again, m2 := &tracker.MergedFrom{MergeID: "1", ProfileID: "v"}, &tracker.MergedFrom{MergeID: "1", ProfileID: "v"}, &tracker.MergedFrom{MergeID: "2", ProfileID: "w"}
	c := clock{now: testNow, zone: time.UTC}
	mark := func(events ...tracker.Event) session {
		days := c.timeline(events)
		require.Len(t, days, 1)
		return days[0].Sessions[0]
	}
	whole := mark(happened("pageView", "s", "22 09:20", m1), happened("action", "s", "22 09:10", m1again))
	assert.Equal(t, m1, whole.MergedFrom, "said once for the session")
	assert.Nil(t, whole.Events[0].MergedFrom)
	assert.Nil(t, whole.Events[1].MergedFrom)
	assert.Equal(t, "10 min", whole.Length)

	spanning := mark(happened("pageView", "s", "22 09:20", nil), happened("action", "s", "22 09:10", m1))
	assert.Nil(t, spanning.MergedFrom)
	assert.Nil(t, spanning.Events[0].MergedFrom)
	assert.Equal(t, m1, spanning.Events[1].MergedFrom)

	two := mark(happened("pageView", "s", "22 09:20", m1), happened("action", "s", "22 09:10", m2))
	assert.Nil(t, two.MergedFrom)
	assert.Equal(t, m2, two.Events[1].MergedFrom)
}

func TestEntries(t *testing.T) {
	c := clock{now: testNow, zone: time.UTC}
	entryOf := func(definition, title, properties string) entry {
		return c.entry(tracker.Event{ID: "e", DefinitionID: definition, Title: title, OccurredTime: testNow, ReceivedTime: testNow, Properties: json.RawMessage(properties)})
	}
	view := entryOf("pageView", "Page view", `{"pageTitle":"Basket","url":"https://shop.example/basket?x=1","domain":"shop.example","path":"/basket"}`)
	assert.Equal(t, []string{"page", "Basket", "shop.example/basket", "https://shop.example/basket?x=1"}, []string{view.Kind, view.Title, view.Where, view.Href})
	view = entryOf("pageView", "Page view", `{"url":"javascript:alert(1)"}`)
	assert.Equal(t, []string{"Page view", "javascript:alert(1)", ""}, []string{view.Title, view.Where, view.Href})
	view = entryOf("pageView", "Page view", `{"pageTitle":7,"url":"https://shop.example/"}`)
	assert.Equal(t, "Page view", view.Title, "a wrong type is left to the details")
	assert.Equal(t, field{Name: "pageTitle", Value: "7"}, view.Details[0])

	start := entryOf("sessionStarted", "Session started", `{"sessionId":"s","utm_source":"direct","utm_campaign":"autumn"}`)
	assert.Equal(t, []field{{Name: "campaign", Value: "autumn"}}, start.Inline)
	end := entryOf("sessionEnded", "Session ended", `{"duration":4325,"activeDuration":"x"}`)
	assert.Equal(t, []field{{Name: "lasted", Value: "1 h 12 min"}, {Name: "active", Value: "x"}}, end.Inline)
	merged := entryOf("personMerged", "Person merged", `{"mergeId":"m","reason":"chat started"}`)
	assert.Equal(t, []string{"merge", "because", "chat started"}, []string{merged.Kind, merged.Inline[0].Name, merged.Inline[0].Value})

	custom := entryOf("action", "", `{"list":[1],"a":"1","b":2,"c":true,"d":null}`)
	assert.Equal(t, "action", custom.Title, "the id when there is no title")
	assert.Equal(t, []field{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}, {Name: "c", Value: "true"}}, custom.Inline)
	assert.Len(t, custom.Details, 5+3)
	assert.Len(t, entryOf("action", "", ``).Details, 3)
	assert.Len(t, entryOf("action", "", `{"a":1,`).Details, 1+3, "what is readable is shown")
}

func TestClock(t *testing.T) {
	c := clock{now: testNow, zone: time.UTC}
	for past, want := range map[time.Duration]string{
		-time.Minute: "just now", 0: "just now", 59 * time.Second: "just now", time.Minute: "1 min ago", 59*time.Minute + 59*time.Second: "59 min ago",
		time.Hour: "1 h ago", 24*time.Hour - 1: "23 h ago", 24 * time.Hour: "21 Nov", 340 * 24 * time.Hour: "17 Dec 2025",
	} {
		m := c.ago(testNow.Add(-past))
		assert.Equal(t, want, m.Text)
		assert.Equal(t, past < 24*time.Hour, m.Live)
	}
	for d, want := range map[time.Duration]string{0: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 61 * time.Second: "1 min 1 s", time.Hour: "1 h 0 min", 25*time.Hour + 90*time.Second: "25 h 1 min"} {
		assert.Equal(t, want, span(d))
	}
}
