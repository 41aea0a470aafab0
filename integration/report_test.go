package integration

import (
	"net/http"
	"net/url"
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
	var answer struct{ SID string }
	assert.Equal(t, http.StatusCreated, w.ask(http.MethodPost, "livechat/1/widgets/"+widgetID+"/sessions", m{"device": cookies[0].Value, "sid": "chat-7"}, &answer))
	assert.Equal(t, "chat-7", answer.SID)
	v.visit()
	assert.Equal(t, []string{"sessionStarted", "pageView", "personMerged", "pageView"}, w.story(w.only().ID))
	assert.Len(t, v.client.Jar.Cookies(site), 2, "the browser got its session cookie")
}
