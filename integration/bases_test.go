package integration

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

// TestTwoBasePathsOnOneOrigin opens pages of two applications of one site, each
// tracked below a prefix of its own: their cookies are apart, and so is what
// the SDK stores.
func TestTwoBasePathsOnOneOrigin(t *testing.T) {
	origin := httptest.NewServer(upstream())
	t.Cleanup(origin.Close)
	site := "http://" + freeAddress(t)
	handle := func(prefix string) string {
		return "\thandle_path " + prefix + "/* {\n\t\tpeople_tracking\n\t\treverse_proxy " + strings.TrimPrefix(origin.URL, "http://") + "\n\t}\n"
	}
	config := adapt(t, "{\n\tadmin off\n\tpersist_config off\n\tlog {\n\t\tlevel ERROR\n\t}\n\tpeople_tracking {\n\t\tstore badger "+t.TempDir()+
		"\n\t\tapi_key "+trackingKey+" web:tracking:sdk\n\t}\n}\n"+site+" {\n"+handle("/shop")+handle("/blog")+"}\n")
	require.NoError(t, caddy.Load(config, true))
	t.Cleanup(func() { require.NoError(t, caddy.Stop()) })

	page := browsertest.New(t)
	for _, app := range []string{"/shop/", "/blog/", "/shop/", "/blog/"} {
		require.NoError(t, chromedp.Do(page, chromedp.Navigate(site+app)))
		answer := browsertest.Eval(t, page, `(window.liveChat = () => {}, liveChat.q = [['init', '`+widgetID+`']],
			document.head.append(document.createElement('i')), new PeopleTrackingSDK().init('`+trackingKey+`'))`)
		assert.JSONEq(t, exampleSuccess, answer, app)
	}
}
