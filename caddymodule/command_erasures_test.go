package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// personIn lets a visitor start a chat, and returns the person.
func (c *instance) personIn() string {
	c.t.Helper()
	got := c.do(http.MethodPost, "http://"+c.site+"/_people/v1/batch",
		strings.Replace(batchBody, "%s", "auto", 1), "Content-Type", "application/json", "Origin", "http://"+c.site,
		"Cookie", "chat=0123456789abcdef0123456789abcdef")
	require.Equal(c.t, http.StatusOK, got.status, got.body)
	found, err := serviceNow(c.t).Persons(c.t.Context(), tracker.DefaultAccount, tracker.PersonQuery{})
	require.NoError(c.t, err)
	require.Len(c.t, found.Persons, 1)
	return found.Persons[0].ID
}

// erasedLife is a backup of before somebody was erased, and the directory.
func erasedLife(t *testing.T) (backup, dir, person string) {
	t.Helper()
	c := tracked(t, "store badger {dir}/people\napi_key manage people:manage", "session_cookie chat", nil)
	person = c.personIn()
	backup = filepath.Join(t.TempDir(), "people.backup")
	require.NoError(t, people(t, "backup", "--output", backup, "--address", c.admin).err)
	require.NoError(t, serviceNow(t).Erase(t.Context(), tracker.DefaultAccount, person))
	require.NoError(t, serviceNow(t).Sweep(t.Context()))
	caddyStop(t)
	return backup, filepath.Join(c.dir, "people"), person
}

// personsAt are the ids of the persons in a directory.
func personsAt(t *testing.T, dir string) (ids []string) {
	t.Helper()
	c := newInstance(t)
	require.NoError(t, c.load("people_tracking {\nstore badger "+dir+"\n}", c.siteOf(upstream(t, nil))))
	found, err := serviceNow(t).Persons(t.Context(), tracker.DefaultAccount, tracker.PersonQuery{})
	require.NoError(t, err)
	for _, p := range found.Persons {
		ids = append(ids, p.ID)
	}
	caddyStop(t)
	return ids
}

func TestB33RestoreErasesAgain(t *testing.T) {
	backup, dir, person := erasedLife(t)
	record := dir + ".erased"
	written, err := os.ReadFile(record)
	require.NoError(t, err)
	assert.Contains(t, string(written), "people-erasures 1\n")
	assert.NotContains(t, string(written), person)

	t.Run("by the record beside the directory", func(t *testing.T) {
		require.NoError(t, os.Rename(dir, dir+".before"))
		got := people(t, "restore", backup, "--store", dir)
		require.NoError(t, got.err)
		assert.Contains(t, got.told, "erased again")
		assert.Empty(t, personsAt(t, dir))
		kept, err := os.ReadFile(record)
		require.NoError(t, err)
		assert.Equal(t, written, kept)
	})
	elsewhere := filepath.Join(t.TempDir(), "people")
	t.Run("nobody elsewhere, as nobody knows", func(t *testing.T) {
		require.NoError(t, people(t, "restore", backup, "--store", elsewhere).err)
		assert.Equal(t, []string{person}, personsAt(t, elsewhere))
	})
	t.Run("afterwards, by the record as it is shown", func(t *testing.T) {
		shown := people(t, "erasures", "--store", dir)
		require.NoError(t, shown.err)
		assert.ElementsMatch(t, strings.Split(string(written), "\n"), strings.Split(shown.out, "\n"))
		file := filepath.Join(t.TempDir(), "record")
		require.NoError(t, os.WriteFile(file, []byte(shown.out), 0o600))
		got := people(t, "erasures", "--replay", file, "--store", elsewhere)
		require.NoError(t, got.err)
		assert.Contains(t, got.told, "erased again")
		assert.Empty(t, personsAt(t, elsewhere))
		assert.Equal(t, shown.out, people(t, "erasures", "--store", elsewhere).out)
		assert.FileExists(t, elsewhere+".erased")
	})
	t.Run("by a record from elsewhere", func(t *testing.T) {
		third := filepath.Join(t.TempDir(), "people")
		require.NoError(t, people(t, "restore", backup, "--store", third, "--erasures", record).err)
		assert.Empty(t, personsAt(t, third))
		assert.FileExists(t, third+".erased")
	})
	t.Run("fail/damaged record", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "record")
		require.NoError(t, os.WriteFile(file, append([]byte(nil), strings.Replace(string(written), "20", "21", 1)...), 0o600))
		other := filepath.Join(t.TempDir(), "people")
		require.ErrorIs(t, people(t, "restore", backup, "--store", other, "--erasures", file).err, tracker.ErrLedger)
		assert.NoDirExists(t, other)
	})
}
