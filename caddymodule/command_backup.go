package caddymodule

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/livechat-people/caddy-people-tracking/store"
)

func backupCommand() *cobra.Command {
	cmd := newAdminCommand("backup --output <file>|- [--force] [--address <interface>] [--config <path> [--adapter <name>]]",
		"Backs up the store of a running Caddy", `
Asks the admin endpoint of a running Caddy for a backup of its store and writes
it to a file. Caddy goes on working; the backup holds every call that was
answered before it began.

The file gets its name once all of it is on the disk and was read again: there
is never half a backup. An existing file is kept, unless --force is given.
With --output - the backup goes to the standard output; it is whole if the exit
code is 0.`, cobra.NoArgs, runBackup)
	cmd.Flags().StringP("output", "o", "", "File to write, or - for the standard output (required)")
	cmd.Flags().Bool("force", false, "Replace an existing file")
	return cmd
}

func runBackup(ctx context.Context, cmd *cobra.Command, _ []string) (int, error) {
	output, _ := cmd.Flags().GetString("output")
	force, _ := cmd.Flags().GetBool("force")
	switch {
	case output == "":
		return failed(errors.New("where to? name a file by --output, or - for the standard output"))
	case output != "-" && !force:
		if _, err := os.Lstat(output); err == nil {
			return failed(fmt.Errorf("%s: %w; --force replaces it", output, fs.ErrExist))
		}
	}
	body, err := requestBackup(ctx, cmd)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = body.Close() }()
	told := newProgress(cmd.ErrOrStderr(), "backup")
	in := &counting{Reader: body, tell: told.bytes}
	var sum store.Sum
	if output == "-" {
		sum, err = store.VerifyBackup(ctx, io.TeeReader(in, cmd.OutOrStdout()))
	} else {
		sum, err = saveBackup(ctx, in, output, force)
	}
	told.done()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return failed(fmt.Errorf("no backup was made: %w", err))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "backup: whole, %d entries, %s\n", sum.Entries, size(in.n))
	return exitDone, nil
}

// requestBackup begins a backup. Its body ends early when ctx does.
func requestBackup(ctx context.Context, cmd *cobra.Command) (io.ReadCloser, error) {
	response, err := requestAdmin(cmd, http.MethodGet, backupPath)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = response.Body.Close() })
	return response.Body, nil
}

// saveBackup writes a backup beside its place, reads it again, and gives it its
// name.
func saveBackup(ctx context.Context, in io.Reader, output string, force bool) (sum store.Sum, err error) {
	file, err := os.CreateTemp(filepath.Dir(output), "."+filepath.Base(output)+"-*.partial") // 0600
	if err != nil {
		return sum, err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	defer func() { err = errors.Join(err, closing(file)) }()
	if _, err := io.Copy(file, in); err != nil {
		return sum, fmt.Errorf("receiving: %w", err)
	}
	if err := file.Sync(); err != nil {
		return sum, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return sum, err
	}
	if sum, err = store.VerifyBackup(ctx, bufio.NewReader(file)); err != nil {
		return sum, err
	}
	return sum, publish(file.Name(), output, force)
}

func closing(file *os.File) error {
	if err := file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// publish gives a finished file its name. Without force a file that appeared
// there meanwhile is kept: making a link fails then, which renaming would not.
func publish(from, to string, force bool) error {
	var err error
	if force {
		err = os.Rename(from, to)
	} else if err = os.Link(from, to); errors.Is(err, errors.ErrUnsupported) {
		err = os.Rename(from, to)
	}
	if err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(to))
}

// counting tells how much was read.
type counting struct {
	io.Reader
	n    uint64
	tell func(uint64)
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += uint64(n) //nolint:gosec // never negative
	c.tell(c.n)
	return n, err
}
