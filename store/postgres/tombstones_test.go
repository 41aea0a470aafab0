package postgres

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

func (p *pg) run(t *testing.T, sql string) {
	t.Helper()
	_, err := p.pool.Exec(context.Background(), sql)
	require.NoError(t, err)
}

func (p *pg) rows(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, p.pool.QueryRow(context.Background(), "select count(*) from "+p.sql.table).Scan(&n))
	return n
}

// The rows of deleted and of locked keys go once they are old, and no others.
func testTidy(t *testing.T, dsn string) {
	s := open(t, dsn, Options{Table: "tidy"})
	e := s.engine
	for i := range 40 {
		put(t, s, fmt.Sprintf("k%02d", i), "v")
	}
	require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error {
		for i := range 30 {
			if err := tx.Delete(fmt.Appendf(nil, "k%02d", i)); err != nil {
				return err
			}
		}
		return tx.Lock([]byte("absent"))
	}))
	assert.Equal(t, 41, e.rows(t))
	removed, err := e.tidy(context.Background())
	require.NoError(t, err)
	assert.Zero(t, removed, "they are young")

	age := "update tidy set gone = gone - interval '1 hour' where gone is not null"
	e.run(t, age)
	put(t, s, "k00", "again") // its row lives again
	require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error { return tx.Lock([]byte("k01")) }))
	removed, err = e.tidy(context.Background())
	require.NoError(t, err)
	assert.EqualValues(t, 30, removed, "k01 to k29 and the locked key")
	assert.Equal(t, 11, e.rows(t))
	assert.Equal(t, "again", get(t, s, "k00"))
	assert.Equal(t, "v", get(t, s, "k39"))

	// A program of before the column writes values and leaves the time as it is.
	put(t, s, "k39", "")
	e.run(t, age)
	e.run(t, "update tidy set v = 'live' where k = 'k39'")
	removed, err = e.tidy(context.Background())
	require.NoError(t, err)
	assert.Zero(t, removed)
	assert.Equal(t, "live", get(t, s, "k39"))
}

// While some processes make and delete keys, others tidy: nothing that lives
// may go. The rows are made old at once, so that all of them are candidates.
func testTidyUnderWrites(t *testing.T, dsn string) {
	const keys, rounds = 8, 25
	s := open(t, dsn, Options{Table: "tidy_writes"})
	e := s.engine
	done := make(chan struct{})
	var tidying, writing sync.WaitGroup
	for range 2 {
		tidying.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				// What a deletion an hour ago looks like.
				if _, err := e.pool.Exec(context.Background(), "update tidy_writes set gone = gone - interval '1 hour' where gone is not null"); err == nil {
					_, _ = e.tidy(context.Background()) // it may lose to a writer
				}
			}
		})
	}
	for i := range keys {
		writing.Go(func() {
			key := fmt.Sprintf("key %d", i)
			for round := range rounds {
				value := fmt.Sprint("round ", round)
				if !assert.NoError(t, tryPut(s, key, value)) || !assert.Equal(t, value, get(t, s, key)) || !assert.NoError(t, tryPut(s, key, "")) {
					return
				}
			}
			assert.NoError(t, tryPut(s, key, "last"))
		})
	}
	writing.Wait()
	close(done)
	tidying.Wait()
	for i := range keys {
		assert.Equal(t, "last", get(t, s, fmt.Sprintf("key %d", i)))
	}
}

// A batch that is older than the rows of deleted keys are kept could have
// missed one: it is run again.
func testOldBatch(t *testing.T, dsn string) {
	e := open(t, dsn, Options{Table: "old"}).engine
	for age, want := range map[time.Duration]error{0: nil, maxBatchAge + time.Second: store.ErrConflict} {
		b, err := e.Begin()
		require.NoError(t, err)
		_, err = b.Get([]byte("k"))
		require.NoError(t, err)
		b.(*batch).began = b.(*batch).began.Add(-age)
		assert.ErrorIs(t, b.Commit([]store.Write{{Op: store.OpPut, Key: []byte("k"), Value: []byte("v")}}), want)
		b.Discard()
	}
	assert.Greater(t, tombstoneLife, 2*maxBatchAge)
}

// A table of before deletions were kept is brought up to date, by any number of
// processes at once.
func testUpgrade(t *testing.T, dsn string) {
	admin := open(t, dsn, Options{Table: "upgrade_admin"}).engine
	admin.run(t, "create table upgrade (k bytea primary key, v bytea not null) with (fillfactor = 80)")
	admin.run(t, "insert into upgrade values ('k', 'v')")
	var opening sync.WaitGroup
	for range 6 {
		opening.Go(func() {
			s, err := Open(context.Background(), dsn, Options{Table: "upgrade", Connections: 2})
			if assert.NoError(t, err) {
				assert.NoError(t, tryPut(s, "other", "v"))
				assert.NoError(t, s.Close())
			}
		})
	}
	opening.Wait()
	s := open(t, dsn, Options{Table: "upgrade"})
	assert.Equal(t, "v", get(t, s, "k"))
	put(t, s, "k", "")
	assert.Equal(t, 2, s.engine.rows(t), "the deleted key's row is still there")
}
