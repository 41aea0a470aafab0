package integration

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/loopback"
	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// whole is a person's timeline with all that the API says of each event.
func (w *world) whole(id string) []json.RawMessage {
	w.t.Helper()
	return eventsAs[json.RawMessage](w, id)
}

// TestBackupOfATrackingCaddyAndBack takes a backup while calls come in, kills
// the process, and finds every call that was answered before it in a Badger and
// a PostgreSQL store restored from it, and the same timelines everywhere.
func TestBackupOfATrackingCaddyAndBack(t *testing.T) {
	o := newProcess(t, options{admin: loopback.Free(t)})
	file := filepath.Join(o.dir, "people.backup")
	o.start()
	lead := o.visitor("anna")
	lead.open()
	lead.startChat()
	id := o.only().ID
	const before = 60
	labels := o.trafficUntil(lead, 0, before, func() {
		t.Log(o.done("backup", "--config", o.file, "--output", file))
		code, said := o.people("check", "--config", o.file)
		assert.Equal(t, 1, code)
		assert.Contains(t, said, "process "+strconv.Itoa(o.program.cmd.Process.Pid), "who holds the directory")
		o.kill()
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
	o.running("badger "+restored, func() {
		fromBadger = o.whole(id)
		found := times(o.story(id))
		for _, label := range labels[:before] {
			assert.Equal(t, 1, found["action "+label], label)
		}
		assert.Equal(t, 1, found["personMerged"])
		assert.Equal(t, 1, found["sessionStarted"])
		t.Logf("%d calls were answered, %d before the backup, which has %d events", len(labels), before, len(fromBadger))
	})
	o.running("postgres {env.PEOPLE_TEST_STORE}", func() { fromPostgres = o.whole(id) })
	assert.Equal(t, fromBadger, fromPostgres)
}

// TestMigrateBetweenEngines moves a store to PostgreSQL and back by the binary:
// the bytes are the same, and so is what the API says.
func TestMigrateBetweenEngines(t *testing.T) {
	o := newProcess(t, options{admin: loopback.Free(t)})
	first, second := filepath.Join(o.dir, "people"), filepath.Join(o.dir, "again")
	t.Setenv("PEOPLE_TEST_STORE", "postgres:"+postgrestest.Start(t).Database(t))
	var id string
	var events []json.RawMessage
	o.running("badger "+first, func() {
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
	there := hash.FindString(o.done("migrate", "--config", o.file, "--to", "{$PEOPLE_TEST_STORE}"))
	back := hash.FindString(o.done("migrate", "--from", "{$PEOPLE_TEST_STORE}", "--to", second))
	require.NotEmpty(t, there)
	assert.Equal(t, there, back)
	assert.Contains(t, o.done("purge", "--store", second), "before")
	assert.Contains(t, o.done("check", "--store", second), "check: ok")
	o.running("badger "+second, func() { assert.Equal(t, events, o.whole(id)) })
}

// TestExitCodes: what a script goes by.
func TestExitCodes(t *testing.T) {
	o := newProcess(t, options{admin: loopback.Free(t)})
	dir := filepath.Join(o.dir, "people")
	o.running("badger "+dir, func() { o.visitor("anna").open() })
	code, said := o.people("check", "--store", dir)
	assert.Zero(t, code, said)
	code, said = o.people("check", "--store", dir+"s")
	assert.Equal(t, 1, code, said)
	code, said = o.people("backup", "--config", o.file, "--output", filepath.Join(o.dir, "b"))
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
