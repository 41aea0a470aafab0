package tracker

import (
	"net/url"
	"strings"
	"time"
)

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

func stamp(ms int64) string { return fromMillis(ms).Format(timeLayout) }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// cut bounds a text, at the end of a character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

// splitURL gives host and path of a page's address; what cannot be parsed has neither.
func splitURL(address string) (domain, path string) {
	u, err := url.Parse(address)
	if err != nil {
		return "", ""
	}
	return u.Hostname(), orElse(u.EscapedPath(), "/")
}

// utmOf reads the campaign values of the address a session starts at.
func utmOf(address string) utm {
	_, query, found := strings.Cut(address, "?")
	if !found || !strings.Contains(query, "utm_") {
		return utm{}
	}
	query, _, _ = strings.Cut(query, "#")
	values, _ := url.ParseQuery(query) // what is malformed is left out
	bounded := func(name string) string {
		const most = 255 // as long as a platform name
		return cut(values.Get(name), most)
	}
	return utm{
		source: bounded("utm_source"), medium: bounded("utm_medium"), campaign: bounded("utm_campaign"),
		term: bounded("utm_term"), content: bounded("utm_content"),
	}
}

// eventTime is when a call happened by the server's clock (B13): the browser's
// time, corrected where the clocks differ by more than 10 s, or the time of
// receipt where that lies in the future or more than a day back.
func eventTime(received, sent, at time.Time) time.Time {
	const tolerated = 10 * time.Second
	t := at
	if off := received.Sub(sent); off > tolerated || off < -tolerated {
		t = at.Add(off)
	}
	if t.After(received) || received.Sub(t) > lateLimit {
		return received
	}
	return t
}

// lateLimit is how old a call may be and still keep its time (B8, B13).
const lateLimit = 24 * time.Hour

// madeAt is when a call was made, by its age: free of the browser's clock,
// late by the time it took to arrive. It decides between epochs.
func madeAt(received, sent, at time.Time) time.Time {
	if age := sent.Sub(at); age > 0 {
		return received.Add(-age)
	}
	return received
}
