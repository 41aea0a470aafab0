// Package postgres keeps a store in one table of a PostgreSQL database, or of
// another that speaks its protocol and SQL. Several processes may share it: the
// database tells their conflicts, and the Group above runs the losers again.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Options configure Open. Zero values stand for the defaults.
type Options struct {
	// Logger gets what is not an answer to a call. Default: nothing is logged.
	Logger *slog.Logger
	// Table is the name of the table, made if it does not exist. Default
	// "people_kv".
	Table string
	// Timeout bounds each round trip to the database. Default 5 seconds.
	Timeout time.Duration
	// Connections is how many the process opens at most: one is left to updates,
	// the others serve views. Default 8, at least 2.
	Connections int
	// Queue and Batch bound how many updates wait and share a commit; see
	// store.GroupOptions.
	Queue, Batch int
	// Now is the clock of the metrics. Default time.Now.
	Now func() time.Time
	// dial replaces the network in tests.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Table == "" {
		o.Table = "people_kv"
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Connections <= 0 {
		o.Connections = 8
	}
	o.Connections = max(o.Connections, 2)
	return o
}

// Store is a store in a database.
type Store struct {
	*store.Group
	engine *pg
}

// pg is the engine below the Group.
type pg struct {
	pool  *pgxpool.Pool
	views chan struct{} // holds a value for each view that has a connection
	opts  Options
	sql   statements

	stop   context.CancelFunc // ends tidying
	tidied sync.WaitGroup
}

// Open connects to the database that dsn names, in any form pgx knows, and
// makes the table. It fails with store.ErrUnavailable when the database cannot
// be reached before ctx ends.
func Open(ctx context.Context, dsn string, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("postgres: the connection string cannot be read") // its text may hold a password
	}
	config.MaxConns = int32(opts.Connections)
	config.AfterConnect = opts.prepareSession
	if opts.dial != nil {
		config.ConnConfig.DialFunc = opts.dial
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	p := &pg{pool: pool, views: make(chan struct{}, opts.Connections-1), opts: opts, sql: newStatements(opts.Table)}
	if err := p.makeTable(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	p.warnUnsynced(ctx)
	p.startTidying()
	group := store.NewGroup(p, store.GroupOptions{Queue: opts.Queue, Batch: opts.Batch, Now: opts.Now})
	return &Store{Group: group, engine: p}, nil
}

// prepareSession sets what helps; other databases may not know all of it.
func (o Options) prepareSession(ctx context.Context, conn *pgx.Conn) error {
	for _, set := range []string{
		// On a small or unanalysed table the planner reads all of it instead
		// of the few keys that are asked for.
		"set enable_seqscan = off",
		"set enable_bitmapscan = off",
		// An update that returned is durable, whatever the server's default.
		"select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'",
		fmt.Sprintf("set statement_timeout = %d", o.Timeout.Milliseconds()),
		// A process that hangs must not hold its locks.
		fmt.Sprintf("set idle_in_transaction_session_timeout = %d", 4*o.Timeout.Milliseconds()),
	} {
		_, err := conn.Exec(ctx, set)
		if err != nil && code(err) == "" {
			return err
		}
		if err != nil {
			o.Logger.Debug("session setting refused", slog.String("setting", set), slog.Any("error", safe(err)))
		}
	}
	return nil
}

// makeTable makes the table, or brings one of an earlier version up to date.
func (p *pg) makeTable(ctx context.Context) error {
	_, err := p.pool.Exec(ctx, p.sql.probe)
	for try := 0; len(p.sql.missing[code(err)]) > 0 && try < 3; try++ {
		together := &pgx.Batch{} // one transaction
		for _, text := range p.sql.missing[code(err)] {
			together.Queue(text)
		}
		// Two processes that do it at once: one of them fails, and finds it done.
		if err = p.pool.SendBatch(ctx, together).Close(); err != nil {
			_, err = p.pool.Exec(ctx, p.sql.probe)
		}
	}
	if err != nil {
		return readError(fmt.Errorf("open table %s: %w", p.opts.Table, err))
	}
	return nil
}

// warnUnsynced tells when the server does not write to disk what it says it has
// written. Nothing a client can set changes that.
func (p *pg) warnUnsynced(ctx context.Context) {
	var fsync string
	if err := p.pool.QueryRow(ctx, "show fsync").Scan(&fsync); err == nil && fsync == "off" {
		p.opts.Logger.Warn("the database runs with fsync off: a crash of its machine loses acknowledged updates")
	}
}

// Limits implements store.Engine: as much as one round trip should carry.
func (p *pg) Limits() store.CommitLimits {
	return store.CommitLimits{Writes: 10 * store.MaxWrites, Bytes: 4 * store.MaxWriteBytes}
}

// Close implements store.Engine.
func (p *pg) Close() error {
	p.stop()
	p.tidied.Wait()
	p.pool.Close()
	return nil
}

// Time is the clock of the database: what all who share it can hold theirs
// against.
func (s *Store) Time(ctx context.Context) (now time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.engine.opts.Timeout)
	defer cancel()
	if err := s.engine.pool.QueryRow(ctx, "select clock_timestamp()").Scan(&now); err != nil {
		return time.Time{}, readError(fmt.Errorf("time: %w", err))
	}
	return now, nil
}

// Stats are the figures of a Store.
type Stats struct {
	store.Stats
	Connections     int // open now
	ConnectionsBusy int // of them in use
}

// Stats returns the figures since Open.
func (s *Store) Stats() Stats {
	pool := s.engine.pool.Stat()
	return Stats{
		Stats:           s.Group.Stats(),
		Connections:     int(pool.TotalConns()),
		ConnectionsBusy: int(pool.AcquiredConns()),
	}
}
