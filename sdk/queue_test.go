package sdk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// B35: 500 calls or 256 KiB may wait. What came first goes first, and says so.
func TestB35_TheQueueIsBounded(t *testing.T) {
	for name, c := range map[string]struct{ calls, text, most int }{
		"calls": {600, 10, 500},
		"bytes": {40, 15000, 17},
	} {
		t.Run("ok/"+name, func(t *testing.T) {
			s := newSite(t)
			s.add("/", TagOptions{}, timers+stub)
			p := s.tab(t).open("/")
			down := true
			s.onRequest(func(w http.ResponseWriter, _ batch, _ int) bool {
				if down {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return down
			})
			var dropped []string
			result := p.eval(fmt.Sprintf(`window.sdk = new PeopleTrackingSDK(); window.first = sdk.init('k'); window.dropped = [];
				for (let i = 0; i < %d; i++) sdk.track('e' + i, { text: 'x'.repeat(%d) }).then(r => r.success || dropped.push(i + ': ' + r.error.message));
				await new Promise(r => setTimeout(r, 100)); return dropped`, c.calls, c.text))
			require.NoError(t, json.Unmarshal([]byte(result), &dropped))
			require.NotEmpty(t, dropped)
			for i, message := range dropped {
				assert.Equal(t, fmt.Sprintf("%d: Error when calling track(). Cause: dropped", i), message)
			}
			left := c.calls - len(dropped)
			assert.LessOrEqual(t, left, c.most)
			assert.GreaterOrEqual(t, left, c.most-2, "init and its view count as well")
			var stored int
			require.NoError(t, json.Unmarshal([]byte(p.eval(`return Object.values(localStorage).reduce((n, v) => n + v.length, 0)`)), &stored))
			assert.Less(t, stored, 600_000)
			down = false
			assert.JSONEq(t, succeeded, p.eval(`fire(500); return first`), "init is not among what is dropped")
			s.until("what was kept", func([]batch) bool {
				return slices.Contains(s.calls(), fmt.Sprintf(`track {"eventId":"e%d","properties":{"text":"%s"}}`, c.calls-1, strings.Repeat("x", c.text)))
			})
		})
	}
}

// The end of a page loses nothing: what is in flight goes on, the rest leaves
// with a beacon, and what neither carried waits for the next page.
func TestPageEnd(t *testing.T) {
	t.Run("ok/calls made while leaving arrive", func(t *testing.T) {
		s := newSite(t)
		s.add("/", TagOptions{AutoInit: true, Key: "auto"}, stub+`<script>window.sdk = new PeopleTrackingSDK(); sdk.init('k');
			addEventListener('pagehide', () => { sdk.track('leaving') })</script>`)
		s.raw("/next", "<!doctype html><title>Next</title>")
		p := s.tab(t).open("/")
		s.waitFor("init", "page")
		p.open("/next")
		s.waitFor("init", "page", `track {"eventId":"leaving"}`)
	})

	t.Run("ok/before the first answer the beacon repeats init", func(t *testing.T) {
		s := newSite(t)
		s.add("/", TagOptions{}, stub)
		s.raw("/next", "<!doctype html><title>Next</title>")
		release := s.hold()
		p := s.tab(t).open("/")
		p.eval(`window.sdk = new PeopleTrackingSDK(); sdk.init('k')`)
		s.waitFor("init", "page")
		p.eval(`sdk.track('x')`)
		p.open("/next")
		s.until("the beacon", func(b []batch) bool { return len(b) >= 2 })
		p.eval(`await new Promise(r => setTimeout(r, 200))`)
		release()
		got := s.received()
		require.Len(t, got, 2, "one beacon, although the end of a page has two events")
		assert.Equal(t, got[0].Boot, got[1].Boot)
		assert.Equal(t, got[0].Calls[0].ID, got[1].Calls[0].ID)
		assert.Equal(t, "init", got[1].Calls[0].Method)
		assert.Equal(t, "track", got[1].Calls[2].Method)
		assert.Contains(t, got[1].media, "text/plain")
	})

	for name, text := range map[string]int{"many": 1, "large": 6000} {
		t.Run("ok/too much for a beacon, "+name, func(t *testing.T) {
			s, p := open(t, "")
			s.raw("/next", "<!doctype html><title>Next</title>")
			release := s.hold()
			p.eval(fmt.Sprintf(`for (let i = 0; i < 20; i++) sdk.track('e' + i, { text: 'x'.repeat(%d) });
				await new Promise(r => setTimeout(r)); for (let i = 20; i < 100 && i < %[1]d + 99; i++) sdk.track('e' + i, { text: 'x'.repeat(%[1]d / 10) })`, text))
			p.open("/next")
			release()
			p.open("/")
			require.JSONEq(t, succeeded, p.eval(start))
			s.until("every call", func([]batch) bool { return strings.Count(strings.Join(s.calls(), "\n"), "track") == 100 })
		})
	}

	t.Run("ok/the next page sends what is left, under the same ids", func(t *testing.T) {
		s := newSite(t)
		s.add("/", TagOptions{}, timers+stub)
		down := true
		s.onRequest(func(w http.ResponseWriter, b batch, _ int) bool {
			if down {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return down
		})
		p := s.tab(t).open("/")
		p.eval(`window.sdk = new PeopleTrackingSDK(); sdk.init('k'); sdk.track('x'); sdk.chat('authenticated', 'secret-token')`)
		s.until("the refused request", func(b []batch) bool { return len(b) >= 1 })
		stored := p.eval(`return JSON.stringify({ ...localStorage })`)
		assert.Contains(t, stored, "track")
		assert.NotContains(t, stored, "secret-token", "a token is never stored")
		refused := s.received()[0].Calls
		down = false
		p.open("/")
		require.JSONEq(t, succeeded, p.eval(start))
		s.until("the adopted calls", func(b []batch) bool {
			ids := map[string]bool{}
			for _, b := range b[1:] {
				for _, c := range b.Calls {
					ids[c.ID] = true
				}
			}
			return ids[refused[0].ID] && ids[refused[1].ID] && ids[refused[2].ID]
		})
		assert.Equal(t, "[]", p.eval(`await new Promise(r => setTimeout(r, 100)); return Object.keys(localStorage).filter(k => k.startsWith('people') && k.includes('-'))`))
	})
}

// entry is the expression of a stored call of a page that is named by its letter.
func entry(page string, number int, at string) string {
	id := fmt.Sprintf("%s-%d", pageNamed(page), number)
	return fmt.Sprintf(`localStorage['people' + location.origin + '/_people/v1/batch-%s'] = JSON.stringify({at: %s, key: 'k', id: 'people' + location.origin + '/_people/v1/batch-%[1]s', size: 200, method: 'track',
		body: '"id":"%[1]s","at":"2026-11-22T10:00:00.000Z","method":"track","params":{"eventId":"%[3]s-%[4]d"}', page: '{"url":"https://shop.example/"}', away: 0});`, id, at, page, number)
}

// pageNamed is as long as the name of a page instance.
func pageNamed(letter string) string { return strings.Repeat(letter, 16) }

func TestQueuesOfOtherTabs(t *testing.T) {
	s, p := open(t, "")
	// A page that is gone, one that lives, one that is gone since yesterday,
	// and things that are no calls.
	p.eval(entry("a", 2, "Date.now()") + entry("a", 10, "Date.now()") + entry("a", 1, "Date.now()") + entry("b", 1, "Date.now() - 25 * 3600e3") + entry("c", 1, "Date.now()") + `
		const prefix = 'people' + location.origin + '/_people/v1/batch-';
		localStorage[prefix + '` + pageNamed("d") + `-1'] = '[{'; localStorage[prefix + '` + pageNamed("e") + `-1'] = 'null'; localStorage.peoplesoft = '[1]';
		await new Promise(held => navigator.locks.request(prefix + '` + pageNamed("c") + `', () => { held(); return new Promise(() => {}) }))`)
	second := p.sibling().open("/")
	require.JSONEq(t, succeeded, second.eval(start))
	s.until("the adopted calls", func(b []batch) bool { return strings.Contains(fmt.Sprint(s.calls()), "a-10") })
	require.JSONEq(t, succeeded, second.eval(`return sdk.track('after')`))
	calls := slices.DeleteFunc(s.calls(), func(call string) bool { return !strings.HasPrefix(call, "track") })
	assert.Equal(t, []string{`track {"eventId":"a-1"}`, `track {"eventId":"a-2"}`, `track {"eventId":"a-10"}`, `track {"eventId":"after"}`}, calls,
		"in the order they were made; nothing outlives 24 hours, and a living page keeps its own")
	assert.Equal(t, `["c"]`, p.eval(`return Object.keys(localStorage).map(k => k.split('-')[1]?.[0]).filter(k => /[abc]/.test(k))`))
	assert.Equal(t, `"[1]"`, p.eval(`return localStorage.peoplesoft`))
	p.clean()
	second.clean()
}

// Another process of the browser shows what was stored a little later, even to
// one that holds a lock: what a page does not see yet it must not remove.
func TestCallThatShowsLate(t *testing.T) {
	s, p := open(t, "")
	s.add("/late", TagOptions{}, stub+`<script>
		const late = key => key.endsWith('`+pageNamed("a")+`-2');
		Object.defineProperty(window, 'localStorage', { value: new Proxy(localStorage, {
			ownKeys: storage => Reflect.ownKeys(storage).filter(key => !late(key)),
			get: (storage, key) => late(key) ? undefined : storage[key],
		}) })</script>`)
	p.eval(entry("a", 1, "Date.now()") + entry("a", 2, "Date.now()"))
	second := p.sibling().open("/late")
	require.JSONEq(t, succeeded, second.eval(start))
	s.until("the call it sees", func([]batch) bool { return strings.Contains(fmt.Sprint(s.calls()), "a-1") })
	require.JSONEq(t, succeeded, second.eval(`return sdk.track('after')`))
	assert.Equal(t, `["2"]`, p.eval(`return Object.keys(localStorage).filter(k => k.includes('-aaaa')).map(k => k.split('-').pop())`))
	second.open("/")
	require.JSONEq(t, succeeded, second.eval(start))
	s.until("the other one", func([]batch) bool { return strings.Contains(fmt.Sprint(s.calls()), "a-2") })
	assert.Len(t, slices.DeleteFunc(s.calls(), func(call string) bool { return !strings.Contains(call, `"a-`) }), 2)
}

// Pages that are left at once, a server that refuses or loses every second
// request: every call arrives, under one id and in the order of its page.
func TestB26_NothingIsLostOrDoubled(t *testing.T) {
	const pages, events = 6, 10
	s := newSite(t)
	s.add("/", TagOptions{}, stub+`<script>window.sdk = new PeopleTrackingSDK(); window.first = sdk.init('k');
		const page = new URLSearchParams(location.search).get('page');
		if (page) for (let i = 0; i < `+fmt.Sprint(events)+`; i++) sdk.track('e', { page, i })</script>`)
	s.onRequest(func(w http.ResponseWriter, _ batch, nth int) bool {
		switch nth % 4 {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		case 3: // done, but the answer is lost
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		return false
	})
	p := s.tab(t)
	for page := range pages {
		p.open(fmt.Sprintf("/?page=%d", page))
	}
	p.open("/")
	tracked := func() (list []string) {
		for _, c := range s.calls() {
			if strings.HasPrefix(c, "track") {
				list = append(list, c)
			}
		}
		return list
	}
	s.until("every call", func([]batch) bool { return len(tracked()) >= pages*events })
	next := map[string]int{}
	for _, c := range tracked() {
		var page string
		var i int
		_, err := fmt.Sscanf(c, `track {"eventId":"e","properties":{"page":"%1s","i":%d}}`, &page, &i)
		require.NoError(t, err, c)
		assert.Equal(t, next[page], i, "in order, each once: page %s", page)
		next[page]++
	}
	assert.Len(t, next, pages)
	// The lock of a page that was left while it asked for it goes with the page,
	// when the browser forgets that: a later page then takes the queue over.
	for later := 0; p.eval(`await first; await sdk.page(); return Object.keys(localStorage).some(k => k.startsWith('people') && k.includes('-'))`) == "true"; later++ {
		require.Less(t, later, 10, "what is answered is stored no more")
		p.open("/")
	}
}

// Without locks, which plain http has not, nobody could take a stored queue
// over: nothing is stored.
func TestWithoutLocks(t *testing.T) {
	s, p := open(t, `<script>Object.defineProperty(navigator, 'locks', { value: undefined })</script>`)
	assert.Equal(t, `["/_people/v1/batch"]`, p.eval(`const pending = sdk.track('x'); await 0; await 0; await 0; const keys = Object.keys(localStorage).map(k => k.replace('people' + location.origin, '')); await pending; return keys`))
	s.waitFor("init", "page", `track {"eventId":"x"}`)
	p.clean()
}

func TestStorageThatIsBlocked(t *testing.T) {
	for name, block := range map[string]string{
		"blocked": `Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })`,
		"full":    `Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }; Object.defineProperty(window, 'localStorage', { value: new Proxy({}, { set() { throw new Error('full') } }) })`,
		"missing": `Object.defineProperty(window, 'localStorage', { value: null })`,
	} {
		t.Run("ok/"+name, func(t *testing.T) {
			s, p := open(t, "<script>"+block+"</script>")
			assert.JSONEq(t, succeeded, p.eval(`return sdk.track('x')`))
			s.waitFor("init", "page", `track {"eventId":"x"}`)
			assert.NotEmpty(t, s.received()[0].Boot)
			assert.Empty(t, s.received()[1].Boot, "memory knows of the answer")
			p.clean()
		})
	}
}
