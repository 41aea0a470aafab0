package caddymodule

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/postgres"
)

func purgeCommand() *cobra.Command {
	cmd := newCommand("purge --store <store> | --config <path> [--adapter <name>]",
		"Removes the bytes of deleted data from a store's files", `
What was deleted cannot be read any more, but its bytes stay in the files until
they are written anew. This command does that at once.

A directory is copied to one beside it, which takes its place once it was read
again and compared; there must be room for both. For PostgreSQL the database is
told to VACUUM FULL the table, which locks it meanwhile. Backups, and the
database's own log, are not touched.`, cobra.NoArgs, runPurge)
	addStoreFlags(cmd)
	return cmd
}

func runPurge(ctx context.Context, cmd *cobra.Command, _ []string) (int, error) {
	of, err := storeOf(cmd)
	if err != nil {
		return failed(err)
	}
	before, after, err := of.purge(ctx, cmd)
	if err != nil {
		return failed(err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "purge: %s before, %s after\n", size(before), size(after))
	return exitDone, nil
}

func (n named) purge(ctx context.Context, cmd *cobra.Command) (before, after uint64, err error) {
	if n.engine == engineBadger {
		told := newProgress(cmd.ErrOrStderr(), "purge")
		done, err := badger.Rewrite(ctx, n.at, commandLog(cmd), told.entries)
		told.done()
		return uint64(done.Before), uint64(done.After), explain(n.at, err) //nolint:gosec // sizes
	}
	st, err := n.openRaw(ctx, commandLog(cmd))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	done, err := st.(*postgres.Store).Rewrite(ctx)
	return uint64(done.Before), uint64(done.After), err //nolint:gosec // sizes
}
