package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// Suffixes of the directories in which stores are put together.
const (
	restoringSuffix = ".restoring"
	migratingSuffix = ".migrating"
)

func restoreCommand() *cobra.Command {
	cmd := newCommand("restore <backup>|- --store <store> | --config <path> [--adapter <name>]",
		"Puts a backup into an empty store", `
Puts a backup into a store that is empty or does not exist yet, of either
engine, whichever the backup was made from. The backup is read to its end and
the store compared with it before it is in its place.

A directory is put together beside its place and gets its name in the end. A
restore into PostgreSQL that was interrupted leaves a part of the backup in the
table; the same command again completes it.

Whoever was erased after the backup was made is erased again, by the record
beside the store's directory and that of --erasures.`, oneBackup, runRestore)
	addStoreFlags(cmd)
	cmd.Flags().String("erasures", "", "File with a record of erasures to carry out again")
	return cmd
}

func oneBackup(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("which backup? name one file, or - for the standard input")
	}
	return nil
}

func runRestore(ctx context.Context, cmd *cobra.Command, args []string) (int, error) {
	to, err := storeOf(cmd)
	if err != nil {
		return failed(err)
	}
	in := cmd.InOrStdin()
	if args[0] != "-" {
		file, err := os.Open(args[0])
		if err != nil {
			return failed(err)
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	recorded, err := recordedErasures(cmd, to)
	if err != nil {
		return failed(err)
	}
	var again replayed
	told := newProgress(cmd.ErrOrStderr(), "restore")
	sum, err := filling{to: to, suffix: restoringSuffix, log: commandLog(cmd), told: told, discard: true, then: again.by(to, recorded)}.
		run(ctx, func(st store.Store) (store.Sum, error) { return store.Restore(ctx, st, in, told.entries) })
	if err != nil {
		return failed(fmt.Errorf("nothing was restored: %w", err))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "restore: %d entries, %s in %s\n", sum.Entries, size(sum.Bytes), to.name)
	again.tell(cmd)
	if len(recorded) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "restore: no record of erasures was found beside the store or named by --erasures: whoever was erased after the backup is back")
	}
	return exitDone, nil
}

// filling puts something into an empty store and compares it.
type filling struct {
	to      named
	suffix  string
	log     *slog.Logger
	told    *progress
	discard bool // a directory that was not completed
	// then is done in the end, once everything was compared; nil is nothing.
	then func(context.Context, store.Store) error
}

func (f filling) run(ctx context.Context, fill func(store.Store) (store.Sum, error)) (store.Sum, error) {
	defer f.told.done()
	if f.to.engine != engineBadger {
		st, err := f.to.openRaw(ctx, f.log)
		if err != nil {
			return store.Sum{}, err
		}
		return f.into(ctx, st, f.to.name, fill)
	}
	target, err := beside(f.to.at, f.suffix)
	if err != nil {
		return store.Sum{}, err
	}
	if f.discard {
		if err := os.RemoveAll(target.building); err != nil {
			return store.Sum{}, err
		}
	}
	st, err := openDirectory(target.building, f.log)
	if err != nil {
		return store.Sum{}, err
	}
	sum, err := f.into(ctx, st, target.building, fill)
	switch {
	case err == nil:
		return sum, target.finish()
	case f.discard:
		err = errors.Join(err, os.RemoveAll(target.building))
	}
	return sum, err
}

// into fills a store, closes it, and says so only if it holds what it should.
func (f filling) into(ctx context.Context, st store.Store, where string, fill func(store.Store) (store.Sum, error)) (sum store.Sum, err error) {
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := tracker.Unprepare(ctx, st); err != nil {
		return sum, err
	}
	sum, err = fill(st)
	if errors.Is(err, store.ErrNotEmpty) {
		return sum, fmt.Errorf("%s holds something else already, and is left as it is: %w", where, err)
	}
	if err != nil {
		return sum, err
	}
	again, err := store.SumOf(ctx, st, f.told.entries)
	if err == nil && again != sum {
		err = errors.New("the store does not hold what was written to it")
	}
	if err == nil && f.then != nil {
		err = f.then(ctx, st)
	}
	return sum, err
}
