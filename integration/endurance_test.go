package integration

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

var navigations = flag.Int("navigations", 200, "how often TestB26NavigationsClosingsAndOfflineSpells goes to another page")

// badNetwork stands between the browser and Caddy and is as bad as the ones out
// there: of the SDK's requests some find a busy server, some answers are lost
// on their way back, and now and then there is no network at all.
type badNetwork struct {
	proxy    *httputil.ReverseProxy
	requests atomic.Int64
	offline  atomic.Bool
	dropped  atomic.Int64
	seen     atomic.Int64 // when the last request came, by the test's own watch
	begun    time.Time
}

func newNetwork(t *testing.T, site string) (*badNetwork, string) {
	target, err := url.Parse(site)
	require.NoError(t, err)
	n := &badNetwork{begun: time.Now(), proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // the origin of the site is the browser's
	}}}
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	return n, server.URL
}

func (n *badNetwork) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		n.proxy.ServeHTTP(w, r)
		return
	}
	// Caddy's clock goes on with the walk: rate limits have to fill up again.
	elapsed := int64(time.Since(n.begun))
	pass(time.Duration(elapsed - n.seen.Swap(elapsed)))
	number := n.requests.Add(1)
	switch {
	case n.offline.Load():
		n.dropped.Add(1)
		panic(http.ErrAbortHandler)
	case number%10 == 3:
		w.WriteHeader(http.StatusServiceUnavailable)
	case number%10 == 7: // carried out, but the page never learns of it
		n.proxy.ServeHTTP(httptest.NewRecorder(), r)
		n.dropped.Add(1)
		panic(http.ErrAbortHandler)
	default:
		n.proxy.ServeHTTP(w, r)
	}
}

// restless are pages that track on their way in and out. What the SDK has
// taken is noted a task later: it has to be recorded or queued from then on.
const restless = `<!doctype html><html><head><title>Shop</title></head><body><script>
	window.liveChat = function () { (liveChat.q = liveChat.q || []).push(arguments) };
	liveChat('init', '` + widgetID + `');
	const sdk = new PeopleTrackingSDK();
	sdk.init('` + trackingKey + `');
	let calls = 0;
	const visit = location.search.slice(1);
	const track = () => {
		const label = visit + '.' + calls++;
		sdk.track('action', { label });
		setTimeout(() => { localStorage['taken ' + label] = 1 });
	};
	if (visit) {
		track();
		track();
		addEventListener('pagehide', () => sdk.track('action', { label: visit + '.leaving' }));
	}
</script></body></html>`

// B26, B35: whatever happens to pages and network, each call that the SDK took
// is recorded or still queued, and none is recorded twice.
func TestB26NavigationsClosingsAndOfflineSpells(t *testing.T) {
	// What is tried is the network: nobody calls that often, and what the limit
	// keeps back might grow beyond what a queue holds.
	const unlimited = "rate_limit {\n device 100000 100000\n address 100000 100000\n}"
	w := start(t, options{app: unlimited, origin: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, restless)
	})})
	net, site := newNetwork(t, w.site)
	profile := browsertest.New(t)
	visits, closings, spells := wander(t, profile, net, site)
	settle(t, profile, site)

	taken := browsertest.EvalInto[[]string](t, profile, `Object.keys(localStorage).filter(k => k.startsWith('taken ')).map(k => k.slice(6))`)
	queued := browsertest.Eval(t, profile, `Object.entries(localStorage).filter(([k]) => k.startsWith('people')).map(([, v]) => v).join()`)
	require.JSONEq(t, `{"success":true,"data":null}`, browsertest.Eval(t, profile, `sdk.chat('started')`))
	recorded := map[string]int{}
	for _, line := range w.story(w.only().ID) {
		if label, found := strings.CutPrefix(line, "action "); found {
			recorded[label]++
		}
	}
	t.Logf("%d navigations, %d closings, %d offline spells; %d requests, %d of them lost; %d calls taken, %d recorded",
		visits, closings, spells, net.requests.Load(), net.dropped.Load(), len(taken), len(recorded))
	require.Greater(t, len(taken), visits/2)
	for label, times := range recorded {
		assert.Equal(t, 1, times, label)
	}
	lost := slices.DeleteFunc(taken, func(label string) bool {
		return recorded[label] > 0 || strings.Contains(queued, label)
	})
	assert.Empty(t, lost)
}

// wander goes from page to page in several tabs, some of which it closes, until
// the walk or the time for it is over, and leaves no tab.
func wander(t *testing.T, profile context.Context, net *badNetwork, site string) (visits, closings, spells int) {
	tabs := []context.Context{browsertest.Tab(t, profile), browsertest.Tab(t, profile), browsertest.Tab(t, profile)}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same walk each time
	const longest = 45 * time.Second      // a slow machine goes less far: tabs live two minutes, settling included
	for begun := time.Now(); visits < *navigations && (time.Since(begun) < longest || *navigations > 200); visits++ {
		i := random.IntN(len(tabs))
		switch {
		case visits%8 == 5:
			require.NoError(t, chromedp.Cancel(tabs[i]))
			tabs[i] = browsertest.Tab(t, profile)
			closings++
		case visits%20 == 10:
			net.offline.Store(true)
			spells++
		case visits%20 == 13:
			net.offline.Store(false)
		}
		browsertest.Do(t, tabs[i], chromedp.Navigate(fmt.Sprintf("%s/?v%d", site, visits)))
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond) // how long somebody stays
		if random.IntN(2) == 0 {
			browsertest.Eval(t, tabs[i], `(track(), null)`)
		}
	}
	net.offline.Store(false)
	for _, tab := range tabs {
		require.NoError(t, chromedp.Cancel(tab))
	}
	return visits, closings, spells
}

// settle opens pages until one has sent all that was left behind.
func settle(t *testing.T, profile context.Context, site string) {
	t.Helper()
	const left = `(async () => { await sdk.page(); await sdk.page(); return Object.keys(localStorage).filter(k => k.startsWith('people') && k.includes('batch-')).length })()`
	for range 15 {
		browsertest.Do(t, profile, chromedp.Navigate(site+"/"))
		if browsertest.EvalInto[int](t, profile, left) == 0 {
			return
		}
	}
}
