package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/postgres"
)

// addStoreFlags adds the flags that name the store of a command.
func addStoreFlags(cmd *cobra.Command) {
	cmd.Flags().String("store", "", "The store: a directory, or a PostgreSQL connection string")
	addConfigFlags(cmd)
}

func addConfigFlags(cmd *cobra.Command) {
	cmd.Flags().StringP("config", "c", "", "Configuration file that names the store")
	cmd.Flags().StringP("adapter", "a", "", "Name of config adapter to apply (if --config is used)")
}

// named is a store that a command was told to work on.
type named struct {
	place
	engine string // engineBadger or enginePostgres
	at     string // the directory, or the connection string, which is shown nowhere
}

// storeOf is the store that flags name.
func storeOf(cmd *cobra.Command) (named, error) {
	if value, _ := cmd.Flags().GetString("store"); value != "" {
		return parseStoreFlag("store", value)
	}
	configured, err := configuredApp(cmd)
	if err != nil {
		return named{}, err
	}
	if configured == nil {
		return named{}, errors.New("which store? name it by --store, or by --config")
	}
	return nameStore(configured.Store)
}

// configuredApp is the app as --config has it, nil without that flag.
func configuredApp(cmd *cobra.Command) (*App, error) {
	file, _ := cmd.Flags().GetString("config")
	adapter, _ := cmd.Flags().GetString("adapter")
	if file == "" {
		return nil, nil //nolint:nilnil // said above
	}
	raw, _, _, err := caddycmd.LoadConfig(file, adapter)
	if err != nil {
		return nil, err
	}
	var config struct {
		Apps struct {
			People App `json:"people_tracking"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return &config.Apps.People, nil
}

// parseStoreFlag reads the value of a flag. An environment variable may hold
// any part of it, or all.
func parseStoreFlag(flag, value string) (named, error) {
	value = fromEnvironment.ReplaceAllString(value, "{env.$1}")
	value = caddy.NewReplacer().ReplaceKnown(value, "")
	if value == "" {
		return named{}, fmt.Errorf("--%s is empty; is the environment variable set?", flag)
	}
	s := Store{Engine: engineBadger, Directory: value}
	switch engine, rest, _ := strings.Cut(value, ":"); engine {
	case engineBadger:
		s.Directory = rest
	case enginePostgres, "postgresql":
		s = Store{Engine: enginePostgres, DSN: rest}
		if strings.HasPrefix(rest, "//") { // the prefix is the address's own
			s.DSN = value
		}
	}
	n, err := nameStore(s)
	if err != nil {
		return named{}, fmt.Errorf("--%s: %w", flag, err)
	}
	return n, nil
}

// fromEnvironment is how a Caddyfile refers to environment variables.
var fromEnvironment = regexp.MustCompile(`\{\$([A-Za-z_][A-Za-z0-9_]*)\}`)

func nameStore(s Store) (named, error) {
	at, err := s.place(caddy.NewReplacer())
	if err != nil {
		return named{}, err
	}
	engine, where, _ := strings.Cut(at.key, " ")
	return named{place: at, engine: engine, at: where}, nil
}

// must says that there is something to read at a place.
func (n named) must() error {
	if n.engine != engineBadger {
		return nil
	}
	return badger.Exists(n.at)
}

// openRaw opens the store as it is: nothing is prepared or settled in it.
func (n named) openRaw(ctx context.Context, log *slog.Logger) (store.Store, error) {
	if n.engine == engineBadger {
		return openDirectory(n.at, log)
	}
	opening, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	opened, err := postgres.Open(opening, n.at, postgres.Options{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", n.name, err)
	}
	return opened, nil
}

// openDirectory opens a store for a command, which ends soon and reads all of
// it: nothing is done on the side.
func openDirectory(dir string, log *slog.Logger) (store.Store, error) {
	opened, err := badger.Open(dir, badger.Options{
		Logger:       log,
		BallastBytes: -1, GCInterval: -1, VerifyInterval: -1, PurgeInterval: -1,
	})
	if err != nil {
		return nil, explain(dir, err)
	}
	return opened, nil
}

// explain says who holds a directory, and what to do about it.
func explain(dir string, err error) error {
	if !errors.Is(err, store.ErrLocked) {
		return err
	}
	holder := "another process"
	if noted, reading := os.ReadFile(filepath.Join(dir, "LOCK")); reading == nil {
		if pid := strings.TrimSpace(string(noted)); pid != "" {
			holder = "process " + pid
			if comm, reading := os.ReadFile(filepath.Join("/proc", pid, "comm")); reading == nil {
				holder += " (" + strings.TrimSpace(string(comm)) + ")"
			}
		}
	}
	return fmt.Errorf("%s is open in %s: stop it first; while it runs, only 'caddy people backup' is possible: %w", dir, holder, err)
}

// fresh is a directory beside the one that is to hold a store in the end, where
// it is put together: there is all of it under its name, or none.
type fresh struct{ dir, building string }

// beside prepares for building a store at dir, which must not hold anything.
func beside(dir, suffix string) (fresh, error) {
	held, err := os.ReadDir(dir)
	switch {
	case err == nil && len(held) > 0:
		return fresh{}, fmt.Errorf("%s holds something already, and is left as it is: name another directory, or move it away", dir)
	case err == nil:
		// Renaming needs the name free, and says so now rather than in the end.
		err = os.Remove(dir)
	case os.IsNotExist(err):
		err = os.MkdirAll(filepath.Dir(dir), 0o700)
	}
	if err != nil {
		return fresh{}, fmt.Errorf("%s cannot be made: %w", dir, err)
	}
	return fresh{dir: dir, building: dir + suffix}, nil
}

// finish gives the directory its name. The store in it is closed.
func (f fresh) finish() error {
	if err := os.Rename(f.building, f.dir); err != nil {
		return fmt.Errorf("what was written stands in %s: %w", f.building, err)
	}
	return syncDirectory(filepath.Dir(f.dir))
}

func syncDirectory(dir string) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}
