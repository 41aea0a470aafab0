package console

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

type personList struct {
	Persons    []tracker.Person `json:"persons"`
	NextCursor string           `json:"nextCursor"` // "" on the last page
	Partial    bool             `json:"partial"`    // the words are too common to look at everybody
}

type eventList struct {
	Events     []tracker.Event `json:"events"`
	NextCursor string          `json:"nextCursor"`
}

type mergeList struct {
	Merges []tracker.Merge `json:"merges"`
}

func (h *handler) apiPersons(w http.ResponseWriter, r *http.Request) error {
	params, err := readParams(r)
	if err != nil {
		return err
	}
	if err := params.only("query", "type", "cursor", "limit"); err != nil {
		return err
	}
	query, err := params.personQuery()
	if err != nil {
		return err
	}
	found, err := h.people.Persons(r.Context(), h.account, query)
	if err != nil {
		return fmt.Errorf("list persons: %w", err)
	}
	return writeJSON(w, http.StatusOK, personList{orEmpty(found.Persons), found.Next, found.Partial})
}

func (h *handler) apiPerson(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return err
	}
	person, err := h.people.Person(r.Context(), h.account, r.PathValue("id"))
	if err != nil {
		return fmt.Errorf("read person: %w", err)
	}
	return writeJSON(w, http.StatusOK, person)
}

func (h *handler) apiEvents(w http.ResponseWriter, r *http.Request) error {
	params, err := readParams(r)
	if err != nil {
		return err
	}
	if err := params.only("from", "to", "definition", "cursor", "limit"); err != nil {
		return err
	}
	query, err := params.eventQuery(params.moment)
	if err != nil {
		return err
	}
	events, next, err := h.people.Events(r.Context(), h.account, r.PathValue("id"), query)
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	for i := range events {
		if len(events[i].Properties) == 0 {
			events[i].Properties = json.RawMessage("{}")
		}
	}
	return writeJSON(w, http.StatusOK, eventList{orEmpty(events), next})
}

func (h *handler) apiMerges(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return err
	}
	merges, err := h.people.Merges(r.Context(), h.account, r.PathValue("id"))
	if err != nil {
		return fmt.Errorf("list merges: %w", err)
	}
	return writeJSON(w, http.StatusOK, mergeList{orEmpty(merges)})
}

//go:embed openapi.json
var openAPI []byte

func (h *handler) serveOpenAPI(w http.ResponseWriter, r *http.Request) error {
	return write(w, http.StatusOK, "application/json", openAPI)
}

func noParams(r *http.Request) error {
	params, err := readParams(r)
	if err != nil {
		return err
	}
	for name := range params {
		return badParameter(quoted(name), "unknown, this address takes no parameters")
	}
	return nil
}

// orEmpty makes an absent list an empty one, [] in JSON and never null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// writeJSON encodes before it writes, so that an error can still be answered.
// The encoder escapes <, > and &, lest a browser takes an answer for a page.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(value); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return write(w, status, "application/json", body.Bytes())
}

// write answers; a caller who has gone away is nobody's error.
func write(w http.ResponseWriter, status int, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return nil
}
