package caddymodule

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// decide posts a consent call and a page view behind it, or, with no decision,
// the page view alone.
func (c *instance) decide(id, decision string, headers ...string) answer {
	c.t.Helper()
	body := fmt.Sprintf(batchBody, autoKey)
	body = strings.NewReplacer(`"t-1"`, `"`+id+`-1"`, `"t-2"`, `"`+id+`-2"`).Replace(body)
	if decision != "" {
		body = strings.Replace(body, `"method":"init","params":{}`, `"method":"consent","params":{"granted":`+decision+`}`, 1)
	}
	headers = append([]string{"Content-Type", "application/json", "Origin", "http://" + c.site, "Sec-Fetch-Site", "same-origin"}, headers...)
	got := c.do(http.MethodPost, "http://"+c.site+"/_people/v1/batch", body, headers...)
	require.Equal(c.t, http.StatusOK, got.status, got.body)
	assert.NotContains(c.t, got.body, `"success":false`)
	return got
}

func cookieOf(got answer) string {
	value, _, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	return value
}

// stored is how many entries the store has, apart from what is configured.
func (c *instance) stored() (n int) {
	c.t.Helper()
	dir := filepath.Join(c.t.TempDir(), "copy")
	require.NoError(c.t, os.CopyFS(dir, os.DirFS(filepath.Join(c.dir, "people"))))
	st, err := badger.Open(dir, badger.Options{})
	require.NoError(c.t, err)
	defer func() { require.NoError(c.t, st.Close()) }()
	checked, err := tracker.Check(c.t.Context(), st, tracker.CheckOptions{}, func(p tracker.Problem) { c.t.Error(p) })
	require.NoError(c.t, err)
	for table, entries := range checked.Entries {
		if !strings.ContainsRune("SaZz", rune(table)) {
			n += int(entries)
		}
	}
	return n
}

func TestB30ConsentRequired(t *testing.T) {
	c := tracked(t, "store badger {dir}/people", "consent required\nsession_cookie chat", nil)
	const chat = "chat=0123456789abcdef0123456789abcdef"
	got := c.decide("a", "", "Cookie", chat)
	assert.Equal(t, 2, strings.Count(got.body, "not_recorded"))
	assert.Empty(t, got.header.Values("Set-Cookie"))
	assert.Zero(t, c.stored(), "nothing is stored before consent")

	got = c.decide("b", "true")
	assert.NotContains(t, got.body, "not_recorded")
	cookie := cookieOf(got)
	require.NotEmpty(t, cookie)
	assert.NotContains(t, c.decide("c", "", "Cookie", cookie).body, "not_recorded", "the browser's cookie tells of its consent")
	assert.NotZero(t, c.stored())

	got = c.decide("d", "false", "Cookie", cookie)
	assert.Equal(t, 1, strings.Count(got.body, "not_recorded"), "what stands behind the withdrawal is not recorded")
	require.Len(t, got.header.Values("Set-Cookie"), 2)
	for _, removed := range got.header.Values("Set-Cookie") {
		assert.Contains(t, removed, "Max-Age=0")
	}
	assert.Equal(t, 2, strings.Count(c.decide("e", "").body, "not_recorded"))
}

func TestB30ConsentCookie(t *testing.T) {
	c := tracked(t, "", "consent required cookie cmp all", nil)
	assert.Contains(t, c.decide("a", "").body, "not_recorded")
	assert.Contains(t, c.decide("b", "", "Cookie", "cmp=necessary").body, "not_recorded")
	got := c.decide("c", "", "Cookie", "cmp=all")
	assert.NotContains(t, got.body, "not_recorded")
	cookie := cookieOf(got)
	assert.NotContains(t, c.decide("d", "", "Cookie", "cmp=all; "+cookie).body, "not_recorded")
	assert.Contains(t, c.decide("e", "", "Cookie", "cmp=necessary; "+cookie).body, "not_recorded")
	assert.Contains(t, c.decide("f", "", "Cookie", cookie).body, "not_recorded", "this browser never consented by a call")
}

func TestB31RespectedHeaders(t *testing.T) {
	for name, test := range map[string]struct{ respect, header, value, count string }{
		"gpc":              {"respect gpc dnt", "Sec-GPC", "1", "2"},
		"dnt":              {"respect gpc dnt", "DNT", "1", "2"},
		"not asked to":     {"", "Sec-GPC", "1", ""},
		"without a header": {"respect gpc dnt", "DNT", "0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := tracked(t, "store badger {dir}/people", test.respect, nil)
			before := c.counted("people_tracking_requests_total", `result="opted_out"`)
			got := c.decide("a", "", test.header, test.value)
			if test.count == "" {
				assert.NotContains(t, got.body, "not_recorded")
				assert.NotEmpty(t, got.header.Get("Set-Cookie"))
				return
			}
			assert.Equal(t, 2, strings.Count(got.body, "not_recorded"))
			assert.Empty(t, got.header.Values("Set-Cookie"))
			assert.Zero(t, c.stored())
			assert.Equal(t, before+1, c.counted("people_tracking_requests_total", `result="opted_out"`))
		})
	}
}

// counted is a counter as Caddy's metrics show it, 0 while it is not there.
func (c *instance) counted(name, label string) (n float64) {
	c.t.Helper()
	for line := range strings.Lines(c.do(http.MethodGet, "http://"+c.admin+"/metrics", "").body) {
		if strings.HasPrefix(line, name+"{") && strings.Contains(line, label) {
			_, err := fmt.Sscan(line[strings.LastIndex(line, " "):], &n)
			require.NoError(c.t, err)
		}
	}
	return n
}
