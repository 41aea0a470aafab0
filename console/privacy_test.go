package console

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestB33EraseByProgramAndByForm(t *testing.T) {
	for name, c := range map[string]struct {
		method, target string
		caller         []func(*http.Request)
		status         int
		erased         []string
	}{
		"ok/key that manages":         {"DELETE", "/api/persons/p1", []func(*http.Request){asManager}, 204, []string{"p1"}},
		"ok/form of our own page":     {"POST", "/persons/p1/erase", []func(*http.Request){asOperator, sameOrigin}, 303, []string{"p1"}},
		"fail/form of another site":   {"POST", "/persons/p1/erase", []func(*http.Request){asOperator, with("Sec-Fetch-Site", "cross-site")}, 403, nil},
		"fail/form without proof":     {"POST", "/persons/p1/erase", []func(*http.Request){asOperator}, 403, nil},
		"fail/script of another site": {"DELETE", "/api/persons/p1", []func(*http.Request){asOperator, with("Sec-Fetch-Site", "cross-site")}, 403, nil},
		"fail/key that reads":         {"DELETE", "/api/persons/p1", []func(*http.Request){asReader}, 403, nil},
		"fail/visitor":                {"DELETE", "/api/persons/v1", []func(*http.Request){asManager}, 404, nil},
		"fail/page erases nothing":    {"GET", "/persons/p1/erase", []func(*http.Request){asOperator}, 200, nil},
		"fail/parameters":             {"DELETE", "/api/persons/p1?x=1", []func(*http.Request){asManager}, 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			people := small()
			w := ask(newConsole(t, people), c.method, c.target, c.caller...)
			assert.Equal(t, c.status, w.Code, w.Body.String())
			assert.Equal(t, c.erased, people.erased)
			if c.status == 303 {
				assert.Equal(t, "/people/", w.Header().Get("Location"))
			}
		})
	}
}

// The way from a person to the form needs no script and leads through a
// question.
func TestErasePages(t *testing.T) {
	console := newConsole(t, small())
	links := elements(parse(t, ask(console, "GET", "/persons/p1", asOperator)), func(n *htmlNode) bool { return n.Data == "a" })
	var to []string
	for _, link := range links {
		to = append(to, attribute(link, "href"))
	}
	assert.Contains(t, to, "/people/persons/p1/erase")
	assert.Contains(t, to, "/people/api/persons/p1/export")
	page := parse(t, ask(console, "GET", "/persons/p1/erase", asOperator))
	forms := elements(page, func(n *htmlNode) bool { return n.Data == "form" && attribute(n, "method") == "post" })
	require.Len(t, forms, 1)
	assert.Equal(t, "/people/persons/p1/erase", attribute(forms[0], "action"))
	assert.Empty(t, elements(page, func(n *htmlNode) bool { return attribute(n, "onclick") != "" || attribute(n, "onsubmit") != "" }))
}

func TestExportIsADownload(t *testing.T) {
	w := ask(newConsole(t, small()), "GET", "/api/persons/p1/export", asReader)
	require.Equal(t, 200, w.Code)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.Contains(t, w.Header().Get("Content-Disposition"), "attachment")
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))

	people := small()
	people.broken = true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asReader(r)
		newConsole(t, people).ServeHTTP(w, r)
	}))
	defer server.Close()
	response, err := http.Get(server.URL + "/api/persons/p1/export")
	if err == nil {
		_, err = response.Body.Read(make([]byte, 1<<10))
		if err == nil {
			_, err = response.Body.Read(make([]byte, 1<<10))
		}
		require.NoError(t, response.Body.Close())
	}
	assert.Error(t, err, "half a document is not taken for a whole one")
	assert.NotEqual(t, "EOF", err.Error())
}
