package caddymodule

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/loopback"
	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// ran is what became of a command.
type ran struct {
	out, told string
	err       error
}

// people runs a command as 'caddy people' does.
func people(t *testing.T, args ...string) ran {
	t.Helper()
	return peopleIn(t.Context(), nil, args...)
}

func peopleIn(ctx context.Context, in []byte, args ...string) ran {
	root := &cobra.Command{Use: "people"}
	addPeopleCommands(root)
	var out, told bytes.Buffer
	root.SetIn(bytes.NewReader(in))
	root.SetOut(&out)
	root.SetErr(&told)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return ran{out.String(), told.String(), err}
}

// livedIn is a directory with a store in which a visitor came by.
func livedIn(t *testing.T) (dir string) {
	t.Helper()
	c := newInstance(t)
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", c.siteOf(upstream(t, nil))))
	c.tracks()
	caddyStop(t)
	return filepath.Join(c.dir, "people")
}

// sumIn is what the store of a flag's value holds.
func sumIn(t *testing.T, value string) store.Sum {
	t.Helper()
	n, err := parseStoreFlag("store", value)
	require.NoError(t, err)
	st, err := n.openRaw(t.Context(), discard)
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	sum, err := store.SumOf(t.Context(), st, nil)
	require.NoError(t, err)
	return sum
}

func backedUp(t *testing.T, dir string) (file string) {
	t.Helper()
	st, err := badger.Open(dir, badger.Options{BallastBytes: -1})
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = store.Backup(t.Context(), st, &out)
	require.NoError(t, err)
	require.NoError(t, st.Close())
	file = filepath.Join(t.TempDir(), "people.backup")
	require.NoError(t, os.WriteFile(file, out.Bytes(), 0o600))
	return file
}

// namesIn are the names in a directory.
func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	held, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range held {
		names = append(names, entry.Name())
	}
	return names
}

func TestRestoreIntoADirectory(t *testing.T) {
	dir := livedIn(t)
	file, want := backedUp(t, dir), sumIn(t, dir)
	above := t.TempDir()
	to := filepath.Join(above, "new", "people")
	got := people(t, "restore", file, "--store", to)
	require.NoError(t, got.err)
	assert.Contains(t, got.told, fmt.Sprintf("restore: %d entries", want.Entries))
	assert.Equal(t, want, sumIn(t, to))
	assert.Equal(t, []string{"people"}, namesIn(t, filepath.Dir(to)), "nothing stands beside it")

	got = people(t, "restore", file, "--store", to)
	require.ErrorContains(t, got.err, "holds something already")
	assert.Equal(t, want, sumIn(t, to))

	empty := filepath.Join(above, "empty")
	require.NoError(t, os.Mkdir(empty, 0o700))
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	got = peopleIn(t.Context(), whole, "restore", "-", "--store", "badger:"+empty)
	require.NoError(t, got.err)
	assert.Equal(t, want, sumIn(t, empty))
}

func TestRestoreLeavesNothingOfABrokenBackup(t *testing.T) {
	file := backedUp(t, livedIn(t))
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	above := t.TempDir()
	for name, broken := range map[string][]byte{"cut": whole[:len(whole)-1], "other file": []byte("something else"), "empty": nil} {
		got := peopleIn(t.Context(), broken, "restore", "-", "--store", filepath.Join(above, "people"))
		require.ErrorIs(t, got.err, store.ErrBackup, name)
		assert.Empty(t, namesIn(t, above), name)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	got := peopleIn(ended, whole, "restore", "-", "--store", filepath.Join(above, "people"))
	require.ErrorIs(t, got.err, context.Canceled)
	assert.Empty(t, namesIn(t, above))
}

// From Badger to PostgreSQL and back the bytes are the same, also after an
// interruption.
func TestMigrateThereAndBack(t *testing.T) {
	dir := livedIn(t)
	want := sumIn(t, dir)
	dsn := postgrestest.Start(t).Database(t)
	t.Setenv("PEOPLE_TEST_STORE", "postgres:"+dsn)
	got := people(t, "migrate", "--from", dir, "--to", "{$PEOPLE_TEST_STORE}")
	require.NoError(t, got.err)
	assert.Contains(t, got.told, fmt.Sprintf("%d entries", want.Entries))
	assert.Contains(t, got.told, fmt.Sprintf("sha256 %x", want.SHA256))
	assert.Equal(t, want, sumIn(t, "{env.PEOPLE_TEST_STORE}"))

	above := t.TempDir()
	back := filepath.Join(above, "people")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	got = peopleIn(ended, nil, "migrate", "--from", "{$PEOPLE_TEST_STORE}", "--to", back)
	require.ErrorIs(t, got.err, context.Canceled)
	got = people(t, "migrate", "--from", "{$PEOPLE_TEST_STORE}", "--to", back)
	require.NoError(t, got.err)
	assert.Equal(t, want, sumIn(t, back))
	assert.Equal(t, []string{"people"}, namesIn(t, above))

	require.NoError(t, people(t, "migrate", "--from", dir, "--to", "{$PEOPLE_TEST_STORE}").err, "nothing is left to do")
	other := livedIn(t)
	got = people(t, "migrate", "--from", other, "--to", "{$PEOPLE_TEST_STORE}")
	require.ErrorIs(t, got.err, store.ErrNotEmpty)
	assert.Equal(t, want, sumIn(t, "{$PEOPLE_TEST_STORE}"), "another's is left as it is")
	require.ErrorContains(t, people(t, "migrate", "--from", dir, "--to", "badger:"+dir).err, "the same store")
	got = people(t, "check", "--store", "{$PEOPLE_TEST_STORE}")
	require.NoError(t, got.err)
	assert.Contains(t, got.told, "check: ok")
}

// A database that Caddy only looked at is empty, and one that holds a part of a
// migration is completed.
func TestMigrateIntoAPreparedDatabase(t *testing.T) {
	dir := livedIn(t)
	want := sumIn(t, dir)
	dsn := "postgres:" + postgrestest.Start(t).Database(t)
	t.Setenv("PEOPLE_TEST_STORE", dsn)
	n, err := parseStoreFlag("to", dsn)
	require.NoError(t, err)
	prepared, err := n.open(discard)
	require.NoError(t, err)
	require.NoError(t, prepared.Close())
	require.EqualValues(t, 1, sumIn(t, dsn).Entries)
	require.NoError(t, people(t, "migrate", "--from", dir, "--to", dsn).err)
	assert.Equal(t, want, sumIn(t, dsn))
	raw, err := n.openRaw(t.Context(), discard)
	require.NoError(t, err)
	require.NoError(t, raw.Update(t.Context(), func(tx store.Tx) error {
		last, err := tx.Scan(store.Range{Reverse: true, Limit: 3, KeysOnly: true})
		for _, e := range last {
			if err := tx.Delete(e.Key); err != nil {
				return err
			}
		}
		return err
	}))
	require.NoError(t, raw.Close())
	require.NoError(t, people(t, "restore", backedUp(t, dir), "--store", dsn).err)
	assert.Equal(t, want, sumIn(t, dsn))
	got := people(t, "purge", "--store", dsn)
	require.NoError(t, got.err)
	assert.Contains(t, got.told, "before")
	assert.Equal(t, want, sumIn(t, dsn))
}

func TestCheckOfADamagedStore(t *testing.T) {
	dir := livedIn(t)
	got := people(t, "check", "--store", dir)
	require.NoError(t, got.err)
	assert.Contains(t, got.told, "check: ok")
	assert.Empty(t, got.out)
	st, err := badger.Open(dir, badger.Options{BallastBytes: -1})
	require.NoError(t, err)
	require.NoError(t, st.Update(t.Context(), func(tx store.Tx) error {
		return tx.Put(append([]byte("P\x00\x01"), bytes.Repeat([]byte{7}, 16)...), []byte{1})
	}))
	require.NoError(t, st.Close())
	root := &cobra.Command{Use: "people"}
	addPeopleCommands(root)
	check, _, err := root.Find([]string{"check"})
	require.NoError(t, err)
	require.NoError(t, check.Flags().Set("store", dir))
	var out bytes.Buffer
	check.SetOut(&out)
	code, err := runCheck(t.Context(), check, nil)
	require.ErrorContains(t, err, "the store has problems: 1")
	assert.Equal(t, exitProblems, code)
	assert.Equal(t, `table 'P', account 1, `+strings.Repeat("07", 16)+": a profile of no known kind (0)\n", out.String())
}

func TestCheckAgainstLifetimes(t *testing.T) {
	dir := livedIn(t)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	config := func(app string) {
		require.NoError(t, os.WriteFile(file, []byte("{\npeople_tracking {\nstore badger "+dir+"\n"+app+"\n}\n}\n"), 0o600))
	}
	config("")
	require.NoError(t, people(t, "check", "--config", file).err)
	require.NoError(t, people(t, "check", "--config", file, "--lifetimes").err)
	config("visitor_ttl 1h")
	require.NoError(t, people(t, "check", "--config", file).err)
	got := people(t, "check", "--config", file, "--lifetimes")
	require.Error(t, got.err)
	assert.Contains(t, got.out, "a visitor that expires at")
	require.ErrorContains(t, people(t, "check", "--store", dir, "--lifetimes").err, "--config")
}

func TestPurgeOfADirectory(t *testing.T) {
	dir := livedIn(t)
	want := sumIn(t, dir)
	got := people(t, "purge", "--store", dir)
	require.NoError(t, got.err)
	assert.Regexp(t, `purge: [0-9.]+ [kM]B before, [0-9.]+ [kM]B after`, got.told)
	assert.Equal(t, want, sumIn(t, dir))
}

// A directory that a process has open is named, with the process.
func TestCommandsOnALockedDirectory(t *testing.T) {
	dir := livedIn(t)
	defer holdStore(t, dir)()
	file := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, args := range [][]string{
		{"check", "--store", dir}, {"purge", "--store", dir}, {"migrate", "--from", dir, "--to", filepath.Join(t.TempDir(), "people")},
	} {
		got := people(t, args...)
		require.ErrorIs(t, got.err, store.ErrLocked, args[0])
		require.ErrorContains(t, got.err, dir, args[0])
		require.ErrorContains(t, got.err, fmt.Sprintf("process %d", os.Getpid()), args[0])
		require.ErrorContains(t, got.err, "stop it first", args[0])
	}
	require.ErrorContains(t, people(t, "restore", file, "--store", dir).err, "holds something already")
}

func TestCommandsAreToldWhatIsWrong(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nowhere")
	t.Setenv("PEOPLE_TEST_UNSET", "")
	for name, c := range map[string]struct {
		args []string
		text string
	}{
		"no store named":     {[]string{"check"}, "name it by --store"},
		"empty variable":     {[]string{"check", "--store", "{$PEOPLE_TEST_UNSET}"}, "is the environment variable set?"},
		"no store there":     {[]string{"check", "--store", missing}, "there is no store in " + missing},
		"nothing to purge":   {[]string{"purge", "--store", missing}, "there is no store in " + missing},
		"nothing to migrate": {[]string{"migrate", "--from", missing, "--to", missing + "2"}, "there is no store in " + missing},
		"no side":            {[]string{"migrate", "--from", missing}, "--to is missing"},
		"no backup":          {[]string{"restore", missing, "--store", missing}, "no such file"},
		"no file named":      {[]string{"restore", "--store", missing}, "which backup? name one file"},
		"two files":          {[]string{"restore", "a", "b", "--store", missing}, "which backup? name one file"},
		"no Caddy there":     {[]string{"backup", "--output", missing, "--address", loopback.Free(t)}, "(--address or --config name another): "},
		"nowhere to":         {[]string{"backup"}, "--output"},
		"no such command":    {[]string{"bake"}, "unknown command"},
		"no such config":     {[]string{"check", "--config", missing}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, people(t, c.args...).err, c.text)
		})
	}
	assert.NoDirExists(t, missing)
}

// No command shows a connection string.
func TestCommandsKeepSecrets(t *testing.T) {
	const secret = "a-password-nobody-may-see"
	for _, dsn := range []string{
		"postgres://people:" + secret + "@127.0.0.1:1/people?sslmode=disable", "postgres:host=127.0.0.1 port=1 user=people password=" + secret + " sslmode=disable",
		"postgres://people:" + secret + "@127.0.0.1:port/people", "postgresql://people:" + secret + "@127.0.0.1:1/people?sslmode=disable",
	} {
		for _, args := range [][]string{{"check", "--store", dsn}, {"purge", "--store", dsn}, {"migrate", "--from", dsn, "--to", t.TempDir()}} {
			got := people(t, args...)
			require.Error(t, got.err)
			assert.NotContains(t, got.err.Error()+got.out+got.told, secret)
		}
	}
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := newProgress(&out, "restore")
	p.now = func() time.Time { return now }
	p.last = now
	p.entries(1, 5)
	assert.Empty(t, out.String(), "too early")
	now = now.Add(everyInLog)
	p.entries(1500, 2_500_000)
	p.entries(1600, 2_600_000)
	p.done()
	assert.Equal(t, "restore: 1500 entries, 2.5 MB\n", out.String())

	out.Reset()
	p.terminal = true
	now = now.Add(everyInLog)
	p.bytes(7)
	p.done()
	assert.Equal(t, "\r\x1b[Krestore: 7 B\r\x1b[K", out.String())
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_234_567: "1.2 MB", 5_000_000_000: "5.0 GB", 7_000_000_000_000_000: "7000.0 TB"} {
		assert.Equal(t, want, size(n))
	}
}
