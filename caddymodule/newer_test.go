package caddymodule

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/postgres"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// takeOver is what a newer program does with a store before it writes what this
// one cannot read: the bytes of tracker's key Z with the next version.
func takeOver(t *testing.T, st store.Store) {
	t.Helper()
	require.NoError(t, st.Update(context.Background(), func(tx store.Tx) error {
		before, err := tx.Get([]byte("Z"))
		if err != nil {
			return err
		}
		assert.Equal(t, []byte{1, 8, 2}, before)
		return tx.Put([]byte("Z"), []byte{1, 8, 3})
	}))
}

func TestStoreOfANewerProgramIsNotOpened(t *testing.T) {
	c := newInstance(t)
	site := c.siteOf(upstream(t, nil))
	newer := filepath.Join(c.dir, "newer")
	require.NoError(t, c.load("people_tracking {\nstore badger "+newer+"\n}", site))
	require.NoError(t, caddy.Stop())
	engine, err := badger.Open(newer, badger.Options{})
	require.NoError(t, err)
	takeOver(t, engine)
	require.NoError(t, engine.Close())

	require.NoError(t, c.load("people_tracking {\nstore badger {dir}/people\n}", site))
	err = c.load("people_tracking {\nstore badger "+newer+"\n}", site)
	require.ErrorContains(t, err, "layout 3, this program knows 2")
	c.tracks() // the running configuration goes on
	require.NoError(t, caddy.Stop())

	require.NoError(t, c.load("people_tracking {\nstore badger "+newer+"\n}", site))
	assert.Equal(t, 1, scripts(c.get("/").body), "pages are served")
	assert.Equal(t, http.StatusServiceUnavailable, c.call("/_people", "auto").status)
	assert.Contains(t, c.readiness().body, "newer version")
}

// A newer proxy takes the database over while this one is running.
func TestNewerProxyTakesTheDatabaseOver(t *testing.T) {
	dsn := postgrestest.Start(t).Database(t)
	t.Setenv("PEOPLE_TEST_STORE", dsn)
	c := newInstance(t)
	require.NoError(t, c.load("people_tracking {\nstore postgres {env.PEOPLE_TEST_STORE}\n}", c.siteOf(upstream(t, nil))))
	c.tracks()
	other, err := postgres.Open(t.Context(), dsn, postgres.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, other.Close()) })
	takeOver(t, other)
	refused := func() bool { return c.call("/_people", "auto").status == http.StatusServiceUnavailable }
	require.Eventually(t, refused, 20*time.Second, 20*time.Millisecond, "it looks each second")
	assert.Contains(t, c.readiness().body, "newer version")
}
