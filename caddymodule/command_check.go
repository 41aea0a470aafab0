package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func checkCommand() *cobra.Command {
	cmd := newCommand("check --store <store> | --config <path> [--adapter <name>]",
		"Checks that a store is consistent", `
Reads a whole store and holds it against the rules of its layout: every record
can be read, names what is there and is found from where it has to be. Each
problem is a line on the standard output, without any person's data; the exit
code is 2 if there is one. Nothing is changed.

With --lifetimes, sessions and deadlines are held against the lifetimes of the
configuration as well. That is right only if they were never changed.`, cobra.NoArgs, runCheck)
	addStoreFlags(cmd)
	cmd.Flags().Bool("lifetimes", false, "Hold sessions against the lifetimes of --config, which were never changed")
	return cmd
}

func runCheck(ctx context.Context, cmd *cobra.Command, _ []string) (int, error) {
	of, err := storeOf(cmd)
	if err != nil {
		return failed(err)
	}
	opts, err := checkOptions(cmd)
	if err != nil {
		return failed(err)
	}
	if err := of.must(); err != nil {
		return failed(err)
	}
	st, err := of.openRaw(ctx, commandLog(cmd))
	if err != nil {
		return failed(err)
	}
	told := newProgress(cmd.ErrOrStderr(), "check")
	opts.Progress = func(n uint64) {
		told.say(func() string { return fmt.Sprintf("check: %d entries", n) })
	}
	result, err := tracker.Check(ctx, st, opts, func(p tracker.Problem) {
		told.done()
		fmt.Fprintln(cmd.OutOrStdout(), p)
	})
	told.done()
	if err = errors.Join(err, st.Close()); err != nil {
		return failed(err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "check: %d entries (%s)\n", result.Total(), tables(result))
	if result.Problems > 0 {
		return exitProblems, fmt.Errorf("the store has problems: %d", result.Problems)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "check: ok")
	return exitDone, nil
}

// tables are the sizes of the tables by their letters.
func tables(result tracker.CheckResult) string {
	var parts []string
	for table, n := range result.Entries {
		parts = append(parts, fmt.Sprintf("%c %d", table, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func checkOptions(cmd *cobra.Command) (tracker.CheckOptions, error) {
	var opts tracker.CheckOptions
	if wanted, _ := cmd.Flags().GetBool("lifetimes"); !wanted {
		return opts, nil
	}
	app, err := configuredApp(cmd)
	if err != nil {
		return opts, err
	}
	if app == nil {
		return opts, errors.New("--lifetimes are those of --config, which is missing")
	}
	opts.SessionTimeout = cmp.Or(time.Duration(app.SessionTimeout), tracker.DefaultSessionTimeout)
	opts.VisitorTTL = cmp.Or(time.Duration(app.VisitorTTL), tracker.DefaultVisitorTTL)
	opts.ChatSessionTTL = cmp.Or(time.Duration(app.ChatSessionTTL), tracker.DefaultChatSessionTTL)
	opts.AuthSessionTTL = cmp.Or(time.Duration(app.AuthSessionTTL), tracker.DefaultAuthSessionTTL)
	return opts, nil
}
