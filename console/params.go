package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

const (
	maxQueryRunes  = 200  // longer than any name or address somebody searches for
	maxCursorBytes = 1024 // a cursor holds one key of the store
	maxPersons     = 100
	maxEvents      = 200
)

// definitionID is what tracker accepts as the id of an event definition.
var definitionID = regexp.MustCompile(`^[A-Za-z0-9]{1,36}$`)

// params are the query parameters of a request, each given at most once.
type params url.Values

func readParams(r *http.Request) (params, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badParameter("query string", "malformed")
	}
	for name, given := range values {
		if len(given) > 1 {
			return nil, badParameter(quoted(name), "given twice")
		}
	}
	return params(values), nil
}

// only refuses parameters that the route does not know, since a program that
// misspells a filter would otherwise take everything for its result.
func (p params) only(names ...string) error {
	for name := range p {
		if !slices.Contains(names, name) {
			return badParameter(quoted(name), "unknown, allowed are "+strings.Join(names, ", "))
		}
	}
	return nil
}

// quoted makes a name from the request fit to stand in a message.
func quoted(name string) string {
	if runes := []rune(name); len(runes) > 40 {
		name = string(runes[:40]) + "…"
	}
	return strconv.Quote(name)
}

func (p params) get(name string) string { return url.Values(p).Get(name) }

func (p params) text(name string) (string, error) {
	value := p.get(name)
	if !utf8.ValidString(value) {
		return "", badParameter(name, "not UTF-8")
	}
	if utf8.RuneCountInString(value) > maxQueryRunes {
		return "", badParameter(name, "longer than "+strconv.Itoa(maxQueryRunes)+" characters")
	}
	return strings.TrimSpace(value), nil
}

func (p params) personType() (tracker.PersonType, error) {
	switch value := tracker.PersonType(p.get("type")); value {
	case "", tracker.TypeLead, tracker.TypeCustomer:
		return value, nil
	}
	return "", badParameter("type", "must be LEAD or CUSTOMER")
}

func (p params) definition() (string, error) {
	value := p.get("definition")
	if value != "" && !definitionID.MatchString(value) {
		return "", badParameter("definition", "must be 1 to 36 letters and digits")
	}
	return value, nil
}

func (p params) cursor() (string, error) {
	value := p.get("cursor")
	if len(value) > maxCursorBytes {
		return "", errBadCursor
	}
	return value, nil
}

// limit returns 0, tracker's default, when none is given.
func (p params) limit(most int) (int, error) {
	value := p.get("limit")
	if value == "" {
		return 0, nil
	}
	limit, err := strconv.Atoi(value)
	if err != nil || limit < 1 || limit > most {
		return 0, badParameter("limit", "must be a number from 1 to "+strconv.Itoa(most))
	}
	return limit, nil
}

// moment returns the zero time when none is given.
func (p params) moment(name string) (time.Time, error) {
	value := p.get(name)
	if value == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}, badParameter(name, "must be a time such as 2026-11-22T10:00:00Z")
	}
	return at.UTC(), nil
}

// day returns the start of a day of the reader's.
func (p params) day(name string, zone *time.Location) (time.Time, error) {
	value := p.get(name)
	if value == "" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, value, zone)
	if err != nil {
		return time.Time{}, badParameter(name, "must be a day such as 2026-11-22")
	}
	return at, nil
}

func (p params) personQuery() (query tracker.PersonQuery, err error) {
	if query.Text, err = p.text("query"); err != nil {
		return query, err
	}
	if query.Type, err = p.personType(); err != nil {
		return query, err
	}
	if query.Cursor, err = p.cursor(); err != nil {
		return query, err
	}
	query.Limit, err = p.limit(maxPersons)
	return query, err
}

// eventQuery reads the bounds with bound, which says whether they are moments
// or days.
func (p params) eventQuery(bound func(name string) (time.Time, error)) (query tracker.EventQuery, err error) {
	if query.From, err = bound("from"); err != nil {
		return query, err
	}
	if query.To, err = bound("to"); err != nil {
		return query, err
	}
	if !query.From.IsZero() && !query.To.IsZero() && query.To.Before(query.From) {
		return query, badParameter("to", "is before from")
	}
	if query.DefinitionID, err = p.definition(); err != nil {
		return query, err
	}
	if query.Cursor, err = p.cursor(); err != nil {
		return query, err
	}
	query.Limit, err = p.limit(maxEvents)
	return query, err
}
