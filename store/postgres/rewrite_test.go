package postgres

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// TestRewriteLeavesNothingThatWasDeleted looks into the pages of the table.
func TestRewriteLeavesNothingThatWasDeleted(t *testing.T) {
	ctx := context.Background()
	dsn := postgrestest.Start(t).Database(t)
	s, err := Open(ctx, dsn, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	const forgotten = "name-to-be-forgotten@example.org"
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error {
		for i := range 500 {
			if err := tx.Put(fmt.Appendf(nil, "%03d", i), fmt.Appendf(nil, "%s %d", forgotten, i)); err != nil {
				return err
			}
		}
		return tx.Put([]byte("kept"), []byte("other"))
	}))
	require.NoError(t, s.Update(ctx, func(tx store.Tx) error {
		for i := range 500 {
			if err := tx.Delete(fmt.Appendf(nil, "%03d", i)); err != nil {
				return err
			}
		}
		return nil
	}))
	conn, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close(ctx)) })
	holds := func() bool {
		var path string
		require.NoError(t, conn.QueryRow(ctx, "select pg_relation_filepath('people_kv')").Scan(&path))
		_, err := conn.Exec(ctx, "checkpoint")
		require.NoError(t, err)
		var file []byte
		require.NoError(t, conn.QueryRow(ctx, "select pg_read_binary_file($1)", path).Scan(&file))
		return bytes.Contains(file, []byte(forgotten))
	}
	require.True(t, holds(), "the test finds nothing")
	done, err := s.Rewrite(ctx)
	require.NoError(t, err)
	assert.Less(t, done.After, done.Before)
	assert.False(t, holds())
	require.NoError(t, s.View(ctx, func(r store.Reader) error {
		value, err := r.Get([]byte("kept"))
		assert.Equal(t, []byte("other"), value)
		return err
	}))
}
