//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

// options are the command line's.
type options struct {
	parts    string
	dir      string
	sessions int
	within   time.Duration
	timeout  time.Duration
	rate     int
	down     bool
	people   int
	rounds   int
	profile  string
	postgres string
}

func main() {
	var o options
	flag.StringVar(&o.parts, "part", "ends,size", "what to measure, with commas between")
	flag.StringVar(&o.dir, "dir", "", "where the stores are made; default: a new directory of the system's for such files")
	flag.IntVar(&o.sessions, "sessions", 5000, "sessions that end")
	flag.DurationVar(&o.within, "within", 10*time.Second, "the time within which all of them end; 1m at full size")
	flag.DurationVar(&o.timeout, "timeout", 0, "the sessions' timeout; default: twice -within")
	flag.IntVar(&o.rate, "rate", 200, "events a second that go on arriving")
	flag.BoolVar(&o.down, "down", false, "stop before any session is over, and start again when all are")
	flag.IntVar(&o.people, "people", 5000, "people of the large store")
	flag.IntVar(&o.rounds, "rounds", 300, "how often each operation is measured on each store")
	flag.StringVar(&o.profile, "profile", "", "a file for a profile of the processor while sessions end; default: none")
	flag.StringVar(&o.postgres, "postgres", "", "an empty database in which sessions end instead of Badger, as a connection string")
	flag.Parse()
	if o.timeout == 0 {
		o.timeout = 2 * o.within
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	dir, err := os.MkdirTemp(o.dir, "people-")
	if err != nil {
		return fmt.Errorf("making a directory for the stores: %w", err)
	}
	defer func() {
		if gone := os.RemoveAll(dir); err == nil {
			err = gone
		}
	}()
	for part := range strings.SplitSeq(o.parts, ",") {
		switch part {
		case "ends":
			err = measureEnds(ctx, o, dir, out)
		case "size":
			err = measureSize(ctx, o, dir, out)
		default:
			err = fmt.Errorf("part %q: there are ends and size", part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
