package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func erasuresCommand() *cobra.Command {
	cmd := newCommand("erasures [--replay <file>] --store <store> | --config <path> [--adapter <name>]",
		"Shows who was erased, by hashes, or erases them again", `
Writes the record of erasures to the standard output: hashes and times, which
tell nothing to whoever does not have the people. It is what has to be kept
when a database is brought back to an earlier state by its own tools.

With --replay everybody whom such a record names is erased again, as far as the
store has them, and the record is kept with the store. 'caddy people restore'
does so by itself.`, cobra.NoArgs, runErasures)
	addStoreFlags(cmd)
	cmd.Flags().String("replay", "", "File with a record of erasures to carry out again")
	return cmd
}

func runErasures(ctx context.Context, cmd *cobra.Command, _ []string) (int, error) {
	of, err := storeOf(cmd)
	if err == nil {
		err = of.must()
	}
	if err != nil {
		return failed(err)
	}
	var recorded []tracker.Erasure
	file, _ := cmd.Flags().GetString("replay")
	if file != "" {
		if recorded, err = readErasures(file); err != nil {
			return failed(err)
		}
	}
	st, err := of.openRaw(ctx, commandLog(cmd))
	if err != nil {
		return failed(err)
	}
	err = func() error {
		if file != "" {
			var again replayed
			err := again.by(of, recorded)(ctx, st)
			again.tell(cmd)
			return err
		}
		found, err := of.allErasures(ctx, st)
		if err != nil {
			return err
		}
		return tracker.WriteLedger(cmd.OutOrStdout(), found)
	}()
	return failed(errors.Join(err, st.Close()))
}

// recordedErasures are those that a restore carries out again, apart from what
// the backup itself tells.
func recordedErasures(cmd *cobra.Command, to named) (recorded []tracker.Erasure, err error) {
	if to.ledger != "" {
		if recorded, err = to.ledger.Erasures(); err != nil {
			return nil, err
		}
	}
	if file, _ := cmd.Flags().GetString("erasures"); file != "" {
		more, err := readErasures(file)
		return append(recorded, more...), err
	}
	return recorded, nil
}

func readErasures(file string) ([]tracker.Erasure, error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }()
	found, err := tracker.ReadLedger(opened)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return found, nil
}

// allErasures are those in the store and beside it, each once, by time.
func (n named) allErasures(ctx context.Context, st store.Store) ([]tracker.Erasure, error) {
	all, err := tracker.Erasures(ctx, st)
	if err != nil || n.ledger == "" {
		return all, err
	}
	beside, err := n.ledger.Erasures()
	return merged(all, beside), err
}

// merged are several records as one.
func merged(records ...[]tracker.Erasure) []tracker.Erasure {
	all := slices.Concat(records...)
	slices.SortFunc(all, func(a, b tracker.Erasure) int {
		if by := a.At.Compare(b.At); by != 0 {
			return by
		}
		return slices.Compare(a.Profile[:], b.Profile[:])
	})
	return slices.Compact(all)
}

// replayed is how many profiles were erased again.
type replayed int

// by carries out recorded erasures again, with those that the store knows
// itself, and sees to it that all of them stand beside it afterwards.
func (n *replayed) by(to named, recorded []tracker.Erasure) func(context.Context, store.Store) error {
	return func(ctx context.Context, st store.Store) error {
		inside, err := tracker.Erasures(ctx, st)
		if err != nil {
			return err
		}
		all := merged(recorded, inside)
		erased, err := tracker.ReplayErasures(ctx, st, all, time.Now())
		*n += replayed(erased)
		if err != nil || to.ledger == "" {
			return err
		}
		beside, err := to.ledger.Erasures()
		if err != nil {
			return err
		}
		there := make(map[tracker.Erasure]bool, len(beside))
		for _, e := range beside {
			there[e] = true
		}
		missing := slices.DeleteFunc(all, func(e tracker.Erasure) bool { return there[e] })
		if len(missing) == 0 {
			return nil
		}
		return to.ledger.Append(missing)
	}
}

func (n replayed) tell(cmd *cobra.Command) {
	if n > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "erasures: %d profiles were erased again\n", n)
	}
}
