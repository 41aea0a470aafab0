package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// operator runs the built binary's commands on the stores of a world.
type operator struct {
	p *process
	*world
	admin string
	tail  string // of the configuration, behind the store
}

func newOperator(t *testing.T) *operator {
	dir := t.TempDir()
	origin := httptest.NewServer(upstream())
	t.Cleanup(origin.Close)
	o := &operator{
		p:     &process{t: t, binary: build(t, dir), config: filepath.Join(dir, "Caddyfile")},
		world: &world{t: t, dir: dir, site: "http://" + freeAddress(t), console: "http://" + freeAddress(t)},
		admin: freeAddress(t),
	}
	o.tail = fmt.Sprintf(`
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
`, trackingKey, readingKey, o.site, strings.TrimPrefix(origin.URL, "http://"), o.console)
	clock.Store(time.Now().UnixMilli()) // the process lives by the system's clock
	return o
}

// configure writes the configuration with a store.
func (o *operator) configure(engine, at string) {
	o.t.Helper()
	head := fmt.Sprintf("{\n\tadmin %s\n\tpersist_config off\n\tlog {\n\t\tlevel ERROR\n\t}\n\tpeople_tracking {\n\t\tstore %s %s", o.admin, engine, at)
	require.NoError(o.t, os.WriteFile(o.p.config, []byte(head+o.tail), 0o600))
}

// people runs 'caddy people' and returns its exit code and what it said.
func (o *operator) people(args ...string) (code int, said string) {
	o.t.Helper()
	cmd := exec.CommandContext(context.Background(), o.p.binary, append([]string{"people"}, args...)...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(out)
	}
	require.NoError(o.t, err)
	return 0, string(out)
}

func (o *operator) done(args ...string) (said string) {
	o.t.Helper()
	code, said := o.people(args...)
	require.Zero(o.t, code, said)
	return said
}

// whole is a person's timeline with all that the API says of each event.
func (o *operator) whole(id string) (events []json.RawMessage) {
	o.t.Helper()
	for cursor := ""; ; {
		var list struct {
			Events     []json.RawMessage
			NextCursor string
		}
		require.Equal(o.t, http.StatusOK, o.get("api/persons/"+id+"/events?limit=200&cursor="+cursor, &list))
		events = append(events, list.Events...)
		if cursor = list.NextCursor; cursor == "" {
			return events
		}
	}
}

// running starts Caddy on a store, and ends it in order.
func (o *operator) running(engine, at string, while func()) {
	o.t.Helper()
	o.configure(engine, at)
	o.p.start(o.site)
	while()
	require.NoError(o.t, o.p.cmd.Process.Signal(os.Interrupt))
	_ = o.p.cmd.Wait() // its exit code is Caddy's affair
}

// TestBackupOfATrackingCaddyAndBack takes a backup while calls come in, kills
// the process, and finds every call that was answered before it in a Badger and
// a PostgreSQL store restored from it, and the same timelines everywhere.
func TestBackupOfATrackingCaddyAndBack(t *testing.T) {
	o := newOperator(t)
	file := filepath.Join(o.dir, "people.backup")
	o.configure("badger", filepath.Join(o.dir, "people"))
	o.p.start(o.site)
	lead := o.visitor("anna")
	lead.open()
	lead.startChat()
	id := o.only().ID
	const before = 60
	labels := o.trafficUntil(lead, 0, before, func() {
		t.Log(o.done("backup", "--config", o.p.config, "--output", file))
		code, said := o.people("check", "--config", o.p.config)
		assert.Equal(t, 1, code)
		assert.Contains(t, said, "process "+strconv.Itoa(o.p.cmd.Process.Pid), "who holds the directory")
		o.p.kill()
	})
	require.Greater(t, len(labels), before, "calls went on meanwhile")

	t.Setenv("PEOPLE_TEST_STORE", postgrestest.Start(t).Database(t))
	restored := filepath.Join(o.dir, "restored")
	o.done("restore", file, "--store", restored)
	o.done("restore", file, "--store", "postgres:{$PEOPLE_TEST_STORE}")
	for _, of := range []string{restored, "postgres:{env.PEOPLE_TEST_STORE}"} {
		assert.Contains(t, o.done("check", "--store", of), "check: ok")
	}
	var fromBadger, fromPostgres []json.RawMessage
	o.running("badger", restored, func() {
		fromBadger = o.whole(id)
		found := map[string]int{}
		for _, line := range o.all(id) {
			found[line]++
		}
		for _, label := range labels[:before] {
			assert.Equal(t, 1, found["action "+label], label)
		}
		assert.Equal(t, 1, found["personMerged"])
		assert.Equal(t, 1, found["sessionStarted"])
		t.Logf("%d calls were answered, %d before the backup, which has %d events", len(labels), before, len(fromBadger))
	})
	o.running("postgres", "{env.PEOPLE_TEST_STORE}", func() { fromPostgres = o.whole(id) })
	assert.Equal(t, fromBadger, fromPostgres)
}

// TestMigrateBetweenEngines moves a store to PostgreSQL and back by the binary:
// the bytes are the same, and so is what the API says.
func TestMigrateBetweenEngines(t *testing.T) {
	o := newOperator(t)
	first, second := filepath.Join(o.dir, "people"), filepath.Join(o.dir, "again")
	t.Setenv("PEOPLE_TEST_STORE", "postgres:"+postgrestest.Start(t).Database(t))
	var id string
	var events []json.RawMessage
	o.running("badger", first, func() {
		lead := o.visitor("anna")
		lead.open()
		lead.startChat()
		for n := range 20 {
			lead.track("call " + strconv.Itoa(n))
		}
		id = o.only().ID
		events = o.whole(id)
		require.Greater(t, len(events), 20)
	})
	hash := regexp.MustCompile(`sha256 [0-9a-f]{64}`)
	there := hash.FindString(o.done("migrate", "--config", o.p.config, "--to", "{$PEOPLE_TEST_STORE}"))
	back := hash.FindString(o.done("migrate", "--from", "{$PEOPLE_TEST_STORE}", "--to", second))
	require.NotEmpty(t, there)
	assert.Equal(t, there, back)
	assert.Contains(t, o.done("purge", "--store", second), "before")
	assert.Contains(t, o.done("check", "--store", second), "check: ok")
	o.running("badger", second, func() { assert.Equal(t, events, o.whole(id)) })
}

// TestExitCodes: what a script goes by.
func TestExitCodes(t *testing.T) {
	o := newOperator(t)
	dir := filepath.Join(o.dir, "people")
	o.running("badger", dir, func() { o.visitor("anna").open() })
	code, said := o.people("check", "--store", dir)
	assert.Zero(t, code, said)
	code, said = o.people("check", "--store", dir+"s")
	assert.Equal(t, 1, code, said)
	code, said = o.people("backup", "--config", o.p.config, "--output", filepath.Join(o.dir, "b"))
	assert.Equal(t, 1, code, "no Caddy answers: "+said)
	assert.NoFileExists(t, filepath.Join(o.dir, "b"))

	st, err := badger.Open(dir, badger.Options{})
	require.NoError(t, err)
	require.NoError(t, st.Update(t.Context(), func(tx store.Tx) error {
		return tx.Put(append([]byte("P\x00\x01"), bytes.Repeat([]byte{7}, 16)...), []byte{1})
	}))
	require.NoError(t, st.Close())
	code, said = o.people("check", "--store", dir)
	assert.Equal(t, 2, code)
	assert.Contains(t, said, "a profile of no known kind")
}
