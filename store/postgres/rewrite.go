package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Rewritten is what Rewrite did.
type Rewritten struct {
	Before, After int64 // bytes of the table with its index
}

// Rewrite has the database write the table anew (VACUUM FULL), which leaves
// nothing in its files of what was deleted. The table is locked meanwhile: calls
// of every proxy that works on it are answered with store.ErrUnavailable. The
// role has to own the table. Databases that only speak PostgreSQL's protocol
// may refuse.
func (s *Store) Rewrite(ctx context.Context) (done Rewritten, err error) {
	acquired, err := s.engine.pool.Acquire(ctx)
	if err != nil {
		return done, readError(err)
	}
	// It has no time limit from here on, so the pool does not get it back.
	conn := acquired.Hijack()
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "set statement_timeout = 0"); err != nil {
		return done, readError(err)
	}
	if done.Before, err = s.engine.size(ctx, conn); err != nil {
		return done, err
	}
	if _, err := conn.Exec(ctx, "vacuum (full, analyze) "+s.engine.sql.table); err != nil {
		return done, readError(fmt.Errorf("vacuum: %w", err))
	}
	done.After, err = s.engine.size(ctx, conn)
	return done, err
}

func (p *pg) size(ctx context.Context, conn *pgx.Conn) (bytes int64, err error) {
	err = conn.QueryRow(ctx, "select pg_total_relation_size($1::text::regclass)", p.sql.table).Scan(&bytes)
	if err != nil {
		return 0, readError(fmt.Errorf("size of the table: %w", err))
	}
	return bytes, nil
}
