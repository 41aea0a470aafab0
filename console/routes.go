package console

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// route is one operation of the console. An error of serve is answered by
// fail, and nothing was written before it.
type route struct {
	method  string // GET serves HEAD too
	pattern string // of http.ServeMux, without method
	scope   string // that an API key needs; a user may do everything
	serve   func(http.ResponseWriter, *http.Request) error
}

func (h *handler) routes() []route {
	return []route{
		{http.MethodGet, "/{$}", tracker.ScopeRead, h.listPage},
		{http.MethodGet, "/persons/{id}", tracker.ScopeRead, h.personPage},
		{http.MethodGet, "/persons/{id}/erase", tracker.ScopeRead, h.erasePage},
		{http.MethodPost, "/persons/{id}/erase", tracker.ScopeManage, h.eraseForm},
		{http.MethodGet, "/live", tracker.ScopeRead, h.livePage},
		{http.MethodGet, "/assets/{file}", tracker.ScopeRead, h.serveAsset},
		{http.MethodGet, "/openapi.json", tracker.ScopeRead, h.serveOpenAPI},
		{http.MethodGet, "/api/persons", tracker.ScopeRead, h.apiPersons},
		{http.MethodGet, "/api/persons/{id}", tracker.ScopeRead, h.apiPerson},
		{http.MethodGet, "/api/persons/{id}/events", tracker.ScopeRead, h.apiEvents},
		{http.MethodGet, "/api/persons/{id}/merges", tracker.ScopeRead, h.apiMerges},
		{http.MethodGet, "/api/persons/{id}/export", tracker.ScopeRead, h.apiExport},
		{http.MethodGet, "/api/events/live", tracker.ScopeRead, h.apiLive},
		{http.MethodDelete, "/api/persons/{id}", tracker.ScopeManage, h.apiErase},
		{http.MethodPost, "/merges/{id}/undo", tracker.ScopeManage, h.pageDecide(h.people.UndoMerge)},
		{http.MethodPost, "/merges/{id}/redo", tracker.ScopeManage, h.pageDecide(h.people.RedoMerge)},
		{http.MethodPost, "/api/merges/{id}/undo", tracker.ScopeManage, h.apiDecide(h.people.UndoMerge)},
		{http.MethodPost, "/api/merges/{id}/redo", tracker.ScopeManage, h.apiDecide(h.people.RedoMerge)},
		{http.MethodPost, "/livechat/1/widgets/{widgetId}/sessions", tracker.ScopeManage, h.apiReportChat},
		{http.MethodDelete, "/livechat/1/widgets/{widgetId}/sessions/{sid}", tracker.ScopeManage, h.apiInvalidateSession},
	}
}

func (h *handler) newMux() *http.ServeMux {
	byPattern := map[string][]route{}
	for _, route := range h.routes() {
		byPattern[route.pattern] = append(byPattern[route.pattern], route)
	}
	mux := http.NewServeMux()
	for pattern, routes := range byPattern {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h.dispatch(w, r, routes); err != nil {
				h.fail(w, r, err)
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.fail(w, r, errNoRoute) })
	return mux
}

// ServeHTTP authenticates before it looks at the path, so that a stranger
// learns nothing about which routes and people exist.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	caller, err := h.authenticate(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if r.URL.Path == "" { // mounted at /people, asked for /people
		http.Redirect(w, r, h.basePath(r), http.StatusPermanentRedirect)
		return
	}
	// The mux answers an unclean path with a redirect that lacks the mount
	// point; nothing of ours has such a path.
	escaped := r.URL.EscapedPath()
	if clean := path.Clean(escaped); clean != escaped && clean+"/" != escaped {
		h.fail(w, r, errNoRoute)
		return
	}
	h.mux.ServeHTTP(w, r.WithContext(withCaller(r.Context(), caller)))
}

// dispatch serves the route of a path that takes the request's method.
func (h *handler) dispatch(w http.ResponseWriter, r *http.Request, routes []route) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	at := slices.IndexFunc(routes, func(route route) bool { return route.method == method })
	if at < 0 {
		w.Header().Set("Allow", allowed(routes))
		return errMethod
	}
	if err := callerOf(r.Context()).may(r, routes[at]); err != nil {
		return err
	}
	return routes[at].serve(w, r)
}

func allowed(routes []route) string {
	var methods []string
	for _, route := range routes {
		methods = append(methods, route.method)
		if route.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	return strings.Join(methods, ", ")
}

const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// secure sets what holds for every answer; assets replace the Cache-Control.
func secure(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
}

// basePath is the mount point as a path of this host that starts and ends with
// one slash: a base taken from a request such as //elsewhere.example/ must not
// turn every link into one to another host.
func (h *handler) basePath(r *http.Request) string {
	base := strings.Trim(h.base(r), `/\`)
	if base == "" {
		return "/"
	}
	return "/" + base + "/"
}
