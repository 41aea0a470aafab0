package collector

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// Where an error came from and where it surfaced, as the specification calls it.
const (
	errorOrigin   = "people-tracking"
	errorPlatform = "fe-snippet"
)

// refusal is why a request as a whole is not carried out.
type refusal struct {
	status     int
	result     string // for Observation
	cause      string // for the page; quotes nothing of the request
	retryAfter time.Duration
}

func refuse(status int, result, cause string) *refusal {
	return &refusal{status: status, result: result, cause: cause}
}

func (r *refusal) after(wait time.Duration) *refusal {
	r.retryAfter = wait
	return r
}

// writeRefusal answers a refused request in the shape of a refused call.
func writeRefusal(w http.ResponseWriter, r *refusal) {
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.retryAfter.Seconds()))))
	}
	body := append(make([]byte, 0, 256), `{"success":false,"error":`...)
	body = appendError(body, tracker.NewCallError(tracker.CodePersonState, r.cause))
	writeJSON(w, r.status, append(body, '}'))
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the browser has gone; its calls stay queued there
}

// appendResponse writes the answer of docs/protocol.md. It is written by hand
// since it is the same few bytes for nearly every call.
func appendResponse(b []byte, res *tracker.Response) []byte {
	b = append(b, `{"epoch":`...)
	b = appendString(b, res.Epoch)
	b = append(b, `,"results":[`...)
	for i := range res.Results {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendResult(b, &res.Results[i])
	}
	return append(b, `]}`...)
}

func appendResult(b []byte, result *tracker.Result) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, result.ID)
	switch {
	case result.Err != nil:
		b = append(b, `,"success":false,"error":`...)
		b = appendError(b, result.Err)
	case len(result.Warnings) > 0:
		b = append(b, `,"success":true,"data":{"warnings":[`...)
		for i, warning := range result.Warnings {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"code":`...)
			b = appendString(b, warning.Code)
			b = append(b, `,"message":`...)
			b = appendString(b, warning.Message)
			b = append(b, '}')
		}
		b = append(b, `]}`...)
	default:
		b = append(b, `,"success":true,"data":null`...)
	}
	return append(b, '}')
}

func appendError(b []byte, err *tracker.CallError) []byte {
	b = append(b, `{"code":`...)
	b = strconv.AppendInt(b, int64(err.Code), 10)
	b = append(b, `,"name":`...)
	b = appendString(b, err.Name)
	b = append(b, `,"message":`...)
	b = appendString(b, err.Message)
	return append(b, `,"origin":"`+errorOrigin+`","platform":"`+errorPlatform+`"}`...)
}

// appendString quotes s; what is not UTF-8 in it becomes U+FFFD, which is all
// that the error would say.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}
