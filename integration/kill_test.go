package integration

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// process is the built binary, running the configuration of a world on its own.
type process struct {
	t      *testing.T
	binary string
	config string
	cmd    *exec.Cmd
}

func (p *process) start(site string) {
	p.t.Helper()
	p.cmd = exec.Command(p.binary, "run", "--config", p.config)
	stderr, err := p.cmd.StderrPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, p.cmd.Start())
	go func() { // keeps the pipe from filling
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
		}
	}()
	require.Eventually(p.t, func() bool {
		res, err := http.Get(site)
		if err != nil {
			return false
		}
		return res.Body.Close() == nil && res.StatusCode == http.StatusOK
	}, 30*time.Second, 20*time.Millisecond, "the process answers")
}

// kill ends the process as a crash does: no handler runs, nothing is flushed.
func (p *process) kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
	require.Error(p.t, p.cmd.Wait())
}

// build makes the binary in dir.
func build(t *testing.T, dir string) (binary string) {
	t.Helper()
	binary = filepath.Join(dir, "caddy")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", binary, "../cmd/caddy").CombinedOutput()
	require.NoError(t, err, string(out))
	return binary
}

// TestKilledProcessKeepsEveryAcknowledgedEvent kills the built binary in the
// middle of traffic, several times, and finds every call that was answered.
// PEOPLE_TEST_KILLS says how many times.
func TestKilledProcessKeepsEveryAcknowledgedEvent(t *testing.T) {
	dir := t.TempDir()
	origin := httptest.NewServer(upstream())
	t.Cleanup(origin.Close)
	w := &world{t: t, site: "http://" + freeAddress(t), console: "http://" + freeAddress(t)}
	clock.Store(time.Now().UnixMilli()) // the process lives by the system's clock
	p := &process{t: t, binary: build(t, dir), config: filepath.Join(dir, "Caddyfile")}
	require.NoError(t, os.WriteFile(p.config, fmt.Appendf(nil, `{
	admin off
	persist_config off
	log {
		level ERROR
	}
	people_tracking {
		store badger %s
		api_key %s web:tracking:sdk
		api_key %s people:read
		event action "Action" {
			label string
		}
	}
}
%s {
	people_tracking
	reverse_proxy %s
}
%s {
	people_console
}
`, filepath.Join(dir, "people"), trackingKey, readingKey, w.site, strings.TrimPrefix(origin.URL, "http://"), w.console), 0o600))

	p.start(w.site)
	lead := w.visitor("anna")
	lead.open()
	lead.startChat()
	id := w.only().ID
	var acknowledged []string
	kills := 4
	if more, err := strconv.Atoi(os.Getenv("PEOPLE_TEST_KILLS")); err == nil {
		kills = more
	}
	for round := range kills {
		labels := w.trafficUntil(lead, round, 1+rand.IntN(80), p.kill)
		require.NotEmpty(t, labels)
		acknowledged = append(acknowledged, labels...)
		p.start(w.site)
	}
	found := map[string]int{}
	for _, line := range w.all(id) {
		found[line]++
	}
	for _, label := range acknowledged {
		assert.Equal(t, 1, found["action "+label], label)
	}
	assert.Equal(t, 1, found["personMerged"])
	assert.Equal(t, 1, found["sessionStarted"])
	t.Logf("%d acknowledged events, all there after %d kills", len(acknowledged), kills)
	p.kill()
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
				body := v.body(v.call("track", m{"eventId": "action", "properties": m{"label": label}}))
				req, err := http.NewRequest(http.MethodPost, w.site+"/_people/v1/batch", strings.NewReader(string(body)))
				if err != nil {
					return
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Origin", w.site)
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

// all is a whole timeline in short, read page by page.
func (w *world) all(id string) (lines []string) {
	w.t.Helper()
	for cursor := ""; ; {
		var list struct {
			Events     []timelineEvent
			NextCursor string
		}
		require.Equal(w.t, http.StatusOK, w.get("api/persons/"+id+"/events?limit=200&cursor="+cursor, &list))
		for _, e := range list.Events {
			line := e.DefinitionID
			if label, ok := e.Properties["label"].(string); ok {
				line += " " + label
			}
			lines = append(lines, line)
		}
		if cursor = list.NextCursor; cursor == "" {
			return lines
		}
	}
}
