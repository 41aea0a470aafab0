package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
	_ "time/tzdata" // a container may hold no time zones
)

// zoneCookie holds the reader's time zone, which only a script in the page
// knows. Without it times are in UTC.
const zoneCookie = "people_console_zone"

// zoneName is the form of an IANA time zone; the bound is longer than any.
var zoneName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+\-/]{1,63}$`)

// clock writes times as the reader of one page sees them.
type clock struct {
	now  time.Time
	zone *time.Location
}

func (h *handler) clockFor(r *http.Request) clock {
	return clock{now: h.now(), zone: zoneOf(r)}
}

func zoneOf(r *http.Request) *time.Location {
	cookie, err := r.Cookie(zoneCookie)
	if err != nil {
		return time.UTC
	}
	name, err := url.QueryUnescape(cookie.Value)
	if err != nil || !zoneName.MatchString(name) || name == "Local" {
		return time.UTC
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// moment is a time in a page.
type moment struct {
	Text string // in the reader's zone, or relative
	ISO  string // for machines
	UTC  string // exactly, for the title
	Live bool   // relative and still moving: the script keeps it true
}

func (c clock) moment(t time.Time, text string) moment {
	utc := t.UTC()
	return moment{Text: text, ISO: utc.Format("2006-01-02T15:04:05.000Z"), UTC: utc.Format("2006-01-02 15:04:05.000 UTC")}
}

// at gives date and time.
func (c clock) at(t time.Time) moment {
	return c.moment(t, t.In(c.zone).Format("2 Jan 2006, 15:04"))
}

// date gives the day.
func (c clock) date(t time.Time) moment {
	return c.moment(t, t.In(c.zone).Format("2 Jan 2006"))
}

// hour gives the time of day.
func (c clock) hour(t time.Time) moment {
	return c.moment(t, t.In(c.zone).Format("15:04"))
}

// second gives the time of day to the second, with the date of another day.
func (c clock) second(t time.Time) moment {
	layout := "15:04:05"
	if t.In(c.zone).Format(time.DateOnly) != c.now.In(c.zone).Format(time.DateOnly) {
		layout = "2 Jan, 15:04:05"
	}
	return c.moment(t, t.In(c.zone).Format(layout))
}

// ago gives how long ago it was, and the date from a day on. A time ahead of
// our clock is now: the browser's clock is only corrected beyond 10 s (B13).
func (c clock) ago(t time.Time) moment {
	past := c.now.Sub(t)
	if past >= 24*time.Hour {
		layout := "2 Jan"
		if t.In(c.zone).Year() != c.now.In(c.zone).Year() {
			layout = "2 Jan 2006"
		}
		return c.moment(t, t.In(c.zone).Format(layout))
	}
	text := "just now"
	if minutes := int(past.Minutes()); minutes >= 60 {
		text = strconv.Itoa(minutes/60) + " h ago"
	} else if minutes >= 1 {
		text = strconv.Itoa(minutes) + " min ago"
	}
	m := c.moment(t, text)
	m.Live = true
	return m
}

// day names the reader's day of t.
func (c clock) day(t time.Time) (iso, name string) {
	iso = t.In(c.zone).Format(time.DateOnly)
	name = t.In(c.zone).Format("Monday, 2 January 2006")
	switch today := c.now.In(c.zone); iso {
	case today.Format(time.DateOnly):
		name = "Today · " + name
	case today.AddDate(0, 0, -1).Format(time.DateOnly):
		name = "Yesterday · " + name
	}
	return iso, name
}

// span writes a duration of a session, to the second below an hour.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	hours, minutes, seconds := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case hours > 0:
		return strconv.Itoa(hours) + " h " + strconv.Itoa(minutes) + " min"
	case minutes > 0 && seconds > 0:
		return strconv.Itoa(minutes) + " min " + strconv.Itoa(seconds) + " s"
	case minutes > 0:
		return strconv.Itoa(minutes) + " min"
	}
	return strconv.Itoa(seconds) + " s"
}
