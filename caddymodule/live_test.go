package caddymodule

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/loopback"
)

// liveStream is a live view that is being read.
type liveStream struct {
	t     *testing.T
	lines *bufio.Scanner
}

func watchLive(t *testing.T, console string, headers ...string) *liveStream {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+console+"/api/events/live", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "App reading")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	s := &liveStream{t, bufio.NewScanner(response.Body)}
	require.Equal(t, "retry: 2000", s.next())
	return s
}

// next is the next event, "" at the end.
func (s *liveStream) next() string {
	s.t.Helper()
	var lines []string
	for s.lines.Scan() && s.lines.Text() != "" {
		lines = append(lines, s.lines.Text())
	}
	return strings.Join(lines, "\n")
}

// Calls of a site arrive in the live view as they are answered, through
// encoders and a proxy, which a reload ends and lets go on.
func TestB16LiveViewThroughCaddy(t *testing.T) {
	c := newInstance(t)
	console, proxy := loopback.Free(t), loopback.Free(t)
	global := "people_tracking {\nstore badger {dir}/people\napi_key tracking web:tracking:sdk\napi_key reading people:read\n%\n}"
	sites := c.siteOf(upstream(t, nil)) + "\nhttp://" + console + " {\nencode\npeople_console\n}\nhttp://" + proxy + " {\nencode\nreverse_proxy " + console + "\n}"
	require.NoError(t, c.load(strings.Replace(global, "%", "", 1), sites))

	far := watchLive(t, proxy, "Accept-Encoding", "gzip, zstd")
	near := watchLive(t, console, "Accept-Encoding", "gzip, zstd")
	both := func(want ...string) (event string) {
		t.Helper()
		for _, s := range []*liveStream{far, near} {
			event = s.next()
			for _, part := range want {
				assert.Contains(t, event, part)
			}
			assert.NotContains(t, event, "shop.example")
			assert.NotContains(t, event, "personId")
		}
		return event
	}
	require.Equal(t, http.StatusOK, c.call("/_people", "tracking").status)
	both(`"method":"init","result":"recorded","rule":"B21"`)
	last := both(`"method":"page","result":"recorded","rule":"B29"`)
	require.Equal(t, http.StatusUnauthorized, c.call("/_people", "guessed").status)
	both(`"method":"batch","result":"refused","reason":"unknown_key","code":2020,"name":"PersonStateError","rule":"B28"`)
	require.Equal(t, http.StatusForbidden, c.call("/_people", "tracking", "Origin", "https://evil.example").status)
	both(`"reason":"foreign_origin","code":2020,"name":"PersonStateError","rule":"B37"`)
	id, _, _ := strings.Cut(strings.TrimPrefix(last, "id: "), "\n")
	again := watchLive(t, console, "Last-Event-ID", id)
	assert.Contains(t, again.next(), "unknown_key")

	require.NoError(t, c.load(strings.Replace(global, "%", "session_timeout 10m", 1), sites))
	for _, s := range []*liveStream{far, near} {
		assert.Empty(t, s.next(), "the configuration it was of has ended")
		require.NoError(t, s.lines.Err())
	}
	require.Equal(t, http.StatusOK, c.call("/_people", "tracking").status)
	goesOn := watchLive(t, proxy, "Last-Event-ID", id)
	assert.Contains(t, goesOn.next(), `"method":"init"`)
	assert.Contains(t, goesOn.next(), `"method":"page","result":"repeated","rule":"B26"`)
}
