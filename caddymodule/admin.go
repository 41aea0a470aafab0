package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// adminAPI answers under /people_tracking/ on Caddy's admin endpoint:
//
//	GET  /people_tracking/health/live   200 while the process answers
//	GET  /people_tracking/health/ready  200 while calls are recorded and the clocks agree, else 503 with the reason
//	GET  /people_tracking/backup        the whole store, while it is worked on
//	POST /people_tracking/clock/accept  the clocks are right as they are
//
// It keeps no context: Caddy replaces the admin endpoint before it provisions
// a configuration and leaves it there when that fails, so a context of its own
// would be the one of a rejected configuration.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.people_tracking",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Routes implements caddy.AdminRouter.
func (adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/people_tracking/health/live", Handler: caddy.AdminHandlerFunc(serveLive)},
		{Pattern: "/people_tracking/health/ready", Handler: caddy.AdminHandlerFunc(serveReady)},
		{Pattern: backupPath, Handler: caddy.AdminHandlerFunc(serveBackup)},
		{Pattern: clockPath, Handler: caddy.AdminHandlerFunc(serveAcceptClock)},
	}
}

type health struct {
	Status string `json:"status"` // ok or unavailable
	Reason string `json:"reason,omitempty"`
}

var errNotConfigured = errors.New("people tracking is not configured")

// takes refuses a request of another method. HEAD goes with GET where it is
// listed.
func takes(w http.ResponseWriter, r *http.Request, methods ...string) error {
	if slices.Contains(methods, r.Method) {
		return nil
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Message: "method not allowed"}
}

// runningApp is the app of the configuration that runs.
func runningApp() (*App, error) {
	configured, err := caddy.ActiveContext().AppIfConfigured(directive)
	if err != nil {
		return nil, errNotConfigured
	}
	return configured.(*App), nil
}

// refused is how the admin endpoint tells err: Caddy shows the message, and
// asks for the type itself, not for one that is wrapped.
func refused(err error) caddy.APIError {
	return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err, Message: err.Error()}
}

func serveLive(w http.ResponseWriter, r *http.Request) error {
	return answerHealth(w, r, nil)
}

func serveReady(w http.ResponseWriter, r *http.Request) error {
	app, err := runningApp()
	if err == nil {
		err = app.ready(r.Context())
	}
	return answerHealth(w, r, err)
}

func answerHealth(w http.ResponseWriter, r *http.Request, unavailable error) error {
	if err := takes(w, r, http.MethodGet, http.MethodHead); err != nil {
		return err
	}
	state, status := health{Status: "ok"}, http.StatusOK
	if unavailable != nil {
		state, status = health{Status: "unavailable", Reason: unavailable.Error()}, http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(state)
}
