package console

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// calls are the rows of the live view, newest first.
const calls = `[...document.querySelectorAll('[data-calls] > tr')].map((row) => row.innerText.replaceAll(/\s+/g, ' ').trim()).join('; ')`

// The page sees calls arrive, as the server would have written them, pauses,
// and finds a server again that went away.
func TestB16LiveInABrowser(t *testing.T) {
	people := small()
	people.news = make(chan struct{})
	stopping := make(chan struct{})
	tab := visit(t, people, "/live", func(c *Config) { c.Stopping = stopping })
	browsertest.Until(t, tab, `document.querySelector('[data-state]').textContent === 'Following'`)
	assert.Equal(t, "Live · People", browsertest.EvalInto[string](t, tab, `document.title`))
	people.tell(refusedBatch, visitorsCall)
	people.tell(leadsCall)
	const arrived = "23:30:01 page Recorded B29 p1; 23:30:00 track Refused 2016 SdkTrackError B22; 20 Nov, 23:30:00 batch Refused 2020 PersonStateError, rate limited B38"
	browsertest.Until(t, tab, calls+` === '`+arrived+`'`)
	assert.Zero(t, browsertest.EvalInto[int](t, tab, `document.querySelectorAll('.empty').length`))
	assert.Equal(t, "/people/persons/p1 #B29", browsertest.EvalInto[string](t, tab, `(() => { const [rule, person] = document.querySelectorAll('[data-calls] > tr a'); return person.getAttribute('href') + ' ' + rule.getAttribute('href'); })()`))

	browsertest.Do(t, tab, chromedp.Click("[data-pause]"))
	next := leadsCall
	next.ID = "r-4"
	people.tell(next)
	browsertest.Until(t, tab, `document.querySelector('[data-pause]').textContent === 'Resume, 1 new'`)
	assert.Equal(t, arrived, browsertest.EvalInto[string](t, tab, calls))
	browsertest.Do(t, tab, chromedp.Click("[data-pause]"))
	browsertest.Until(t, tab, `document.querySelectorAll('[data-calls] > tr').length === 4`)

	// From here on every stream ends at once: only coming back brings this call.
	close(stopping)
	people.mu.Lock()
	later := visitorsCall
	later.ID = "r-5"
	people.outcomes = append(people.outcomes, later)
	people.mu.Unlock()
	browsertest.Until(t, tab, `document.querySelectorAll('[data-calls] > tr').length === 5`)
	assert.Equal(t, 5, browsertest.EvalInto[int](t, tab, `new Set([...document.querySelectorAll('[data-calls] > tr')].map((row) => row.dataset.key)).size`), "none twice")

	people.mu.Lock()
	for range maxCalls {
		people.outcomes = append(people.outcomes, tracker.Outcome{ID: "many", Time: testNow, Method: tracker.MethodPage, Result: tracker.Repeated, Rule: "B26"})
	}
	people.mu.Unlock()
	browsertest.Until(t, tab, `document.querySelectorAll('[data-calls] > tr .repeated').length === 200`)
	assert.Equal(t, maxCalls, browsertest.EvalInto[int](t, tab, `document.querySelectorAll('[data-calls] > tr').length`))
}
