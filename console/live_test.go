package console

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

var (
	visitorsCall = tracker.Outcome{ID: "r-1", Time: testNow, Method: tracker.MethodTrack, Result: tracker.Refused, Code: 2016, Name: "SdkTrackError", Rule: "B22"}
	leadsCall    = tracker.Outcome{ID: "r-2", Time: testNow.Add(time.Second), Method: tracker.MethodPage, Result: tracker.Recorded, Rule: "B29", PersonID: "p1"}
	refusedBatch = tracker.Outcome{ID: "r-3", Time: testNow.Add(-48 * time.Hour), Method: tracker.MethodBatch, Result: tracker.Refused, Reason: "rate_limited", Code: 2020, Name: "PersonStateError", Rule: "B38"}
)

// watcher is a stream that is being read.
type watcher struct {
	t      *testing.T
	header http.Header
	lines  *bufio.Scanner
	body   interface{ Close() error }
}

// watching serves a console whose streams end with stopping and tick by beat.
func watching(t *testing.T, people People, stopping chan struct{}, beat chan time.Time) *httptest.Server {
	t.Helper()
	site := httptest.NewServer(newConsole(t, people, func(c *Config) {
		c.Stopping = stopping
		c.Every = func(d time.Duration) (<-chan time.Time, func()) {
			assert.Equal(t, keepAlive, d)
			return beat, func() {}
		}
	}))
	t.Cleanup(site.Close)
	return site
}

func watch(t *testing.T, site *httptest.Server, target string, change ...func(*http.Request)) *watcher {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL+target, nil)
	require.NoError(t, err)
	for _, c := range append(change, asReader) {
		c(r)
	}
	answer, err := site.Client().Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { answer.Body.Close() })
	require.Equal(t, http.StatusOK, answer.StatusCode)
	return &watcher{t, answer.Header, bufio.NewScanner(answer.Body), answer.Body}
}

// next is the next event without its empty line, "" at the end of the stream.
func (w *watcher) next() string {
	w.t.Helper()
	var lines []string
	for w.lines.Scan() && w.lines.Text() != "" {
		lines = append(lines, w.lines.Text())
	}
	return strings.Join(lines, "\n")
}

// TestB16LiveStream: the bytes of a visitor's call are these and no others.
func TestB16LiveStream(t *testing.T) {
	people := small()
	people.news, people.outcomes = make(chan struct{}), []tracker.Outcome{visitorsCall}
	stopping, beat := make(chan struct{}), make(chan time.Time)
	w := watch(t, watching(t, people, stopping, beat), "/api/events/live")
	assert.Equal(t, "text/event-stream", w.header.Get("Content-Type"))
	assert.Equal(t, "no-store, no-transform", w.header.Get("Cache-Control"))
	assert.Equal(t, "no", w.header.Get("X-Accel-Buffering"))

	assert.Equal(t, "retry: 2000", w.next())
	assert.Equal(t, "id: r-1\n"+`data: {"id":"r-1","time":"2026-11-22T14:30:00Z","method":"track","result":"refused","code":2016,"name":"SdkTrackError","rule":"B22"}`, w.next())
	people.tell(leadsCall)
	assert.Equal(t, "id: r-2\n"+`data: {"id":"r-2","time":"2026-11-22T14:30:01Z","method":"page","result":"recorded","rule":"B29","personId":"p1"}`, w.next())
	beat <- testNow
	assert.Equal(t, ":", w.next())
	people.missed = 12
	people.tell(refusedBatch)
	assert.Equal(t, "event: missed\n"+`data: {"missed":12}`, w.next())
	assert.Contains(t, w.next(), `"reason":"rate_limited","code":2020,"name":"PersonStateError","rule":"B38"`)

	close(stopping)
	assert.Empty(t, w.next())
	require.NoError(t, w.lines.Err(), "the stream ends as a whole")
	require.Eventually(t, func() bool { return people.watching.Load() == 0 }, 5*time.Second, time.Millisecond)
	assert.Equal(t, account, people.account)
}

func TestB16LiveStreamGoesOn(t *testing.T) {
	people := small()
	people.outcomes = []tracker.Outcome{visitorsCall, leadsCall, refusedBatch}
	stopping := make(chan struct{})
	close(stopping)
	site := watching(t, people, stopping, nil)
	for _, tt := range []struct {
		target, last string
		want         int
	}{
		{"/api/events/live", "", 3},
		{"/api/events/live?after=r-1", "", 2},
		{"/api/events/live", "r-1", 2},
		{"/api/events/live?after=r-1", "r-2", 1},
		{"/api/events/live?after=another-process-1", "", 3},
	} {
		w := watch(t, site, tt.target, with("Last-Event-ID", tt.last))
		w.next() // retry
		var got int
		for w.next() != "" {
			got++
		}
		assert.Equal(t, tt.want, got, tt)
	}
	console := newConsole(t, people)
	assert.Equal(t, 400, ask(console, http.MethodGet, "/api/events/live?after="+strings.Repeat("9", 65), asReader).Code)
	assert.Empty(t, ask(console, http.MethodHead, "/api/events/live", asReader).Body.String())
	people.watchErr = tracker.ErrTooManyWatchers
	refused := ask(console, http.MethodGet, "/api/events/live", asReader)
	assert.Equal(t, []any{503, "busy", "5"}, []any{refused.Code, errorCode(t, refused), refused.Header().Get("Retry-After")})
}

// A stream ends with its watcher, and by itself after a while: who comes back
// has to show again that it may watch.
func TestLiveStreamEnds(t *testing.T) {
	people := small()
	people.news = make(chan struct{})
	beat := make(chan time.Time)
	site := watching(t, people, nil, beat)
	gone := watch(t, site, "/api/events/live")
	gone.next()
	assert.Equal(t, int32(1), people.watching.Load())
	require.NoError(t, gone.body.Close())
	require.Eventually(t, func() bool { return people.watching.Load() == 0 }, 5*time.Second, time.Millisecond)

	w := watch(t, site, "/api/events/live")
	w.next()
	for range maxBeats - 1 {
		beat <- testNow
		require.Equal(t, ":", w.next())
	}
	beat <- testNow
	assert.Empty(t, w.next())
	require.NoError(t, w.lines.Err())
}

// broken is a connection that takes nothing.
type broken struct{ *httptest.ResponseRecorder }

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestLiveStreamToNobody(t *testing.T) {
	people := small()
	r := httptest.NewRequest(http.MethodGet, "/api/events/live", nil)
	asReader(r)
	newConsole(t, people, func(c *Config) { c.Stopping = nil }).ServeHTTP(broken{httptest.NewRecorder()}, r)
	assert.Zero(t, people.watching.Load(), "it returns at all")
}

func TestB16LivePage(t *testing.T) {
	people := small()
	people.outcomes = []tracker.Outcome{refusedBatch, visitorsCall, leadsCall}
	document := parse(t, ask(newConsole(t, people), http.MethodGet, "/live", asOperator, inBrowser))
	var rows []string
	for _, row := range elements(document, func(n *htmlNode) bool { return n.Data == "tr" && attribute(n, "data-key") != "" }) {
		rows = append(rows, text(row))
	}
	assert.Equal(t, []string{
		"14:30:01 page Recorded B29 p1",
		"14:30:00 track Refused 2016 SdkTrackError B22",
		"20 Nov, 14:30:00 batch Refused 2020 PersonStateError, rate limited B38",
	}, rows)
	links := elements(document, func(n *htmlNode) bool { return attribute(n, "href") == "/people/persons/p1" })
	assert.Len(t, links, 1)
	table := elements(document, func(n *htmlNode) bool { return attribute(n, "data-calls") != "" })
	require.Len(t, table, 1)
	assert.Equal(t, "/people/api/events/live r-2 200", attribute(table[0], "data-calls")+" "+attribute(table[0], "data-after")+" "+attribute(table[0], "data-most"))

	for range 300 {
		people.outcomes = append(people.outcomes, visitorsCall)
	}
	document = parse(t, ask(newConsole(t, people), http.MethodGet, "/live", asOperator, inBrowser))
	assert.Len(t, elements(document, func(n *htmlNode) bool { return attribute(n, "data-key") != "" }), maxCalls)

	empty := parse(t, ask(newConsole(t, small()), http.MethodGet, "/live", asOperator, inBrowser))
	assert.Contains(t, text(empty), "No calls yet")
	assert.Equal(t, 400, ask(newConsole(t, people), http.MethodGet, "/live?x=1", asOperator).Code)
}

// Every rule that a call is told by is explained on the page, and the
// description knows everything that an outcome says.
func TestLiveRulesAndDescription(t *testing.T) {
	described := describe(t)
	for _, o := range []tracker.Outcome{visitorsCall, leadsCall, refusedBatch} {
		raw, err := json.Marshal(o)
		require.NoError(t, err)
		var value any
		require.NoError(t, json.Unmarshal(raw, &value))
		assert.Empty(t, described.check(described.Components.Schemas["Outcome"], value, ""))
	}
	var told, explained []string
	for _, file := range []string{"../tracker/rule.go", "../tracker/collector/observe.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range regexp.MustCompile(`"(B\d+)"`).FindAllSubmatch(source, -1) {
			if rule := string(match[1]); !slices.Contains(told, rule) {
				told = append(told, rule)
			}
		}
	}
	require.NotEmpty(t, told)
	document := parse(t, ask(newConsole(t, small()), http.MethodGet, "/live", asOperator))
	for _, n := range elements(document, func(n *htmlNode) bool { return strings.HasPrefix(attribute(n, "id"), "B") }) {
		explained = append(explained, attribute(n, "id"))
	}
	assert.ElementsMatch(t, told, explained)
}
