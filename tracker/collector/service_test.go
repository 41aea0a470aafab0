package collector

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store/memory"
	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

var _ Tracker = (*tracker.Service)(nil)

// The endpoint in front of the real tracker, with a browser that keeps cookies
// and one that does not.
func TestFirstVisitWithTheRealTracker(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	definitions, err := schema.New(nil, nil, schema.Options{})
	require.NoError(t, err)
	service, err := tracker.New(st, tracker.Config{
		Accounts: map[string]tracker.AccountConfig{tracker.DefaultAccountName: {Schema: definitions}},
		Now:      func() time.Time { return testTime },
	})
	require.NoError(t, err)
	h, _ := newHandler(t, func(c *Config) { c.Tracker = service })
	send := func(body, cookie string) (answer, []*http.Cookie) {
		r := post(body)
		r.Header.Set("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0")
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		w := serve(h, r)
		require.Equal(t, 200, w.Code, w.Body.String())
		return parse(t, w), w.Result().Cookies()
	}

	first, cookies := send(oneCall, "")
	require.Len(t, first.Results, 1)
	assert.True(t, first.Results[0].Success, "%+v", first.Results[0].Error)
	require.Len(t, cookies, 1)
	assert.Equal(t, "__Secure-people", cookies[0].Name)
	assert.Equal(t, int(tracker.DefaultVisitorTTL.Seconds()), cookies[0].MaxAge)

	later := strings.NewReplacer(`"boot":"0123456789abcdef0123456789abcdef",`, "", "k3v9x2ab-1", "k3v9x2ab-2",
		`"page":0`, `"page":0,"epoch":"`+*first.Epoch+`"`).Replace(oneCall)
	second, renewed := send(later, "__Secure-people="+cookies[0].Value)
	assert.True(t, second.Results[0].Success)
	assert.Equal(t, first.Epoch, second.Epoch, "the same browser")
	require.Len(t, renewed, 1, "activity renews the cookie")
	assert.Equal(t, cookies[0].Value, renewed[0].Value)

	blocked, none := send(strings.Replace(later, "ab-2", "ab-3", 1), "")
	require.NotNil(t, blocked.Results[0].Error, "B25")
	assert.Equal(t, tracker.CodeMissingAuthorization, blocked.Results[0].Error.Code)
	assert.Empty(t, none)
}
