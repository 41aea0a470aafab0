package sdk

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// timers keeps back what is set for a second or more, and the page's fire()
// runs it: the tests decide when time passes. Shorter ones are the page's own.
const timers = `<script>{ window.late = []; const real = window.setTimeout;
	window.setTimeout = (f, ms, ...a) => ms >= 400 ? late.push({ f, ms }) : real(f, ms, ...a);
	Math.random = () => 0.5;
	window.fire = ms => { for (const l of late.splice(0)) if (l.ms == ms) l.f(); else late.push(l) }; }</script>`

const start = `window.sdk = new PeopleTrackingSDK(); return sdk.init('k')`

// open serves a page with the stub and initialises explicitly.
func open(t *testing.T, head string) (*site, *tab) {
	s := newSite(t)
	s.add("/", TagOptions{}, head+stub)
	p := s.tab(t).open("/")
	require.JSONEq(t, succeeded, p.eval(start))
	s.waitFor("init", "page")
	return s, p
}

func stamps(s *site) (list []string) {
	for _, b := range s.received() {
		for _, c := range b.Calls {
			_, sequence, _ := strings.Cut(c.ID, "-")
			list = append(list, sequence+":"+c.Method+"@"+c.Epoch)
		}
	}
	return list
}

func TestB8_EveryCallCarriesTheEpochItWasMadeUnder(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{}, stub)
	s.onRequest(func(w http.ResponseWriter, b batch, nth int) bool {
		epoch := "before"
		for _, b := range append(s.received()[:nth], b) {
			for _, c := range b.Calls {
				if c.Method == "chat" {
					epoch = "after"
				}
			}
		}
		answer(w, b, epoch, nil)
		return true
	})
	p := s.tab(t).open("/")
	p.eval(start)
	p.eval(`return Promise.all([sdk.track('a'), sdk.chat('started'), sdk.track('b'), sdk.track('c')])`)
	p.eval(`return sdk.track('d')`)
	tab, _, _ := strings.Cut(s.received()[0].Calls[0].ID, "-")
	assert.Equal(t, []string{
		"1:init@", "2:page@", "3:track@before", "4:chat@before",
		"5:track@before+" + tab + "-4", "6:track@before+" + tab + "-4", "7:track@after",
	}, stamps(s))
	p.clean()
}

func TestB8_AChatBeforeAnyAnswer(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{}, stub)
	p := s.tab(t).open("/")
	p.eval(`window.sdk = new PeopleTrackingSDK(); sdk.init('k'); sdk.chat('started'); return sdk.track('a')`)
	tab, _, _ := strings.Cut(s.received()[0].Calls[0].ID, "-")
	assert.Equal(t, []string{"1:init@", "2:page@", "3:chat@", "4:track@+" + tab + "-3"}, stamps(s))
}

func TestB2_BootUntilAnswered(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{AutoInit: true, Key: "auto"}, timers+stub)
	s.onRequest(func(w http.ResponseWriter, _ batch, nth int) bool {
		if nth == 0 { // the answer is lost
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		return false
	})
	p := s.tab(t).open("/")
	s.until("the first request", func(b []batch) bool { return len(b) >= 1 })
	p.eval(`while (!late.some(l => l.ms == 500)) await new Promise(r => setTimeout(r, 5)); fire(500)`)
	s.until("the second request", func(b []batch) bool { return len(b) >= 2 })
	p.eval(`const sdk = new PeopleTrackingSDK(); await sdk.init('auto')`)
	p.open("/")
	s.until("a third page", func(b []batch) bool { return len(b) >= 4 })

	got := s.received()
	assert.Regexp(t, "^[0-9a-f]{32}$", got[0].Boot)
	assert.Equal(t, got[0].Boot, got[1].Boot, "a lost answer leads to the same device")
	assert.Equal(t, got[0].Calls, got[1].Calls, "B26: the same ids and times")
	assert.Empty(t, got[2].Boot)
	assert.Empty(t, got[3].Boot, "the browser remembers that it was answered")
	assert.True(t, got[3].cookie)

	p.eval(`await new PeopleTrackingSDK().init('auto'); localStorage['people' + location.origin + '/_people/v1/batch'] = Date.now() - 61 * 60e3`)
	p.open("/")
	s.until("a page an hour later", func(b []batch) bool { return len(b) >= 6 })
	assert.Regexp(t, "^[0-9a-f]{32}$", s.received()[5].Boot)
	assert.NotEqual(t, got[0].Boot, s.received()[5].Boot, "after an hour it starts over with a fresh one")
}

func TestB2_TabsOpenedTogetherAreOneDevice(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{AutoInit: true, Key: "auto"}, stub)
	release := s.hold()
	first := s.tab(t).open("/")
	s.until("the first tab", func(b []batch) bool { return len(b) >= 1 })
	second := first.sibling().open("/")
	s.until("the second tab", func(b []batch) bool { return len(b) >= 2 })
	release()
	got := s.received()
	assert.Equal(t, got[0].Boot, got[1].Boot)
	assert.NotEqual(t, got[0].Calls[0].ID, got[1].Calls[0].ID)
	first.clean()
	second.clean()
}

func TestB35_BusyServer(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway} {
		t.Run(fmt.Sprintf("ok/%d", status), func(t *testing.T) {
			s, p := open(t, timers)
			s.onRequest(func(w http.ResponseWriter, _ batch, nth int) bool {
				if nth == 1 || nth == 2 {
					w.Header().Set("Retry-After", "7")
					w.WriteHeader(status)
				}
				return nth < 3
			})
			p.eval(`late.length = 0; window.one = sdk.track('one')`)
			s.until("the refused request", func(b []batch) bool { return len(b) >= 2 })
			// Seven seconds as asked, and half of the first second at random.
			assert.Equal(t, "[5000,7500,30000]", p.eval(`while (late.length < 2) await new Promise(r => setTimeout(r, 5)); late.push({ ms: 30000 }); return late.map(l => l.ms).sort((a, b) => a - b)`))
			assert.JSONEq(t, `{"success":false,"error":{"code":2016,"name":"SdkTrackError","origin":"fe-snippet","platform":"fe-snippet",
				"message":"Error when calling track(). Cause: sent again later"}}`, p.eval(`fire(5000); return one`))
			p.eval(`window.two = sdk.track('two')`)
			assert.Len(t, s.received(), 2, "nothing is sent while it waits")
			p.eval(`fire(7500); while (!late.some(l => l.ms == 8000)) await new Promise(r => setTimeout(r, 5)); fire(8000)`)
			assert.JSONEq(t, succeeded, p.eval(`return two`))
			s.waitFor("init", "page", `track {"eventId":"one"}`, `track {"eventId":"two"}`)
			got := s.received()
			assert.Equal(t, got[1].Calls[0], got[3].Calls[0], "B26: the same id, time and stamp")
			assert.Equal(t, "[]", p.eval(`return Object.keys(localStorage).filter(k => k.startsWith('people') && k.includes('-'))`), "what is answered is stored no more")
		})
	}
}

func TestTooLargeBatchesAreHalved(t *testing.T) {
	s, p := open(t, "")
	s.onRequest(func(w http.ResponseWriter, b batch, _ int) bool {
		if len(b.Calls) > 2 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
		return len(b.Calls) > 2
	})
	assert.Equal(t, "[true,true,true,true,true]", p.eval(`return (await Promise.all('abcde'.split('').map(e => sdk.track(e)))).map(r => r.success)`))
	s.onRequest(func(w http.ResponseWriter, b batch, _ int) bool {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	})
	assert.Contains(t, p.eval(`return sdk.track('f')`), "Cause: status 413", "a single call cannot be halved")
}

func TestAnAnswerThatIsNoneIsNotTaken(t *testing.T) {
	s, p := open(t, timers)
	s.onRequest(func(w http.ResponseWriter, _ batch, nth int) bool {
		switch nth {
		case 1:
			_, _ = w.Write([]byte("<!doctype html>Please log in"))
		case 2:
			_, _ = w.Write([]byte(`{"results":{"0":1}}`))
		case 3:
			_, _ = w.Write([]byte(`null`))
		}
		return nth < 4
	})
	p.eval(`window.one = sdk.track('one')`)
	for _, ms := range []string{"500", "1000", "2000"} {
		p.eval(`while (!late.some(l => l.ms == ` + ms + `)) await new Promise(r => setTimeout(r, 5)); fire(` + ms + `)`)
	}
	assert.JSONEq(t, succeeded, p.eval(`return one`))
	p.clean()
}

// A tab never has more than 64 unanswered calls, and no body that a browser
// would not carry beyond the end of a page.
func TestBoundsOfARequest(t *testing.T) {
	s, p := open(t, "")
	const count = 200
	assert.Equal(t, fmt.Sprint(count), p.eval(fmt.Sprintf(`return (await Promise.all([...Array(%d).keys()].map(i => sdk.track('e' + i, { text: 'é'.repeat(i * 5) })))).filter(r => r.success).length`, count)))
	total := 0
	for i, b := range s.received() {
		assert.LessOrEqual(t, len(b.Calls), 64)
		assert.LessOrEqual(t, b.bytes, 65536)
		for _, c := range b.Calls {
			total++
			assert.True(t, strings.HasSuffix(c.ID, fmt.Sprintf("-%d", total)), "in order, each once: batch %d", i)
		}
	}
	assert.Equal(t, count+2, total)
	p.clean()
}
