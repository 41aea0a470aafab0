package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// problem is an error as it is shown to the caller: it holds no detail of ours.
type problem struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (p *problem) Error() string { return p.Message }

var (
	errNobody       = &problem{http.StatusUnauthorized, "unauthorized", "sign in, or send an API key with the scope people:read or people:manage as Authorization: App <key>"}
	errUnknownKey   = &problem{http.StatusUnauthorized, "unauthorized", "the API key is unknown"}
	errCrossSite    = &problem{http.StatusForbidden, "cross_site", "a browser may change something from the console's own pages only, and says so over https and on localhost alone; a program uses an API key"}
	errNoRoute      = &problem{http.StatusNotFound, "not_found", "there is nothing at this address"}
	errNotFound     = &problem{http.StatusNotFound, "not_found", "there is no such person; a visitor is not shown before a chat is started or the visitor authenticates"}
	errNoSession    = &problem{http.StatusNotFound, "not_found", "there is no such widget, or the session id is longer than 50 characters"}
	errNoDevice     = &problem{http.StatusNotFound, "not_found", "there is no such widget, or the device cookie is not one that this server issued"}
	errNoMerge      = &problem{http.StatusNotFound, "not_found", "there is no such merge, or somebody in it was erased"}
	errMediaType    = &problem{http.StatusUnsupportedMediaType, "media_type", "send application/json"}
	errTooLarge     = &problem{http.StatusRequestEntityTooLarge, "too_large", "the body is larger than 16 KiB"}
	errLongReason   = badMember("reason", "longer than 500 bytes")
	errMethod       = &problem{http.StatusMethodNotAllowed, "method_not_allowed", "this address does not take the method, see Allow"}
	errBadCursor    = &problem{http.StatusBadRequest, "bad_cursor", "cursor: not one that this list gave out; start again without it"}
	errMergeChanged = &problem{http.StatusConflict, "merge_changed", "the profile was merged otherwise since"}
	errBusy         = &problem{http.StatusServiceUnavailable, "busy", "as many watch the live view as may"}
	errUnavailable  = &problem{http.StatusServiceUnavailable, "unavailable", "the people store cannot answer at the moment; try again"}
	errInternal     = &problem{http.StatusInternalServerError, "internal", "something went wrong here; the server's log says what"}
)

// badParameter refuses a query parameter, by its name.
func badParameter(name, rule string) *problem {
	return &problem{http.StatusBadRequest, "bad_parameter", name + ": " + rule}
}

// retryAfter is how many seconds a caller should wait for the store.
const retryAfter = "5"

// problemOf maps an error to what is shown of it; known is false for one that
// nobody expected.
func problemOf(err error) (shown *problem, known bool) {
	switch {
	case errors.As(err, &shown):
		return shown, true
	case errors.Is(err, tracker.ErrNotFound):
		return errNotFound, true
	case errors.Is(err, tracker.ErrBadCursor):
		return errBadCursor, true
	case errors.Is(err, tracker.ErrTooManyWatchers):
		return errBusy, true
	case tracker.Unavailable(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errUnavailable, true
	}
	return errInternal, false
}

// fail answers with an error: a page to a browser that opens one, else JSON.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	shown, known := problemOf(err)
	if !known {
		h.log.ErrorContext(r.Context(), "console: request failed", slog.String("route", r.Pattern), slog.Any("error", err))
	}
	if shown.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	if wantsPage(r) {
		err = h.errorPage(w, r, shown)
	} else {
		err = writeJSON(w, shown.Status, struct {
			Error *problem `json:"error"`
		}{shown})
	}
	if err != nil {
		h.log.ErrorContext(r.Context(), "console: answering an error failed", slog.Any("error", err))
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// wantsPage says that a browser opens an address, other than those of the API,
// whose answers are JSON for everybody.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") &&
		!strings.HasPrefix(r.URL.Path, "/api/") && !strings.HasPrefix(r.URL.Path, "/livechat/")
}
