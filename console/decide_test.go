package console

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func TestB18DecideByAPI(t *testing.T) {
	for name, c := range map[string]struct {
		path, kind, body string
		caller           func(*http.Request)
		err              error
		status           int
		says             string
	}{
		"ok/without a body":       {path: "m1/undo", caller: asManager, status: 200, says: `"undone":true`},
		"ok/with a reason":        {path: "m1/undo", kind: "application/json", body: `{"reason":"two people"}`, caller: asManager, status: 200, says: `"by":"API key","reason":"two people"`},
		"ok/redo":                 {path: "m1/redo", caller: asManager, status: 200, says: `"undone":false,"history":[`},
		"fail/reader's key":       {path: "m1/undo", caller: asReader, status: 403, says: "missing_scope"},
		"fail/operator, no proof": {path: "m1/undo", caller: asOperator, status: 403, says: "cross_site"},
		"fail/unknown":            {path: "m2/undo", caller: asManager, status: 404, says: "no such merge"},
		"fail/merged otherwise":   {path: "m1/redo", caller: asManager, err: tracker.ErrMergeChanged, status: 409, says: "merge_changed"},
		"fail/store":              {path: "m1/redo", caller: asManager, err: store.ErrUnavailable, status: 503, says: "unavailable"},
		"fail/form":               {path: "m1/undo", kind: "application/x-www-form-urlencoded", body: "reason=x", caller: asManager, status: 415, says: "media_type"},
		"fail/unknown member":     {path: "m1/undo", kind: "application/json", body: `{"why":"x"}`, caller: asManager, status: 400, says: "bad_body"},
		"fail/long reason":        {path: "m1/undo", kind: "application/json", body: `{"reason":"` + strings.Repeat("x", 501) + `"}`, caller: asManager, status: 400, says: "reason: longer"},
		"fail/a brace behind":     {path: "m1/undo", kind: "application/json", body: `{"reason":"x"}}`, caller: asManager, status: 400, says: "nothing behind it"},
		"fail/member twice":       {path: "m1/undo", kind: "application/json", body: `{"reason":"x","reason":"y"}`, caller: asManager, status: 400, says: "bad_body"},
		"fail/member in capitals": {path: "m1/undo", kind: "application/json", body: `{"REASON":"x"}`, caller: asManager, status: 400, says: "bad_body"},
		"fail/not UTF-8":          {path: "m1/undo", kind: "application/json", body: "{\"reason\":\"\xff\"}", caller: asManager, status: 400, says: "bad_body"},
		"fail/a list":             {path: "m1/undo", kind: "application/json", body: `[]`, caller: asManager, status: 400, says: "bad_body"},
		"fail/very deep":          {path: "m1/undo", kind: "application/json", body: `{"reason":` + strings.Repeat("[", maxBodyBytes-20), caller: asManager, status: 400, says: "bad_body"},
		"fail/too large":          {path: "m1/undo", kind: "application/json", body: strings.Repeat(" ", maxBodyBytes+1), caller: asManager, status: 413, says: "too_large"},
		"fail/query":              {path: "m1/undo?reason=x", caller: asManager, status: 400, says: "bad_parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			people := small()
			people.err = c.err
			w := ask(newConsole(t, people), http.MethodPost, "/api/merges/"+c.path, c.caller, withBody(c.kind, c.body))
			assert.Equal(t, c.status, w.Code, w.Body.String())
			assert.Contains(t, w.Body.String(), c.says)
			assert.Equal(t, c.status == 200, len(people.merges["p1"][0].History) == 1)
		})
	}
}

func TestB18DecideByForm(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	post := func(people *fakePeople, path, body string, change ...func(*http.Request)) *response {
		return ask(newConsole(t, people), http.MethodPost, path, append(change, withBody(form, body))...)
	}
	people := small()
	w := post(people, "/merges/m1/undo", "reason=two+people&person=p1", asOperator, sameOrigin)
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body.String())
	assert.Equal(t, "/people/persons/p1#merge-m1", w.Header().Get("Location"))
	assert.Equal(t, []tracker.MergeTurn{{Undone: true, At: testNow, By: "operator", Reason: "two people"}}, people.merges["p1"][0].History)
	w = post(people, "/merges/m1/redo", "person=v1", asOperator, sameOrigin)
	assert.Equal(t, "/people/persons/p1#merge-m1", w.Header().Get("Location"), "the member's page is gone")
	w = post(people, "/merges/m1/undo", "person=//elsewhere.example/", asOperator, sameOrigin)
	assert.Equal(t, "/people/persons/%2F%2Felsewhere.example%2F#merge-m1", w.Header().Get("Location"), "never to another host")

	for name, change := range map[string][]func(*http.Request){
		"another site's page": {asOperator, with("Sec-Fetch-Site", "cross-site")},
		"no proof":            {asOperator},
		"reader's key":        {asReader},
	} {
		people := small()
		assert.Equal(t, http.StatusForbidden, post(people, "/merges/m1/undo", "person=p1", change...).Code, name)
		assert.Empty(t, people.merges["p1"][0].History, name)
	}
	assert.Equal(t, http.StatusRequestEntityTooLarge, post(small(), "/merges/m1/undo", strings.Repeat("x", maxBodyBytes+1), asOperator, sameOrigin).Code)
	assert.Equal(t, http.StatusBadRequest, post(small(), "/merges/m1/undo", "reason=%zz", asOperator, sameOrigin).Code)
	assert.Equal(t, http.StatusBadRequest, post(small(), "/merges/m1/undo", "reason=%ff", asOperator, sameOrigin).Code)
	assert.Equal(t, http.StatusBadRequest, post(small(), "/merges/m1/undo", "reason="+strings.Repeat("x", 501), asOperator, sameOrigin).Code)
	assert.Equal(t, http.StatusUnsupportedMediaType, ask(newConsole(t, small()), http.MethodPost, "/merges/m1/undo", asOperator, sameOrigin, withBody("application/json", "{}")).Code)
}

func TestB18PageShowsWhatCanBeUndone(t *testing.T) {
	people := small()
	forms := func(caller func(*http.Request)) (actions []string) {
		document := parse(t, ask(newConsole(t, people), http.MethodGet, "/persons/p1", inBrowser, caller))
		for _, form := range elements(document, func(n *htmlNode) bool { return n.Data == "form" && attribute(n, "method") == "post" }) {
			actions = append(actions, attribute(form, "action"))
		}
		return actions
	}
	assert.Equal(t, []string{"/people/merges/m1/undo"}, forms(asOperator))
	assert.Empty(t, forms(asReader), "who may not change anything is offered nothing")
	people.merges["p1"][0].Undone = true
	people.merges["p1"][0].History = []tracker.MergeTurn{{Undone: true, At: testNow, By: "operator", Reason: "two people"}}
	assert.Equal(t, []string{"/people/merges/m1/redo"}, forms(asOperator))
	w := ask(newConsole(t, people), http.MethodGet, "/persons/p1", inBrowser, asOperator)
	assert.Contains(t, w.Body.String(), "two people")
	assert.Contains(t, w.Body.String(), `href="/people/persons/v1"`)
}

// TestB18UndoInABrowser: a confirmation, and then a form that the browser sends
// with the proof that it is the console's own.
func TestB18UndoInABrowser(t *testing.T) {
	people := small()
	tab := visit(t, people, "/persons/p1")
	browsertest.Until(t, tab, `document.querySelector('.foot').textContent.includes('Asia/Tokyo')`)
	assert.False(t, browsertest.EvalInto[bool](t, tab, `document.querySelector('.decide form').checkVisibility()`), "it asks first")
	browsertest.Do(t, tab, chromedp.Click(".decide summary"))
	_, err := chromedp.RunResponse(tab, chromedp.Click(".decide button"))
	require.NoError(t, err)
	browsertest.Do(t, tab, chromedp.WaitVisible(".merge.undone"))
	assert.Equal(t, "#merge-m1", browsertest.EvalInto[string](t, tab, `location.hash`))
	require.Len(t, people.merges["p1"][0].History, 1)
	assert.Equal(t, "operator", people.merges["p1"][0].History[0].By)
}
