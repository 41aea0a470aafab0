package integration

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestB9BackEndReport lets the site's back end say what the page did not see.
func TestB9BackEndReport(t *testing.T) {
	w := start(t, options{})
	v := w.visitor("anna")
	v.open()
	site, err := url.Parse(w.site + "/_people/")
	require.NoError(t, err)
	cookies := v.client.Jar.Cookies(site)
	require.Len(t, cookies, 1)
	body, err := json.Marshal(m{"device": cookies[0].Value, "sid": "chat-7"})
	require.NoError(t, err)
	req, err := http.NewRequest(http.MethodPost, w.console+"/livechat/1/widgets/"+widgetID+"/sessions", strings.NewReader(string(body)))
	require.NoError(t, err)
	req.Header.Set("Authorization", "App "+readingKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	var answer struct{ SID string }
	require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
	require.NoError(t, res.Body.Close())
	assert.Equal(t, http.StatusCreated, res.StatusCode)
	assert.Equal(t, "chat-7", answer.SID)
	v.visit()
	assert.Equal(t, []string{"sessionStarted", "pageView", "personMerged", "pageView"}, w.story(w.only().ID))
	assert.Len(t, v.client.Jar.Cookies(site), 2, "the browser got its session cookie")
}
