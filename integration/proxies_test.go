package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// TestTwoProxies runs the built binary twice on one database. The proxies know
// nothing of each other, and live by the system's clock.
func TestTwoProxies(t *testing.T) {
	server := postgrestest.Start(t)
	for name, test := range map[string]func(*testing.T, pair){
		"B17 a visitor of one chats on the other":           testChatOnTheOtherProxy,
		"B19 one person for a subject, nothing lost":        testAuthenticateOnBothProxies,
		"B19 one lead for a chat reported by many tabs":     testChatOnBothProxies,
		"B26 a call repeated at the other is recorded once": testRepeatAtTheOtherProxy,
		"a killed proxy takes nothing along":                testKilledProxy,
	} {
		t.Run(name, func(t *testing.T) { test(t, startPair(t, server.Database(t), "")) })
	}
	t.Run("B11 sessions end once though both sweep", func(t *testing.T) {
		testBothSweep(t, startPair(t, server.Database(t), "session_timeout 1s"))
	})
}

// pair are two proxies on one database.
type pair [2]*process

// startPair starts both at the same time, on a database that is still empty.
func startPair(t *testing.T, dsn, app string) (both pair) {
	t.Helper()
	for i := range both {
		both[i] = newProcess(t, options{store: fmt.Sprintf("postgres %q", dsn), app: app})
	}
	for _, p := range both {
		p.begin()
	}
	for _, p := range both {
		p.program.answers(p.site)
	}
	return both
}

// through makes the visitor's browser reach the site by a proxy, as a load
// balancer does: same site, same cookies.
func (v *visitor) through(p *process) *visitor {
	clock.Store(time.Now().UnixMilli()) // the proxies' clock
	v.world = p.world
	return v
}

// insist sends one call until it is answered, as the SDK does, and says whether
// it succeeded. A proxy that is gone is left for the one behind it in line.
func (v *visitor) insist(c call, by ...*process) (result, bool) {
	for try := range 60 {
		clock.Store(time.Now().UnixMilli())
		body := v.body(c)
		p := by[min(try/20, len(by)-1)]
		res, err := v.client.Do(p.batch(body))
		if err != nil {
			by = by[len(by)-1:] // gone
			continue
		}
		var answer struct{ Results []result }
		err = json.NewDecoder(res.Body).Decode(&answer)
		if res.Body.Close() != nil || err != nil || res.StatusCode == http.StatusServiceUnavailable {
			continue
		}
		if !assert.Equal(v.t, http.StatusOK, res.StatusCode) || !assert.Len(v.t, answer.Results, 1) {
			break
		}
		return answer.Results[0], answer.Results[0].Success
	}
	assert.Fail(v.t, "not answered", "%+v", c)
	return result{}, false
}

// mustInsist is insist for a call that has to succeed.
func (v *visitor) mustInsist(c call, by ...*process) bool {
	r, ok := v.insist(c, by...)
	return assert.True(v.t, ok, "%+v", r.Error)
}

func label(text string) m { return m{"eventId": "action", "properties": m{"label": text}} }

// waited is a call that has been in the queue for a while, so that it was made
// before whatever happens now, however long it is on its way.
func (v *visitor) waited(text string) call {
	c := v.call("track", label(text))
	c.At = now().Add(-8 * time.Second).Format(stampLayout)
	return c
}

func testChatOnTheOtherProxy(t *testing.T, both pair) {
	v := both[0].visitor("anna").through(both[0])
	v.open()
	v.track("looking around")
	assert.Empty(t, both[1].persons())
	v.through(both[1]).startChat()
	v.track("in the chat")
	v.through(both[0]).track("back on the first")
	want := []string{
		"sessionStarted", "pageView", "action looking around", "personMerged", "action in the chat", "action back on the first",
	}
	lead := both[0].only()
	assert.Equal(t, "LEAD", lead.Type)
	for _, p := range both {
		assert.Equal(t, want, p.story(lead.ID))
		assert.Equal(t, lead, p.only())
	}
}

// Many browsers authenticate the same subject at the same moment, by both
// proxies, while each of them goes on tracking.
func testAuthenticateOnBothProxies(t *testing.T, both pair) {
	const rounds, devices, events = 3, 8, 4
	for round := range rounds {
		subject := fmt.Sprintf("person%d@example.com", round)
		visitors := make([]*visitor, devices)
		for i := range visitors {
			visitors[i] = both[i%2].visitor(fmt.Sprintf("r%dv%d", round, i)).through(both[i%2])
			visitors[i].open()
		}
		var all sync.WaitGroup
		start := make(chan struct{})
		for i, v := range visitors {
			login := v.call("chat", m{"state": "authenticated", "widgetId": widgetID, "token": token(t, subject, "")})
			all.Go(func() { <-start; v.mustInsist(login, both[i%2]) })
			for n := range events {
				tab := *v
				tab.name = fmt.Sprintf("%st%d", v.name, n)
				c := tab.waited(fmt.Sprintf("%s event %d", v.name, n))
				all.Go(func() { <-start; tab.mustInsist(c, both[(i+n)%2]) })
			}
		}
		close(start)
		all.Wait()
		var who []person
		for _, p := range both[round%2].persons() {
			if p.Subject == subject {
				who = append(who, p)
			}
		}
		require.Len(t, who, 1, "one person for %s", subject)
		found := times(both[round%2].story(who[0].ID))
		for i := range devices {
			for n := range events {
				line := fmt.Sprintf("action r%dv%d event %d", round, i, n)
				assert.Equal(t, 1, found[line], line)
			}
		}
		assert.Equal(t, devices, found["pageView"])
		assert.Equal(t, devices, found["personMerged"])
	}
	assert.Len(t, both[0].persons(), rounds)
}

// One browser's tabs tell of the same chat at the same moment, by both proxies.
func testChatOnBothProxies(t *testing.T, both pair) {
	const browsers, tabs = 6, 6
	var all sync.WaitGroup
	start := make(chan struct{})
	for b := range browsers {
		v := both[b%2].visitor(fmt.Sprintf("b%d", b)).through(both[b%2])
		v.open()
		for n := range tabs {
			tab := *v
			tab.name = fmt.Sprintf("b%dt%d", b, n)
			chat, track := tab.call("chat", m{"state": "started"}), tab.waited(tab.name)
			all.Go(func() {
				<-start
				tab.insist(chat, both[n%2]) // 2020 where another tab was first (B8)
				tab.mustInsist(track, both[(n+1)%2])
			})
		}
	}
	close(start)
	all.Wait()
	leads := both[0].persons()
	require.Len(t, leads, browsers, "one lead for each browser")
	seen := map[string]int{}
	for i, lead := range leads {
		found := times(both[i%2].story(lead.ID))
		assert.Equal(t, 1, found["personMerged"])
		assert.Equal(t, 1, found["sessionStarted"])
		assert.Equal(t, 1, found["pageView"])
		for line, n := range found {
			seen[line] += n
		}
	}
	for b := range browsers {
		for n := range tabs {
			line := fmt.Sprintf("action b%dt%d", b, n)
			assert.Equal(t, 1, seen[line], line)
		}
	}
}

func testRepeatAtTheOtherProxy(t *testing.T, both pair) {
	v := both[0].visitor("anna").through(both[0])
	v.open()
	v.startChat()
	once := v.call("track", label("once"))
	for i := range 6 {
		v.through(both[i%2])
		for _, r := range v.send(once) {
			assert.True(t, r.Success)
		}
	}
	assert.Equal(t, 1, times(both[1].story(both[1].only().ID))["action once"])
}

// A proxy is killed in the middle of the traffic of both. Browsers send what
// was not answered to the other.
func testKilledProxy(t *testing.T, both pair) {
	const tabs, calls = 6, 25
	lead := both[0].visitor("anna").through(both[0])
	lead.open()
	lead.startChat()
	id := both[0].only().ID
	var all sync.WaitGroup
	halfway := make(chan struct{}, tabs)
	for i := range tabs {
		tab := *lead
		tab.name = fmt.Sprintf("t%d", i)
		all.Go(func() {
			for n := range calls {
				if n == calls/2 {
					halfway <- struct{}{}
				}
				line := both[:]
				if i%2 == 1 {
					line = both[1:]
				}
				if !tab.mustInsist(tab.call("track", label(fmt.Sprintf("%s call %d", tab.name, n))), line...) {
					return
				}
			}
		})
	}
	<-halfway
	both[0].kill()
	all.Wait()
	found := times(both[1].story(id))
	for i := range tabs {
		for n := range calls {
			line := fmt.Sprintf("action t%d call %d", i, n)
			assert.Equal(t, 1, found[line], line)
		}
	}
	assert.Equal(t, 1, found["sessionStarted"])
	assert.Equal(t, 1, found["personMerged"])

	// It comes back to what went on without it.
	both[0].start()
	assert.Equal(t, found, times(both[0].story(id)))
	lead.through(both[0]).track("and again")
	assert.Equal(t, 1, times(both[1].story(id))["action and again"])
}

func testBothSweep(t *testing.T, both pair) {
	const people = 24
	for i := range people {
		v := both[i%2].visitor(fmt.Sprintf("v%d", i)).through(both[i%2])
		v.open()
		v.startChat()
	}
	ended := func() bool {
		for _, lead := range both[0].persons() {
			if times(both[1].story(lead.ID))["sessionEnded"] == 0 {
				return false
			}
		}
		return true
	}
	require.Eventually(t, ended, 20*time.Second, 100*time.Millisecond, "every session ends")
	// A session that begins now ends in a later sweep: those of before had
	// another chance to be ended twice.
	last := both[0].visitor("last").through(both[0])
	last.open()
	last.startChat()
	require.Eventually(t, ended, 20*time.Second, 100*time.Millisecond, "the last session ends")
	leads := both[1].persons()
	require.Len(t, leads, people+1)
	for _, lead := range leads {
		found := times(both[0].story(lead.ID))
		assert.Equal(t, found["sessionStarted"], found["sessionEnded"], lead.ID)
	}
}
