package console

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// apiReportChat takes a site's back end's word that a chat has started (B9 f).
func (h *handler) apiReportChat(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return err
	}
	report, err := readReport(r)
	if err != nil {
		return err
	}
	sid, err := h.people.ReportChat(r.Context(), h.account, r.PathValue("widgetId"), report)
	switch {
	case errors.Is(err, tracker.ErrNotFound):
		return errNoDevice
	case errors.Is(err, tracker.ErrBadSessionID):
		return badMember("sid", "at most 50 characters")
	case errors.Is(err, tracker.ErrBadToken):
		return badMember("token", "does not authenticate: "+err.Error())
	case err != nil:
		return fmt.Errorf("report a chat: %w", err)
	}
	return writeJSON(w, http.StatusCreated, map[string]string{"sid": sid})
}

func readReport(r *http.Request) (tracker.ChatReport, error) {
	raw, err := readBody(r)
	if err != nil {
		return tracker.ChatReport{}, err
	}
	var body struct {
		Device string `json:"device"`
		Token  string `json:"token"`
		SID    string `json:"sid"`
	}
	if err := decodeJSON(r, raw, &body, `{ "device", "token"?, "sid"? }, each a string`); err != nil {
		return tracker.ChatReport{}, err
	}
	if body.Device == "" {
		return tracker.ChatReport{}, badMember("device", "the value of the device cookie is required")
	}
	return tracker.ChatReport{Device: body.Device, Token: body.Token, SID: body.SID}, nil
}

func (h *handler) apiInvalidateSession(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return err
	}
	err := h.people.InvalidateSession(r.Context(), h.account, r.PathValue("widgetId"), r.PathValue("sid"))
	if errors.Is(err, tracker.ErrNotFound) || errors.Is(err, tracker.ErrBadSessionID) {
		return errNoSession
	}
	if err != nil {
		return fmt.Errorf("invalidate session: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
