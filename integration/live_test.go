package integration

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A process ends in order although somebody watches its live view, for whom
// Caddy's graceful shutdown would wait for ever; the lead that started a chat is
// named in it, and the visitor before is not.
func TestB16LiveViewUntilTheProcessEnds(t *testing.T) {
	p := newProcess(t, options{})
	p.start()
	req, err := http.NewRequest(http.MethodGet, p.console+"/api/events/live", nil)
	require.NoError(t, err)
	p.sign(req)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { res.Body.Close() })
	require.Equal(t, http.StatusOK, res.StatusCode)
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		t.Helper()
		for lines.Scan() {
			if data, found := strings.CutPrefix(lines.Text(), "data: "); found {
				return data
			}
		}
		return ""
	}
	anna := p.visitor("anna")
	anna.open()
	assert.NotContains(t, next()+next(), "personId")
	anna.startChat()
	lead := `"personId":"` + p.only().ID + `"`
	assert.Contains(t, next(), lead)
	anna.track("add-to-favorites")
	told := next()
	assert.Contains(t, told, lead)
	assert.NotContains(t, told, "favorites")

	p.stop()
	assert.Empty(t, next())
	require.NoError(t, lines.Err(), "the answer ends as a whole")
}
