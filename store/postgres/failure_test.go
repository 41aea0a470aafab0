package postgres

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

func put(t *testing.T, s store.Store, key, value string) {
	t.Helper()
	require.NoError(t, tryPut(s, key, value))
}

func tryPut(s store.Store, key, value string) error {
	return s.Update(context.Background(), func(tx store.Tx) error { return tx.Put([]byte(key), []byte(value)) })
}

func get(t *testing.T, s store.Store, key string) string {
	t.Helper()
	var got []byte
	require.NoError(t, s.View(context.Background(), func(r store.Reader) (err error) {
		got, err = r.Get([]byte(key))
		return err
	}))
	return string(got)
}

// network breaks connections when told.
type network struct {
	cutAnswers atomic.Bool // what is sent arrives, the answer does not
	down       atomic.Bool // nothing is sent, nobody connects
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if n.down.Load() {
		return nil, errors.New("network is down")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &breakable{Conn: conn, network: n}, nil
}

type breakable struct {
	net.Conn
	network *network
}

func (c *breakable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p) // the answer has come, so the commit is done
	if err == nil && n > 0 && c.network.cutAnswers.Load() {
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *breakable) Write(p []byte) (int, error) {
	if c.network.down.Load() {
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// A commit whose answer is lost may have happened: the caller is told so.
func testUnknownCommit(t *testing.T, dsn string) {
	var n network
	s := open(t, dsn, Options{Table: "unknown", dial: n.dial})
	put(t, s, "a", "1")
	n.cutAnswers.Store(true)
	err := tryPut(s, "a", "2")
	n.cutAnswers.Store(false)
	require.ErrorIs(t, err, store.ErrUnknown)
	require.ErrorIs(t, err, store.ErrUnavailable)
	assert.Equal(t, "2", get(t, s, "a"), "it did happen")
	put(t, s, "a", "3")
	assert.Equal(t, "3", get(t, s, "a"))
}

// A server speaks the language of its messages, also where it says how severe
// an error is: here as a German one, in the same number of letters.
func testTranslated(t *testing.T, dsn string) {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return translated{conn}, err
	}
	e := open(t, dsn, Options{Table: "translated", dial: dial}).engine
	begin := func() *batch {
		b, err := e.Begin()
		require.NoError(t, err)
		_, err = b.Get([]byte("k"))
		require.NoError(t, err)
		return b.(*batch)
	}
	one, two := begin(), begin()
	write := []store.Write{{Op: store.OpPut, Key: []byte("k"), Value: []byte("v")}}
	require.NoError(t, one.Commit(write))
	one.Discard()
	err := two.Commit(write)
	two.Discard()
	require.ErrorIs(t, err, store.ErrConflict)
	refused := new(pgconn.PgError)
	_, err = e.pool.Exec(context.Background(), "select 1/0")
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "FEHLE", refused.Severity)
}

type translated struct{ net.Conn }

func (c translated) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	copy(p, bytes.ReplaceAll(p[:n], []byte("SERROR\x00"), []byte("SFEHLE\x00")))
	return n, err
}

func testUnreachable(t *testing.T, dsn string) {
	var n network
	s := open(t, dsn, Options{Table: "unreachable", dial: n.dial})
	put(t, s, "a", "1")
	n.down.Store(true)
	err := tryPut(s, "a", "2")
	require.ErrorIs(t, err, store.ErrUnavailable)
	err = tryPut(s, "a", "2")
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.NotErrorIs(t, err, store.ErrUnknown, "there was no connection to send it on")
	err = s.View(context.Background(), func(r store.Reader) error { _, err := r.Get([]byte("a")); return err })
	require.ErrorIs(t, err, store.ErrUnavailable)
	n.down.Store(false)
	put(t, s, "b", "2")
	assert.Equal(t, "2", get(t, s, "b"))

	n.down.Store(true)
	_, err = Open(context.Background(), dsn, Options{dial: n.dial})
	require.ErrorIs(t, err, store.ErrUnavailable)
}

// A server that is restarted is found again, by a process that was connected
// before and has its connections in the pool still.
func TestRestartedServer(t *testing.T) {
	server := postgrestest.Start(t)
	s := open(t, server.Database(t), Options{})
	put(t, s, "a", "1")
	assert.Equal(t, "1", get(t, s, "a"))
	server.Restart(t, func() {
		require.ErrorIs(t, tryPut(s, "a", "2"), store.ErrUnavailable)
	})
	// Each connection of before may cost an answer of 503, and no more.
	require.Eventually(t, func() bool { return tryPut(s, "a", "3") == nil }, 10*time.Second, time.Millisecond)
	assert.Equal(t, "3", get(t, s, "a"))
}

// Calls do not wait for whoever reads at length, however many there are.
func testViewsLeaveAConnection(t *testing.T, dsn string) {
	s := open(t, dsn, Options{Table: "views", Connections: 3, Timeout: 300 * time.Millisecond})
	put(t, s, "a", "1")
	var reading sync.WaitGroup
	held, free := make(chan struct{}, 2), make(chan struct{})
	view := func() error {
		return s.View(context.Background(), func(r store.Reader) error {
			if _, err := r.Get([]byte("a")); err != nil {
				return err
			}
			held <- struct{}{}
			<-free
			return nil
		})
	}
	for range 2 {
		reading.Go(func() { assert.NoError(t, view()) })
		<-held
	}
	err := s.View(context.Background(), func(r store.Reader) error { _, err := r.Get([]byte("a")); return err })
	require.ErrorIs(t, err, store.ErrUnavailable, "one connection is not for views")
	require.NoError(t, tryPut(s, "a", "2"))
	close(free)
	reading.Wait()
	assert.Equal(t, "2", get(t, s, "a"), "their places are free again")
}

// A lock that another holds ends in an error, not in a writer that hangs.
func testTimeout(t *testing.T, dsn string) {
	s := open(t, dsn, Options{Table: "timeouts", Timeout: 300 * time.Millisecond})
	put(t, s, "a", "1")
	other, err := s.engine.pool.Begin(context.Background())
	require.NoError(t, err)
	_, err = other.Exec(context.Background(), "lock table timeouts in exclusive mode")
	require.NoError(t, err)
	require.ErrorIs(t, tryPut(s, "a", "2"), store.ErrUnavailable)
	require.NoError(t, other.Rollback(context.Background()))
	put(t, s, "a", "3")
}

func testErrorsTellNoData(t *testing.T, dsn string) {
	s := open(t, dsn, Options{Table: "private"})
	_, err := s.engine.pool.Exec(context.Background(), "alter table private add check (v <> 'secret'::bytea)")
	require.NoError(t, err)
	err = tryPut(s, "name@example.org", "secret")
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.NotErrorIs(t, err, store.ErrUnknown)
	assert.NotContains(t, err.Error(), "secret")
	assert.NotContains(t, err.Error(), "6e616d65") // name, as the database prints it
	put(t, s, "a", "1")

	_, err = Open(context.Background(), "postgres://people:pass%zzword@/", Options{})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "word")
}

// Without the session's settings a small table is read whole for one key.
func testPlans(t *testing.T, dsn string) {
	s := open(t, dsn, Options{Table: "plans"})
	put(t, s, "a", "1")
	all, part := store.Range{From: []byte("a"), Reverse: true, Limit: 9}, store.Range{From: []byte("a"), To: []byte("z"), Limit: 9}
	for sql, arguments := range map[string][]any{
		s.engine.sql.get:        {[][]byte{[]byte("a")}},
		s.engine.sql.scan(all):  scanArguments(all),
		s.engine.sql.scan(part): scanArguments(part),
	} {
		rows, err := s.engine.pool.Query(context.Background(), "explain "+sql, arguments...)
		require.NoError(t, err)
		plan := ""
		for rows.Next() {
			var line string
			require.NoError(t, rows.Scan(&line))
			plan += line + "\n"
		}
		require.NoError(t, rows.Err())
		assert.Contains(t, plan, "Index Scan", sql)
		assert.NotContains(t, plan, "Sort", sql)
	}
}

// A server that does not sync is told to, for these sessions.
func testDurable(t *testing.T, dsn string) {
	var setting string
	admin := open(t, dsn, Options{Table: "durable"})
	_, err := admin.engine.pool.Exec(context.Background(), "do $$ begin execute 'alter database ' || current_database() || ' set synchronous_commit = off'; end $$")
	require.NoError(t, err)
	var out bytes.Buffer
	open(t, dsn, Options{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	require.NoError(t, admin.engine.pool.QueryRow(context.Background(), "show fsync").Scan(&setting))
	assert.Equal(t, setting == "off", strings.Contains(out.String(), "fsync off"))
	require.NoError(t, open(t, dsn, Options{}).engine.pool.QueryRow(context.Background(), "show synchronous_commit").Scan(&setting))
	assert.Equal(t, "on", setting)
}

// Many processes start at once on an empty database.
func testOpenTogether(t *testing.T, dsn string) {
	errs := make(chan error)
	const processes = 6
	for range processes {
		go func() {
			s, err := Open(context.Background(), dsn, Options{Table: "together", Connections: 2})
			if err == nil {
				err = errors.Join(tryPut(s, "a", "1"), s.Close())
			}
			errs <- err
		}()
	}
	for range processes {
		assert.NoError(t, <-errs)
	}
}

func testStats(t *testing.T, dsn string) {
	s := open(t, dsn, Options{Table: "figures"})
	put(t, s, "a", "1")
	stats := s.Stats()
	assert.EqualValues(t, 1, stats.Requests)
	assert.Positive(t, stats.Connections)
	assert.Zero(t, stats.ConnectionsBusy)
}
