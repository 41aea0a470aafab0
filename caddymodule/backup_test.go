package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
)

func caddyStop(t *testing.T) {
	t.Helper()
	require.NoError(t, caddy.Stop())
}

// running is a Caddy whose store holds something.
func running(t *testing.T) *instance {
	c := newInstance(t)
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", c.siteOf(upstream(t, nil))))
	c.tracks()
	return c
}

func TestBackupOfARunningCaddy(t *testing.T) {
	c := running(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "people.backup")
	got := people(t, "backup", "--address", c.admin, "--output", file)
	require.NoError(t, got.err)
	assert.Contains(t, got.told, "backup: whole")
	assert.Equal(t, []string{"people.backup"}, namesIn(t, dir), "nothing is left over")
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	before, err := os.ReadFile(file)
	require.NoError(t, err)

	got = people(t, "backup", "--address", c.admin, "--output", file)
	require.ErrorIs(t, got.err, fs.ErrExist)
	now, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, before, now)
	c.tracks()
	require.NoError(t, people(t, "backup", "--address", c.admin, "--output", file, "--force").err)
	now, err = os.ReadFile(file)
	require.NoError(t, err)

	out := people(t, "backup", "--address", c.admin, "--output", "-")
	require.NoError(t, out.err)
	assert.Equal(t, string(now), out.out)

	config := filepath.Join(dir, "Caddyfile")
	require.NoError(t, os.WriteFile(config, []byte("{\nadmin "+c.admin+"\n}\n"), 0o600))
	require.NoError(t, people(t, "backup", "--config", config, "--output", filepath.Join(dir, "second")).err)
	caddyStop(t)
	sum := sumIn(t, filepath.Join(c.dir, "people"))
	of, err := store.VerifyBackup(t.Context(), bytes.NewReader(now))
	require.NoError(t, err)
	assert.Equal(t, sum, of)
}

func TestBackupOverTheAdminEndpoint(t *testing.T) {
	c := running(t)
	backup := "http://" + c.admin + backupPath
	got := c.do(http.MethodGet, backup, "")
	assert.Equal(t, http.StatusOK, got.status)
	assert.Equal(t, "application/octet-stream", got.header.Get("Content-Type"))
	assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
	assert.Equal(t, http.StatusMethodNotAllowed, c.do(http.MethodPost, backup, "").status)
	assert.NotEqual(t, http.StatusOK, c.do(http.MethodGet, backup, "", "Origin", "http://elsewhere.example", "Sec-Fetch-Mode", "cors").status, "no other site may have it")
	assert.NotEqual(t, http.StatusOK, c.do(http.MethodGet, backup, "", "Sec-Fetch-Mode", "no-cors").status)

	require.NoError(t, caddy.Load([]byte(`{"admin":{"listen":"`+c.admin+`","config":{"persist":false}}}`), true))
	got = c.do(http.MethodGet, backup, "")
	assert.Equal(t, http.StatusServiceUnavailable, got.status)
	assert.Contains(t, got.body, "not configured")
	require.ErrorContains(t, people(t, "backup", "--address", c.admin, "--output", filepath.Join(c.dir, "b")).err, "not configured")
	assert.NoFileExists(t, filepath.Join(c.dir, "b"))
}

func TestBackupsAtATime(t *testing.T) {
	c := running(t)
	for range mostBackups {
		backups <- struct{}{}
	}
	got := c.do(http.MethodGet, "http://"+c.admin+backupPath, "")
	for range mostBackups {
		<-backups
	}
	assert.Equal(t, http.StatusTooManyRequests, got.status)
	assert.NotEmpty(t, got.header.Get("Retry-After"))
	assert.Equal(t, http.StatusOK, c.do(http.MethodGet, "http://"+c.admin+backupPath, "").status)
	assert.Empty(t, backups, "each one gives its place back")
}

// fill puts so much into the store of a running Caddy that a client which does
// not read holds its backup up.
func fill(t *testing.T, c *instance) {
	t.Helper()
	dir := filepath.Join(c.dir, "people")
	caddyStop(t)
	st, err := badger.Open(dir, badger.Options{BallastBytes: -1})
	require.NoError(t, err)
	for i := range 600 {
		require.NoError(t, st.Update(t.Context(), func(tx store.Tx) error {
			return tx.Put([]byte{'!', byte(i >> 8), byte(i)}, bytes.Repeat([]byte{1}, store.MaxValueBytes))
		}))
	}
	require.NoError(t, st.Close())
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", c.siteOf(upstream(t, nil))))
}

// begun asks for a backup and reads as little of it as shows that it has begun.
func begun(t *testing.T, c *instance) (whole io.Reader) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.admin+backupPath, nil)
	require.NoError(t, err)
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	first := make([]byte, 1)
	_, err = io.ReadFull(response.Body, first)
	require.NoError(t, err)
	return io.MultiReader(bytes.NewReader(first), response.Body)
}

// A client that stopped reading holds up neither a reload that closes the store
// nor the end of the process; and what it got is not taken for a backup.
func TestBackupDoesNotHoldUpTheEndOfTheStore(t *testing.T) {
	c := running(t)
	fill(t, c)
	stream := begun(t, c)

	reloaded := make(chan error, 1)
	go func() {
		reloaded <- caddy.Load(c.adapt("people_tracking {\nstore badger {dir}/other\n}", ""), true)
	}()
	select {
	case err := <-reloaded:
		require.NoError(t, err)
	case <-time.After(stalled / 2):
		require.Fail(t, "the reload waits for the backup")
	}
	_, err := store.VerifyBackup(t.Context(), stream)
	require.ErrorIs(t, err, store.ErrBackup)
	require.Eventually(t, func() bool { return len(backups) == 0 }, 10*time.Second, 10*time.Millisecond)
}

// A backup goes on while a configuration with the same store takes over.
func TestBackupOutlivesAReload(t *testing.T) {
	c := running(t)
	fill(t, c)
	stream := begun(t, c)
	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\nsession_timeout 10m\n}", c.siteOf(upstream(t, nil))))
	_, err := store.VerifyBackup(t.Context(), stream)
	require.NoError(t, err)
}

// Whatever happens on the way, no file appears that is no backup.
func TestBackupFilesAreWhole(t *testing.T) {
	var whole bytes.Buffer
	st, err := badger.Open(filepath.Join(t.TempDir(), "people"), badger.Options{BallastBytes: -1})
	require.NoError(t, err)
	require.NoError(t, st.Update(t.Context(), func(tx store.Tx) error { return tx.Put([]byte("k"), []byte("v")) }))
	_, err = store.Backup(t.Context(), st, &whole)
	require.NoError(t, err)
	require.NoError(t, st.Close())
	dir := t.TempDir()
	file := filepath.Join(dir, "people.backup")
	gone := errors.New("gone")
	for name, in := range map[string]io.Reader{
		"cut":     bytes.NewReader(whole.Bytes()[:whole.Len()-1]),
		"broken":  io.MultiReader(strings.NewReader("people-kv"), failingReader{gone}),
		"flipped": bytes.NewReader(append([]byte("Q"), whole.Bytes()[1:]...)),
	} {
		_, err := saveBackup(t.Context(), in, file, false)
		require.Error(t, err, name)
		assert.Empty(t, namesIn(t, dir), name)
	}
	ended, cancel := context.WithCancel(t.Context())
	_, err = saveBackup(ended, bytes.NewReader(whole.Bytes()), file, false)
	require.NoError(t, err)
	cancel()
	_, err = saveBackup(t.Context(), bytes.NewReader(whole.Bytes()), file, false)
	require.ErrorIs(t, err, fs.ErrExist, "one that appeared meanwhile")
	_, err = saveBackup(t.Context(), bytes.NewReader(whole.Bytes()), file, true)
	require.NoError(t, err)
	assert.Equal(t, []string{"people.backup"}, namesIn(t, dir))
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
