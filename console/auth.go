package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// caller is who asks: an operator whom the server authenticated, or a program
// with an API key.
type caller struct {
	user string // "" with a key
	key  tracker.Key
}

// authenticate finds the caller. A key that is shown decides alone, so that a
// program never gets more than its scopes by way of a proxy's user.
func (h *handler) authenticate(r *http.Request) (caller, error) {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "App") {
		key, found := h.keys.Find(strings.TrimSpace(value))
		if !found {
			return caller{}, errUnknownKey
		}
		return caller{key: key}, nil
	}
	if user := h.user(r); user != "" {
		return caller{user: user}, nil
	}
	return caller{}, errNobody
}

// may says whether the caller may use the route; scopes bind keys only.
func (c caller) may(r *http.Request, to route) error {
	if c.user == "" {
		if c.key.Has(to.scope) || c.key.Has(tracker.ScopeManage) {
			return nil
		}
		return &problem{http.StatusForbidden, "missing_scope", "the API key lacks the scope " + to.scope}
	}
	// A browser adds the operator's credentials to requests of other sites'
	// pages as well. A key has to be put there by a program, so it needs no such
	// proof.
	if to.method != http.MethodGet && r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return errCrossSite
	}
	return nil
}

// mayManage says whether the caller may change something at all.
func (c caller) mayManage() bool { return c.user != "" || c.key.Has(tracker.ScopeManage) }

type callerKey struct{}

func withCaller(ctx context.Context, c caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf returns the caller that ServeHTTP authenticated; the zero caller has
// no scope.
func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}
