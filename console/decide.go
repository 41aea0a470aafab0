package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// maxReasonBytes is how long a reason may be; tracker keeps that much.
const maxReasonBytes = 500

// decision undoes or redoes a merge (B18).
type decision func(ctx context.Context, a tracker.Account, mergeID string, d tracker.Decision) (tracker.Merge, error)

// apiDecide serves a decision to programs. The body is optional.
func (h *handler) apiDecide(decide decision) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := noParams(r); err != nil {
			return err
		}
		reason, err := readReason(r)
		if err != nil {
			return err
		}
		merge, err := h.decide(r, decide, reason)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, merge)
	}
}

// pageDecide serves a decision to the form on a person's page, and leads back
// to where the merge is shown now.
func (h *handler) pageDecide(decide decision) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := noParams(r); err != nil {
			return err
		}
		form, err := readForm(r)
		if err != nil {
			return err
		}
		reason := form.Get("reason")
		if err := checkReason(reason); err != nil {
			return err
		}
		merge, err := h.decide(r, decide, reason)
		if err != nil {
			return err
		}
		back := form.Get("person")
		if back == "" || !merge.Undone && back == merge.VisitorID {
			back = merge.PersonID
		}
		http.Redirect(w, r, h.basePath(r)+"persons/"+url.PathEscape(back)+"#merge-"+url.PathEscape(merge.ID), http.StatusSeeOther)
		return nil
	}
}

func (h *handler) decide(r *http.Request, decide decision, reason string) (tracker.Merge, error) {
	by := callerOf(r.Context()).user
	if by == "" {
		by = "API key"
	}
	merge, err := decide(r.Context(), h.account, r.PathValue("id"), tracker.Decision{By: by, Reason: reason})
	switch {
	case errors.Is(err, tracker.ErrNotFound):
		return merge, errNoMerge
	case errors.Is(err, tracker.ErrMergeChanged):
		return merge, errMergeChanged
	case err != nil:
		return merge, fmt.Errorf("decide about a merge: %w", err)
	}
	return merge, nil
}

// readReason takes { "reason": "…" }, or nothing at all.
func readReason(r *http.Request) (string, error) {
	raw, err := readBody(r)
	if err != nil || len(raw) == 0 {
		return "", err
	}
	var body struct {
		Reason string `json:"reason"`
	}
	if err := decodeJSON(r, raw, &body, `{ "reason"? }, a string`); err != nil {
		return "", err
	}
	return body.Reason, checkReason(body.Reason)
}

func checkReason(reason string) error {
	switch {
	case len(reason) > maxReasonBytes:
		return errLongReason
	case !utf8.ValidString(reason):
		return badMember("reason", "not UTF-8")
	}
	return nil
}
