package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/dustin/go-humanize"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/postgres"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// Store says where people are kept.
type Store struct {
	// The engine: `badger`, which is embedded, or `postgres`, a database that
	// several proxies may share. Default: badger.
	Engine string `json:"engine,omitempty"`
	// Badger's directory, made when it is missing. One Caddy process at a time
	// works on it. Placeholders are resolved when the configuration is loaded.
	// Default: the folder `people` of Caddy's data directory.
	Directory string `json:"directory,omitempty"`
	// Open a Badger store that turns out to be damaged, or to end before what
	// was acknowledged, without what it lost. Default: false, such a store is
	// refused, so that a backup can be put in its place.
	AcceptLoss bool `json:"accept_loss,omitempty"`
	// Bytes of Badger's table in memory, which is filled and then written to the
	// disk. A larger one takes bursts with less processor time and as much more
	// memory, up to four times over. From 8 MiB to 256 MiB. Default: 8 MiB.
	Memtable int64 `json:"memtable,omitempty"`
	// The connection string of the database, as a URL or as key=value pairs.
	// Global placeholders such as `{env.PEOPLE_DSN}` keep it out of the
	// configuration.
	DSN string `json:"dsn,omitempty"`
}

const (
	engineBadger   = "badger"
	enginePostgres = "postgres"
)

var engineWords = []string{engineBadger, enginePostgres}

// connectTimeout bounds one attempt to open a database, so that neither a
// start nor a reload waits for one that does not answer.
const connectTimeout = 10 * time.Second

// place is where the configured store is. Nothing is opened.
func (s Store) place(repl *caddy.Replacer) (place, error) {
	switch s.Engine {
	case "", engineBadger:
		if s.DSN != "" {
			return place{}, errors.New("store: a dsn is for the engine postgres")
		}
		return s.badger(repl)
	case enginePostgres:
		if s.Directory != "" || s.AcceptLoss || s.Memtable != 0 {
			return place{}, errors.New("store: directory, accept_loss and memtable are for the engine badger")
		}
		return s.postgres(repl)
	}
	return place{}, fmt.Errorf("unknown store %q, allowed are %s", s.Engine, allowed(engineWords))
}

func (s Store) badger(repl *caddy.Replacer) (place, error) {
	dir := filepath.Join(caddy.AppDataDir(), "people")
	if s.Directory != "" {
		var err error
		if dir, err = resolved(repl, s.Directory); err != nil {
			return place{}, fmt.Errorf("store: the directory: %w", err)
		}
	}
	if err := checkMemtable(s.Memtable); err != nil {
		return place{}, err
	}
	canonical, err := canonicalDir(dir)
	if err != nil {
		return place{}, err
	}
	return place{
		key:  engineBadger + " " + canonical,
		name: canonical,

		ledger: tracker.LedgerFile(canonical + tracker.LedgerSuffix),
		open: func(log *slog.Logger) (store.Store, error) {
			engine, err := badger.Open(canonical, badger.Options{Logger: log, AcceptLoss: s.AcceptLoss, MemTableBytes: s.Memtable})
			if err != nil {
				return nil, err
			}
			return prepared(context.Background(), engine)
		},
	}, nil
}

// Bounds of the table in memory: below, a call would not fit into a commit, and
// above it would be given by mistake.
const (
	minMemtable = 8 << 20
	maxMemtable = 256 << 20
)

func checkMemtable(bytes int64) error {
	if bytes != 0 && (bytes < minMemtable || bytes > maxMemtable) {
		return fmt.Errorf("store: memtable %s is not between %s and %s",
			humanize.IBytes(uint64(max(0, bytes))), humanize.IBytes(minMemtable), humanize.IBytes(maxMemtable)) //nolint:gosec // not negative
	}
	return nil
}

func (s Store) postgres(repl *caddy.Replacer) (place, error) {
	// An empty placeholder may stand in it, for a password that is not needed.
	dsn := repl.ReplaceKnown(s.DSN, "")
	if dsn == "" || isPlaceholder(dsn) {
		return place{}, fmt.Errorf("store: the dsn: %w", errPlaceholder)
	}
	return place{
		key:  enginePostgres + " " + dsn,
		name: "the PostgreSQL database", // the dsn may hold a password
		open: func(log *slog.Logger) (store.Store, error) {
			ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
			defer cancel()
			engine, err := postgres.Open(ctx, dsn, postgres.Options{Logger: log})
			if err != nil {
				return nil, err
			}
			return prepared(ctx, engine)
		},
	}, nil
}

// prepared is a store whose layout this program knows, which is noted in an
// empty one. Another one is closed again, untouched.
func prepared(ctx context.Context, engine store.Store) (store.Store, error) {
	if err := tracker.Prepare(ctx, engine); err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return engine, nil
}

// canonicalDir is the one name of a directory, existing or not, so that two
// ways of writing it meet in the same store.
func canonicalDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("store directory: %w", err)
	}
	// What does not exist yet cannot be a link: resolve what stands before it.
	missing := ""
	for at := abs; ; at = filepath.Dir(at) {
		resolved, err := filepath.EvalSymlinks(at)
		if err == nil {
			return filepath.Join(resolved, missing), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			// Not readable, say. Opening it tells the reason.
			return abs, nil
		}
		missing = filepath.Join(filepath.Base(at), missing)
	}
}
