package integration

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKilledProcessKeepsEveryAcknowledgedEvent kills the built binary in the
// middle of traffic, several times, and finds every call that was answered.
// PEOPLE_TEST_KILLS says how many times.
func TestKilledProcessKeepsEveryAcknowledgedEvent(t *testing.T) {
	p := newProcess(t, options{})
	p.start()
	lead := p.visitor("anna")
	lead.open()
	lead.startChat()
	id := p.only().ID
	var acknowledged []string
	kills := 4
	if more, err := strconv.Atoi(os.Getenv("PEOPLE_TEST_KILLS")); err == nil {
		kills = more
	}
	for round := range kills {
		labels := p.trafficUntil(lead, round, 1+rand.IntN(80), p.kill)
		require.NotEmpty(t, labels)
		acknowledged = append(acknowledged, labels...)
		p.start()
	}
	found := times(p.story(id))
	for _, label := range acknowledged {
		assert.Equal(t, 1, found["action "+label], label)
	}
	assert.Equal(t, 1, found["personMerged"])
	assert.Equal(t, 1, found["sessionStarted"])
	t.Logf("%d acknowledged events, all there after %d kills", len(acknowledged), kills)
}

// trafficUntil tracks from several tabs at once, kills the process in the
// middle, once that many calls were answered, and returns what was acknowledged.
func (w *world) trafficUntil(lead *visitor, round, answers int, kill func()) (acknowledged []string) {
	var mu sync.Mutex
	var tabs sync.WaitGroup
	enough := make(chan struct{})
	var once sync.Once
	for tab := range 4 {
		tabs.Go(func() {
			v := *lead
			v.name, v.n = fmt.Sprintf("r%dt%d", round, tab), 0
			for n := range 500 {
				label := fmt.Sprintf("round %d tab %d call %d", round, tab, n)
				req := w.batch(v.body(v.call("track", m{"eventId": "action", "properties": m{"label": label}})))
				res, err := v.client.Do(req)
				if err != nil {
					return // killed
				}
				if res.Body.Close() != nil || res.StatusCode != http.StatusOK {
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, label)
				if len(acknowledged) == answers {
					once.Do(func() { close(enough) })
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		w.t.Errorf("%d calls took more than 20 s", answers)
	}
	kill()
	tabs.Wait()
	return acknowledged
}
