package console

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// walk calls visit with a working address of every route of the table.
func walk(t *testing.T, people *fakePeople, visit func(t *testing.T, console http.Handler, route route, target string)) {
	console := newConsole(t, people)
	h := console.(*handler)
	for _, route := range h.routes() {
		target := strings.NewReplacer("{$}", "", "/merges/{id}", "/merges/"+people.merges[people.persons[0].ID][0].ID, "{id}", people.persons[0].ID, "{file}", h.assets.CSS,
			"{widgetId}", "widget-1", "{sid}", "s1").Replace(route.pattern)
		require.NotContains(t, target, "{")
		t.Run(route.method+" "+route.pattern, func(t *testing.T) { visit(t, console, route, target) })
	}
}

// changed is what a route that changes something answers.
func changed(to route) int {
	switch {
	case strings.HasPrefix(to.pattern, "/merges/"), to.method == http.MethodPost && strings.HasPrefix(to.pattern, "/persons/"): // forms
		return http.StatusSeeOther
	case strings.HasPrefix(to.pattern, "/api/merges/"):
		return http.StatusOK
	case to.method == http.MethodPost:
		return http.StatusCreated
	}
	return http.StatusNoContent
}

func TestEveryRouteNeedsACaller(t *testing.T) {
	walk(t, crowd(), func(t *testing.T, console http.Handler, route route, target string) {
		tests := []struct {
			name   string
			change []func(*http.Request)
			read   int // of a route that reads
			manage int // of one that changes
		}{
			{"fail/nobody", nil, 401, 401},
			{"fail/unknown key", []func(*http.Request){with("Authorization", "App nothing")}, 401, 401},
			{"fail/empty key", []func(*http.Request){with("Authorization", "App ")}, 401, 401},
			{"fail/key under another scheme", []func(*http.Request){with("Authorization", "Bearer "+manageKey)}, 401, 401},
			{"fail/key of the browser", []func(*http.Request){with("Authorization", "App "+trackKey)}, 403, 403},
			{"fail/unknown key beside a user", []func(*http.Request){asOperator, with("Authorization", "App nothing")}, 401, 401},
			{"fail/key of the browser beside a user", []func(*http.Request){asOperator, with("Authorization", "App "+trackKey)}, 403, 403},
			{"ok/key that reads", []func(*http.Request){asReader}, 200, 403},
			{"ok/key that manages", []func(*http.Request){asManager}, 200, 204},
			{"ok/scheme in lower case", []func(*http.Request){with("Authorization", "app "+manageKey)}, 200, 204},
			{"ok/key that manages, from another site", []func(*http.Request){asManager, with("Sec-Fetch-Site", "cross-site")}, 200, 204},
			{"ok/user without fetch metadata", []func(*http.Request){asOperator}, 200, 403},
			{"ok/user from another site", []func(*http.Request){asOperator, with("Sec-Fetch-Site", "cross-site")}, 200, 403},
			{"ok/user from a sibling site", []func(*http.Request){asOperator, with("Sec-Fetch-Site", "same-site")}, 200, 403},
			{"ok/user from nowhere", []func(*http.Request){asOperator, with("Sec-Fetch-Site", "none")}, 200, 403},
			{"ok/user from here", []func(*http.Request){asOperator, sameOrigin}, 200, 204},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				want := test.read
				if route.scope == tracker.ScopeManage {
					want = test.manage
				}
				if want == http.StatusNoContent {
					want = changed(route)
				}
				w := ask(console, route.method, target, test.change...)
				assert.Equal(t, want, w.Code, w.Body.String())
				assert.Empty(t, w.Header().Get("WWW-Authenticate"))
				if want == 401 {
					assert.Equal(t, "unauthorized", errorCode(t, w))
				}
			})
		}
	})
}

func TestStrangersLearnNothingAboutRoutes(t *testing.T) {
	console := newConsole(t, crowd())
	for _, target := range []string{"/nothing", "/api/nothing", "/a/../b", "//", "/persons/" + crowd().persons[0].ID} {
		assert.Equal(t, 401, ask(console, http.MethodGet, target).Code, target)
		assert.Equal(t, 401, ask(console, http.MethodPost, target).Code, target)
	}
}

func TestKeysOfNobody(t *testing.T) {
	console, err := New(Config{People: crowd()})
	require.NoError(t, err)
	assert.Equal(t, 401, ask(console, http.MethodGet, "/api/persons", asReader, asOperator).Code, "no keys and no users are configured")
	_, err = New(Config{})
	assert.Error(t, err)
}

func TestUnauthorizedPage(t *testing.T) {
	console := newConsole(t, crowd())
	w := ask(console, http.MethodGet, "/", inBrowser)
	require.Equal(t, 401, w.Code)
	document := parse(t, w)
	assert.Contains(t, text(document), "Please sign in")
	for _, tag := range []string{"script", "link", "img", "a", "form"} {
		assert.Empty(t, elements(document, func(n *htmlNode) bool { return n.Data == tag }), "nothing that would answer 401 as well: %s", tag)
	}
	assert.Equal(t, "application/json", ask(console, http.MethodGet, "/api/persons", inBrowser).Header().Get("Content-Type"), "the API speaks JSON to everybody")
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	walk(t, crowd(), func(t *testing.T, console http.Handler, route route, target string) {
		for _, w := range []*response{ask(console, route.method, target), ask(console, route.method, target, asManager), ask(console, http.MethodPatch, target, asManager)} {
			assert.Equal(t, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
				w.Header().Get("Content-Security-Policy"))
			assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			assert.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
			caching := "no-store"
			switch {
			case w.Code == 200 && strings.HasPrefix(target, "/assets/"):
				caching = "private, max-age=31536000, immutable"
			case w.Code == 200 && target == "/api/events/live", strings.HasPrefix(w.Header().Get("Content-Type"), "text/html"):
				caching = "no-store, no-transform"
			}
			assert.Equal(t, caching, w.Header().Get("Cache-Control"))
		}
	})
}

func TestMethods(t *testing.T) {
	walk(t, crowd(), func(t *testing.T, console http.Handler, route route, target string) {
		w := ask(console, http.MethodPatch, target, asManager)
		assert.Equal(t, 405, w.Code)
		assert.Equal(t, "method_not_allowed", errorCode(t, w))
		var taken []string
		for _, other := range console.(*handler).routes() {
			if other.pattern == route.pattern {
				taken = append(taken, strings.Replace(other.method, "GET", "GET, HEAD", 1))
			}
		}
		assert.Equal(t, strings.Join(taken, ", "), w.Header().Get("Allow"))
		if !strings.Contains(w.Header().Get("Allow"), "HEAD") {
			assert.Equal(t, 405, ask(console, http.MethodHead, target, asManager).Code)
			return
		}
		get, head := ask(console, http.MethodGet, target, asManager), ask(console, http.MethodHead, target, asManager)
		assert.Equal(t, get.Code, head.Code)
		assert.Equal(t, get.Header(), head.Header())
	})
}

func TestPathsOutsideTheTable(t *testing.T) {
	console := newConsole(t, crowd())
	for _, target := range []string{
		"/nothing", "/api", "/api/", "/api/persons/", "/persons/", "/persons", "/api//persons", "/./", "/persons/../api/persons",
		"/assets/console.css", "/assets/../auth.go", "/assets/%2e%2e%2fauth.go", "/openapi.json/",
	} {
		w := ask(console, http.MethodGet, target, asReader)
		assert.Equal(t, 404, w.Code, target)
		assert.Equal(t, "not_found", errorCode(t, w), target)
		assert.Empty(t, w.Header().Get("Location"), target)
	}
}

func TestMountPoint(t *testing.T) {
	for base, want := range map[string]string{
		"/people/": "/people/", "/people": "/people/", "people": "/people/", "/": "/", "": "/",
		"//elsewhere.example/": "/elsewhere.example/", `/\elsewhere.example/`: "/elsewhere.example/",
	} {
		console, err := New(Config{
			People: crowd(), User: func(*http.Request) string { return "operator" },
			Base: func(*http.Request) string { return base }, Now: nowAtTest,
		})
		require.NoError(t, err)
		document := parse(t, ask(console, http.MethodGet, "/", inBrowser))
		brand := elements(document, classed("brand"))
		require.Len(t, brand, 1)
		assert.Equal(t, want, attribute(brand[0], "href"), base)
	}

	bare, request := newConsole(t, crowd()), func(r *http.Request) { r.URL.Path = "" }
	w := ask(bare, http.MethodGet, "/", asOperator, request)
	assert.Equal(t, http.StatusPermanentRedirect, w.Code)
	assert.Equal(t, "/people/", w.Header().Get("Location"))
	assert.Equal(t, 401, ask(bare, http.MethodGet, "/", request).Code)
}
