package sdk

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stampOf is the epoch that the call of an event was sent with.
func stampOf(s *site, event string) (stamp string) {
	for _, b := range s.received() {
		for _, c := range b.Calls {
			if string(c.Params) == `{"eventId":"`+event+`"}` {
				stamp = "@" + c.Epoch
			}
		}
	}
	return stamp
}

// Nobody is refused because another tab changed the Live Chat session: a page
// that was answered stamps its calls with what any tab has been told. One that
// was not stamps nothing, as what it finds stored may be over.
func TestB8_AnotherTabChangesTheSession(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{}, stub)
	var ended atomic.Bool
	s.onRequest(func(w http.ResponseWriter, b batch, _ int) bool {
		for _, c := range b.Calls {
			if c.Method == "chat" {
				ended.Store(true)
			}
		}
		epoch := "before"
		if ended.Load() {
			epoch = "after"
		}
		answer(w, b, epoch, nil)
		return true
	})
	one := s.tab(t).open("/")
	two := one.sibling().open("/")
	require.JSONEq(t, succeeded, one.eval(start))
	require.JSONEq(t, succeeded, two.eval(start))
	assert.JSONEq(t, succeeded, two.eval(`return sdk.track('both')`))
	assert.JSONEq(t, succeeded, one.eval(`return sdk.chat('ended')`))
	assert.JSONEq(t, succeeded, two.eval(`return sdk.track('later')`))
	assert.Equal(t, "@before", stampOf(s, "both"))
	assert.Equal(t, "@after", stampOf(s, "later"))

	three := one.sibling().open("/")
	require.JSONEq(t, succeeded, three.eval(`window.sdk = new PeopleTrackingSDK(); sdk.init('k'); return sdk.track('fresh')`))
	assert.Equal(t, "@", stampOf(s, "fresh"))
	for _, p := range []*tab{one, two, three} {
		p.clean()
	}
}

// An answer from before the change that arrives after it takes nobody back.
func TestB8_AnAnswerOfBeforeArrivesLate(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{}, stub)
	one := s.tab(t).open("/")
	two := one.sibling().open("/")
	s.onRequest(func(w http.ResponseWriter, b batch, _ int) bool {
		answer(w, b, "before", nil)
		return true
	})
	require.JSONEq(t, succeeded, one.eval(start))
	require.JSONEq(t, succeeded, two.eval(start))

	late := make(chan struct{})
	s.onRequest(func(w http.ResponseWriter, b batch, _ int) bool {
		if string(b.Calls[0].Params) == `{"eventId":"slow"}` {
			<-late
			answer(w, b, "before", nil)
		} else {
			answer(w, b, "after", nil)
		}
		return true
	})
	two.eval(`window.slow = sdk.track('slow')`)
	s.until("the slow call", func([]batch) bool { return stampOf(s, "slow") != "" })
	assert.JSONEq(t, succeeded, one.eval(`return sdk.chat('ended')`))
	// Another tab's storage is there a moment later.
	two.eval(`while (!Object.values(localStorage).some(value => value.endsWith(' after'))) await new Promise(done => setTimeout(done, 10)); return null`)
	two.eval(`window.meanwhile = sdk.track('meanwhile')`)
	close(late)
	assert.JSONEq(t, succeeded, two.eval(`await slow; return meanwhile`))
	assert.JSONEq(t, succeeded, two.eval(`return sdk.track('then')`))
	assert.JSONEq(t, succeeded, one.eval(`return sdk.track('there')`))
	assert.Equal(t, "@before", stampOf(s, "slow"))
	for _, event := range []string{"meanwhile", "then", "there"} {
		assert.Equal(t, "@after", stampOf(s, event), event)
	}
	one.clean()
	two.clean()
}

// A page in a frame is a page of its own, in the same browser.
func TestFrames(t *testing.T) {
	s := newSite(t)
	s.add("/", TagOptions{AutoInit: true, Key: "auto"}, stub)
	s.add("/inner", TagOptions{AutoInit: true, Key: "auto"}, stub)
	p := s.tab(t).open("/")
	s.waitFor("init", "page")
	p.eval(`const f = document.createElement('iframe'); f.src = '/inner'; document.body.append(f)`)
	s.waitFor("init", "page", "init", "page")
	got := s.received()
	assert.Equal(t, s.URL+"/inner", got[len(got)-1].Pages[0].URL)
	assert.Equal(t, s.URL+"/", got[len(got)-1].Pages[0].Referrer)
	assert.Empty(t, got[len(got)-1].Boot, "the frame shares the device")
	assert.NotEqual(t, got[0].Calls[0].ID, got[1].Calls[0].ID)
	p.clean()
}
