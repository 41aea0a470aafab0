package caddymodule

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "people",
		Usage: "<command>",
		Short: "Backs up, restores, checks, cleans and moves the store of people_tracking",
		Long: `
Works on the store of people_tracking.

'caddy people backup' asks a running Caddy for a backup, while it goes on
working, and 'caddy people clock' tells one what to think of its clock. The
other commands work on a store that no Caddy has open.

A store is named by --store:

  /var/lib/caddy/people          a directory
  badger:/var/lib/caddy/people   the same
  postgres://user@host/db        a PostgreSQL database
  postgres:host=/run/db user=u   the same, in the other notation

or by --config, as the one that a Caddyfile or JSON configuration names.
Passwords need not stand on the command line: {$PEOPLE_DSN} and
{env.PEOPLE_DSN} are replaced by the environment variable (quote them, so that
the shell does not do it), and no command ever prints a connection string.

Exit codes: 0 done, 1 not done, 2 a check found problems.`,
		CobraFunc: addPeopleCommands,
	})
}

// The exit codes of the commands.
const (
	exitDone     = 0
	exitFailed   = 1
	exitProblems = 2
)

// job is what a command does; it returns the exit code, and with another than
// exitDone the reason.
type job func(ctx context.Context, cmd *cobra.Command, args []string) (int, error)

func addPeopleCommands(parent *cobra.Command) {
	parent.Args = cobra.NoArgs
	parent.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	parent.AddCommand(backupCommand(), restoreCommand(), checkCommand(), purgeCommand(), migrateCommand(), erasuresCommand(), clockCommand())
}

// newCommand is a command that an interrupt ends in order.
func newCommand(use, short, long string, args cobra.PositionalArgs, do job) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Args: args, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(parentContext(cmd), os.Interrupt, syscall.SIGTERM)
			defer stop()
			run := caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return do(ctx, cmd, args) })
			return run(cmd, args)
		},
	}
}

// parentContext is the context a command was executed with; Caddy gives none.
func parentContext(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// failed is the end of a command that could not do what it should.
func failed(err error) (int, error) {
	if err != nil {
		return exitFailed, err
	}
	return exitDone, nil
}

// commandLog is where a store says what is worth knowing while a command works
// on it.
func commandLog(cmd *cobra.Command) *slog.Logger {
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}
