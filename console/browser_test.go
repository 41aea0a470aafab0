package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

var browser = browsertest.NewBrowser()

func TestMain(m *testing.M) {
	code := m.Run()
	browser.Close()
	os.Exit(code)
}

// visit opens an address of a console in a real browser whose reader sits in
// Tokyo, where it is nine hours later.
func visit(t *testing.T, people People, target string, change ...func(*Config)) context.Context {
	t.Helper()
	console := newConsole(t, people, change...)
	site := httptest.NewServer(http.StripPrefix("/people", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set(operatorHeader, "operator")
		console.ServeHTTP(w, r)
	})))
	t.Cleanup(site.Close)
	tab := browser.Page(t)
	complaints := browsertest.Watch(t, tab)
	t.Cleanup(func() {
		assert.Empty(t, complaints.All(), "the content security policy must allow all the console does")
	})
	_, err := chromedp.Call(tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Tokyo"})
	require.NoError(t, err)
	browsertest.Do(t, tab, chromedp.Navigate(site.URL+"/people"+target))
	return tab
}

// press types a key as a keyboard does: a prevented keydown gives no character.
func press(t *testing.T, tab context.Context, key string) {
	t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		event := input.DispatchKeyEventParams{Type: kind, Key: key}
		if kind == input.DispatchKeyEventTypeKeyDown {
			event.Text = key
		}
		_, err := chromedp.Call(tab, input.DispatchKeyEvent, event)
		require.NoError(t, err)
	}
}

func TestScriptListInPlace(t *testing.T) {
	people := crowd()
	tab := visit(t, people, "/")
	browsertest.Until(t, tab, `document.querySelector('.foot').textContent.includes('Asia/Tokyo')`)
	assert.Equal(t, "Asia/Tokyo", browsertest.EvalInto[string](t, tab, `document.documentElement.dataset.zone`))

	press(t, tab, "/")
	assert.Equal(t, "query ", browsertest.EvalInto[string](t, tab, `document.activeElement.id + ' ' + document.activeElement.value`), "/ focuses the search and writes nothing")
	press(t, tab, "a")
	press(t, tab, "/")
	assert.Equal(t, "a/", browsertest.EvalInto[string](t, tab, `document.activeElement.value`))

	// Somebody of the second page becomes active: everybody moves by one.
	people.persons = append([]tracker.Person{people.persons[55]}, append(people.persons[:55:55], people.persons[56:]...)...)
	browsertest.Do(t, tab, chromedp.Click("[data-more]"))
	browsertest.Until(t, tab, `!document.querySelector('[data-more]')`)
	assert.Equal(t, 59, browsertest.EvalInto[int](t, tab, `document.querySelectorAll('[data-rows] > tr').length`), "the one who moved ahead is on neither page")
	assert.Equal(t, 59, browsertest.EvalInto[int](t, tab, `new Set([...document.querySelectorAll('[data-rows] > tr')].map((row) => row.dataset.key)).size`), "nobody twice")
	assert.Contains(t, browsertest.EvalInto[string](t, tab, `document.querySelector('[role=status]').textContent`), "This is the end.")
	assert.Equal(t, "status", browsertest.EvalInto[string](t, tab, `document.activeElement.role`), "the keyboard's place is kept")
}

func TestScriptKeepsAgesTrue(t *testing.T) {
	tab := visit(t, crowd(), "/")
	browsertest.Until(t, tab, `document.querySelector('.foot').textContent.includes('Asia/Tokyo')`)
	age := func(now string) string {
		return browsertest.EvalInto[string](t, tab, `document.documentElement.dataset.now = '`+now+`', document.dispatchEvent(new Event('visibilitychange')), document.querySelector('time[data-live]').textContent`)
	}
	assert.Equal(t, "just now", age("2026-11-22T14:30:00Z"))
	assert.Equal(t, "5 min ago", age("2026-11-22T14:35:00Z"))
	assert.Equal(t, "2 h ago", age("2026-11-22T16:45:00Z"))
}

func TestScriptTimelineInPlace(t *testing.T) {
	people := crowd()
	tab := visit(t, people, "/persons/"+people.persons[0].ID)
	browsertest.Until(t, tab, `document.querySelector('.foot').textContent.includes('Asia/Tokyo')`)
	assert.Equal(t, "23:29", browsertest.EvalInto[string](t, tab, `document.querySelector('.event > time').textContent`))
	browsertest.Do(t, tab, chromedp.Click("[data-more]"))
	browsertest.Until(t, tab, `!document.querySelector('[data-more]')`)
	assert.Equal(t, 200, browsertest.EvalInto[int](t, tab, `new Set([...document.querySelectorAll('.event')].map((event) => event.dataset.key)).size`))
	assert.True(t, browsertest.EvalInto[bool](t, tab, `(() => { const days = [...document.querySelectorAll('.day')].map((day) => day.dataset.key); return days.length === new Set(days).size && days.join() === days.toSorted().reverse().join(); })()`), "each day once, newest first")
	assert.Zero(t, browsertest.EvalInto[int](t, tab, `[...document.querySelectorAll('.event')].filter((event, i, all) => i && event.querySelector('time').dateTime > all[i - 1].querySelector('time').dateTime).length`), "newest first across the pages")
}

func TestScriptFillsAnEmptyPage(t *testing.T) {
	people := small()
	people.blank = "at.0"
	tab := visit(t, people, "/persons/p1?definition=action")
	browsertest.Do(t, tab, chromedp.Click("[data-more]"))
	browsertest.Until(t, tab, `document.querySelectorAll('.event').length === 1`)
	assert.Zero(t, browsertest.EvalInto[int](t, tab, `document.querySelectorAll('.empty').length`), "it is not empty any more")
}

func TestFitsANarrowScreen(t *testing.T) {
	long := hostile(strings.Repeat("https://shop.example/unbroken", 20))
	long.outcomes = []tracker.Outcome{visitorsCall, leadsCall, refusedBatch}
	for _, target := range []string{"/", "/persons/p1", "/live", "/?query=" + strings.Repeat("w", 150)} {
		tab := visit(t, long, target)
		browsertest.Do(t, tab, chromedp.EmulateViewport(360, 700))
		assert.LessOrEqual(t, browsertest.EvalInto[int](t, tab, `document.documentElement.scrollWidth`), 360, target)
	}
}
