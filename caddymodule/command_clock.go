package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func clockCommand() *cobra.Command {
	parent := &cobra.Command{
		Use: "clock <command>", Short: "Decides about the clock of a running Caddy", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	parent.AddCommand(newAdminCommand("accept [--address <interface>] [--config <path> [--adapter <name>]]",
		"Takes the clock as it is, and goes on ending sessions", `
When the clock of a machine was set by more than five minutes, or differs by
that from the database's, sessions do not end and nothing expires until the
clocks have agreed for an hour. A clock that is far ahead of the time at which
the store was last in use keeps visitors and events from being deleted for as
long. This command tells a running Caddy that the clocks are right as they are:
what is over by them ends now. Each proxy has a clock of its own.`, cobra.NoArgs, runAcceptClock))
	return parent
}

// newAdminCommand is a command to a running Caddy.
func newAdminCommand(use, short, long string, args cobra.PositionalArgs, do job) *cobra.Command {
	cmd := newCommand(use, short, long, args, do)
	cmd.Flags().String("address", "", "Address of the administration API listener (if --config is not used)")
	cmd.Flags().StringP("config", "c", "", "Configuration file (if --address is not used)")
	cmd.Flags().StringP("adapter", "a", "", "Name of config adapter to apply (if --config is used)")
	return cmd
}

func runAcceptClock(_ context.Context, cmd *cobra.Command, _ []string) (int, error) {
	response, err := requestAdmin(cmd, http.MethodPost, clockPath)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer acceptedClock
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return failed(fmt.Errorf("reading the answer: %w", err))
	}
	if answer.Accepted == "" {
		answer.Accepted = "the clock was not in doubt"
	} else {
		answer.Accepted = "accepted: " + answer.Accepted
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "clock: %s; it is %s\n", answer.Accepted, answer.Now.Format(time.RFC3339))
	return exitDone, nil
}

// requestAdmin asks the admin endpoint of a running Caddy.
func requestAdmin(cmd *cobra.Command, method, path string) (*http.Response, error) {
	address, _ := cmd.Flags().GetString("address")
	config, _ := cmd.Flags().GetString("config")
	adapter, _ := cmd.Flags().GetString("adapter")
	address, err := caddycmd.DetermineAdminAPIAddress(address, nil, config, adapter)
	if err != nil {
		return nil, fmt.Errorf("the address of the admin endpoint: %w", err)
	}
	response, err := caddycmd.AdminAPIRequest(address, method, path, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the Caddy whose admin endpoint is %s (--address or --config name another): %w", address, err)
	}
	return response, nil
}
