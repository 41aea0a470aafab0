package caddymodule

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/livechat-people/caddy-people-tracking/store"
)

func migrateCommand() *cobra.Command {
	cmd := newCommand("migrate --from <store> --to <store> [--config <path> [--adapter <name>]]",
		"Copies a store into an empty one of the other engine, or the same", `
Copies everything that one store holds into another, which is empty or does not
exist yet, and compares the two: the number of entries and a hash over all of
them. The first store is not changed. If one of --from and --to is left out, it
is the store of --config.

A migration that was interrupted is completed by the same command again; what
was copied already is compared and not written again.`, cobra.NoArgs, runMigrate)
	cmd.Flags().String("from", "", "The store to copy")
	cmd.Flags().String("to", "", "The store to copy it into")
	addConfigFlags(cmd)
	return cmd
}

func runMigrate(ctx context.Context, cmd *cobra.Command, _ []string) (int, error) {
	from, to, err := migrationOf(cmd)
	if err != nil {
		return failed(err)
	}
	if err := from.must(); err != nil {
		return failed(err)
	}
	source, err := from.openRaw(ctx, commandLog(cmd))
	if err != nil {
		return failed(err)
	}
	told := newProgress(cmd.ErrOrStderr(), "migrate")
	sum, err := filling{to: to, suffix: migratingSuffix, log: commandLog(cmd), told: told}.
		run(ctx, func(st store.Store) (store.Sum, error) { return store.Copy(ctx, source, st, told.entries) })
	if err = errors.Join(err, source.Close()); err != nil {
		return failed(fmt.Errorf("not completed: %w", err))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "migrate: %d entries, %s, sha256 %x in both\n", sum.Entries, size(sum.Bytes), sum.SHA256)
	return exitDone, nil
}

func migrationOf(cmd *cobra.Command) (from, to named, err error) {
	for _, side := range []struct {
		flag string
		is   *named
	}{{"from", &from}, {"to", &to}} {
		value, _ := cmd.Flags().GetString(side.flag)
		if value != "" {
			*side.is, err = parseStoreFlag(side.flag, value)
		} else {
			*side.is, err = configuredSide(cmd, side.flag)
		}
		if err != nil {
			return from, to, err
		}
	}
	if from.key == to.key {
		return from, to, errors.New("--from and --to are the same store")
	}
	return from, to, nil
}

func configuredSide(cmd *cobra.Command, flag string) (named, error) {
	app, err := configuredApp(cmd)
	if err != nil {
		return named{}, err
	}
	if app == nil {
		return named{}, fmt.Errorf("--%s is missing; it may be left out with --config", flag)
	}
	return nameStore(app.Store)
}
