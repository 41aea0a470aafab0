package postgres

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// batch is a transaction. It begins together with its first statement, which
// saves a round trip.
type batch struct {
	pg    *pg
	ctx   context.Context // of the view, or of the process
	begin string
	conn  *pgxpool.Conn // nil until something is sent
	began time.Time     // before its snapshot
	// present tells the rows that were read: there, or not. What was not read
	// is not in it.
	present map[string]bool
}

// Snapshot implements store.Engine.
func (p *pg) Snapshot(ctx context.Context) (store.Snapshot, error) {
	return &batch{pg: p, ctx: ctx, begin: p.sql.beginRead}, nil
}

// Begin implements store.Engine.
func (p *pg) Begin() (store.Batch, error) {
	return &batch{pg: p, ctx: context.Background(), begin: p.sql.begin, present: map[string]bool{}}, nil
}

// connect takes a connection. Views leave one: reading, however much, keeps no
// call waiting.
func (b *batch) connect(ctx context.Context) (err error) {
	if !b.view() {
		b.conn, err = b.pg.pool.Acquire(ctx)
		return err
	}
	select {
	case b.pg.views <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if b.conn, err = b.pg.pool.Acquire(ctx); err != nil {
		<-b.pg.views
	}
	return err
}

// view tells it from a batch of updates, which has to know what it read.
func (b *batch) view() bool { return b.present == nil }

// send sends statements in one round trip and gives their results to read.
func (b *batch) send(statements *pgx.Batch, read func(pgx.BatchResults) error) (err error) {
	ctx, cancel := context.WithTimeout(b.ctx, b.pg.opts.Timeout)
	defer cancel()
	whole := &pgx.Batch{}
	if first := b.conn == nil; first {
		if err := b.connect(ctx); err != nil {
			return err
		}
		whole.Queue(b.begin)
		b.began = time.Now()
	}
	begins := whole.Len()
	whole.QueuedQueries = append(whole.QueuedQueries, statements.QueuedQueries...)
	results := b.conn.SendBatch(ctx, whole)
	defer func() {
		if closeErr := results.Close(); err == nil {
			err = closeErr
		}
	}()
	for range begins {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	return read(results)
}

// Discard ends the transaction if it is still open.
func (b *batch) Discard() {
	if b.conn == nil {
		return
	}
	if state := b.conn.Conn().PgConn().TxStatus(); state != 'I' && !b.conn.Conn().IsClosed() {
		// Not under the view's context: if that has ended, the connection can
		// still be used.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _ = b.conn.Exec(ctx, "rollback") // else the pool throws the connection away
	}
	b.conn.Release()
	b.conn = nil
	if b.view() {
		<-b.pg.views
	}
}

// Get implements store.Reader.
func (b *batch) Get(key []byte) ([]byte, error) {
	values, _, err := b.Fetch([][]byte{key}, nil)
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

// Scan implements store.Reader.
func (b *batch) Scan(r store.Range) ([]store.Entry, error) {
	_, scans, err := b.Fetch(nil, []store.Range{r})
	if err != nil {
		return nil, err
	}
	return scans[0], nil
}

// Fetch implements store.Fetcher.
func (b *batch) Fetch(keys [][]byte, ranges []store.Range) ([][]byte, [][]store.Entry, error) {
	statements := &pgx.Batch{}
	if len(keys) > 0 {
		statements.Queue(b.pg.sql.get, keys)
	}
	for _, r := range ranges {
		statements.Queue(b.pg.sql.scan(r), scanArguments(r)...)
	}
	values := make([][]byte, len(keys))
	scans := make([][]store.Entry, len(ranges))
	err := b.send(statements, func(results pgx.BatchResults) error {
		if len(keys) > 0 {
			if err := b.readValues(results, keys, values); err != nil {
				return err
			}
		}
		for i := range ranges {
			entries, err := b.readEntries(results)
			if err != nil {
				return err
			}
			scans[i] = entries
		}
		return nil
	})
	if err != nil {
		return nil, nil, readError(err)
	}
	return values, scans, nil
}

func (b *batch) readValues(results pgx.BatchResults, keys, values [][]byte) error {
	index := make(map[string]int, len(keys))
	for i, key := range keys {
		index[string(key)] = i
		b.know(key, false)
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key, value []byte
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		b.know(key, true)
		if len(value) > 0 {
			values[index[string(key)]] = value
		}
	}
	return rows.Err()
}

func (b *batch) readEntries(results pgx.BatchResults) ([]store.Entry, error) {
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var entries []store.Entry
	for rows.Next() {
		var e store.Entry
		if err := rows.Scan(&e.Key, &e.Value); err != nil {
			return nil, err
		}
		b.know(e.Key, true)
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

func (b *batch) know(key []byte, present bool) {
	if !b.view() {
		b.present[string(key)] = present
	}
}

// Commit implements store.Batch: all writes and the commit in one round trip.
func (b *batch) Commit(writes []store.Write) error {
	if b.conn != nil && time.Since(b.began) > maxBatchAge {
		return store.ErrConflict // it may be one that nothing tells of any more
	}
	statements := b.statements(writes)
	statements.Queue(b.pg.sql.commit)
	err := b.send(statements, func(results pgx.BatchResults) error {
		for range statements.Len() {
			if _, err := results.Exec(); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case err == nil:
		return nil
	case b.conn == nil: // nothing was sent
		return readError(err)
	default:
		return commitError(err)
	}
}

// statements sorts writes by what they do to rows of which it is known whether
// they are there. Keys are in order, so that two processes rarely wait for each
// other in a circle.
func (b *batch) statements(writes []store.Write) *pgx.Batch {
	writes = slices.Clone(writes)
	slices.SortFunc(writes, func(a, c store.Write) int { return bytes.Compare(a.Key, c.Key) })
	var upsert, update [2][][]byte
	var remove, lockPresent, lockAbsent [][]byte
	for _, w := range writes {
		present, known := b.present[string(w.Key)]
		switch {
		case w.Op == store.OpPut && present:
			update[0], update[1] = append(update[0], w.Key), append(update[1], w.Value)
		case w.Op == store.OpPut:
			upsert[0], upsert[1] = append(upsert[0], w.Key), append(upsert[1], w.Value)
		case w.Op == store.OpDelete && (present || !known):
			remove = append(remove, w.Key)
		case present:
			lockPresent = append(lockPresent, w.Key)
		default: // also a delete of what was read as absent: it stays so
			lockAbsent = append(lockAbsent, w.Key)
		}
	}
	sql, out := b.pg.sql, &pgx.Batch{}
	queue := func(text string, lists ...[][]byte) {
		if len(lists[0]) == 0 {
			return
		}
		arguments := make([]any, len(lists))
		for i, list := range lists {
			arguments[i] = list
		}
		out.Queue(text, arguments...)
	}
	queue(sql.update, update[:]...)
	queue(sql.lockPresent, lockPresent)
	queue(sql.upsert, upsert[:]...)
	queue(sql.lockAbsent, lockAbsent)
	queue(sql.delete, remove)
	return out
}
