package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// P13: collectors go on counting after a reload, in the new registry.
func TestP13MetricsOutliveReloads(t *testing.T) {
	c := newInstance(t)
	site := c.siteOf(upstream(t, nil)) + "\nhttp://second.localhost:" + strings.Split(c.site, ":")[1] + " {\npeople_tracking\nrespond ok\n}"
	require.NoError(t, c.load("", site))
	assert.Zero(t, c.metric(`people_tracking_requests_total{result="failed"}`), "there before the first one fails")
	before := c.metric(`people_tracking_pages_total{result="injected"}`)
	c.get("/")
	require.NoError(t, c.load("", site))
	c.get("/")
	c.tracks()
	assert.InDelta(t, before+2, c.metric(`people_tracking_pages_total{result="injected"}`), 0)
	assert.InDelta(t, 1, c.metric(`people_tracking_store_open`), 0)
	assert.InDelta(t, 0, c.metric(`people_tracking_store_unavailable`), 0)
	assert.Positive(t, c.metric(`people_tracking_calls_total{method="page",result="ok"}`))
	assert.Positive(t, c.metric(`people_tracking_requests_total{result="ok"}`))
	assert.Positive(t, c.metric(`people_tracking_store_commit_seconds_count`))
}

func (c *instance) metric(name string) float64 {
	c.t.Helper()
	for line := range strings.Lines(c.do(http.MethodGet, "http://"+c.admin+"/metrics", "", "Accept", "text/plain").body) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+" "); found {
			var number float64
			_, err := fmt.Sscan(value, &number)
			require.NoError(c.t, err)
			return number
		}
	}
	require.Failf(c.t, "no such metric", name)
	return 0
}
