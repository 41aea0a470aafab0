package integration

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
	"github.com/livechat-people/caddy-people-tracking/integration/loopback"
	"github.com/livechat-people/caddy-people-tracking/integration/specification"
)

// TestTwoBasePathsOnOneOrigin opens pages of two applications of one site, each
// tracked below a prefix of its own: their cookies are apart, and so is what
// the SDK stores.
func TestTwoBasePathsOnOneOrigin(t *testing.T) {
	origin := httptest.NewServer(upstream())
	t.Cleanup(origin.Close)
	site := "http://" + loopback.Free(t)
	handle := func(prefix string) string {
		return "\thandle_path " + prefix + "/* {\n\t\tpeople_tracking\n\t\treverse_proxy " + strings.TrimPrefix(origin.URL, "http://") + "\n\t}\n"
	}
	runHere(t, adapt(t, global("", "store badger "+t.TempDir()+"\n\t\tapi_key "+trackingKey+" web:tracking:sdk")+
		site+" {\n"+handle("/shop")+handle("/blog")+"}\n"))

	page := browsertest.New(t)
	for _, app := range []string{"/shop/", "/blog/", "/shop/", "/blog/"} {
		browsertest.Do(t, page, chromedp.Navigate(site+app))
		answer := browsertest.Eval(t, page, `(window.liveChat = () => {}, liveChat.q = [['init', '`+widgetID+`']],
			document.head.append(document.createElement('i')), new PeopleTrackingSDK().init('`+trackingKey+`'))`)
		assert.JSONEq(t, specification.Success, answer, app)
	}
}
