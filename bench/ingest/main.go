//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

// options are the command line's.
type options struct {
	parts   []string
	rounds  int
	turn    time.Duration // how long one side is measured at a time
	cases   *regexp.Regexp
	devices int // browsers that are known
	active  int // of them at a time
	merged  int // events of the visitor that is merged
	minute  time.Duration
	rest    time.Duration
	profile string
}

func main() {
	if side := os.Getenv(sideMark); side != "" {
		serveSide(side, os.Stdin, os.Stdout)
		return
	}
	var o options
	chosen := flag.String("part", "rate,transactions,merge,memory", "what to measure, with commas between")
	flag.IntVar(&o.rounds, "rounds", 12, "how often every case is measured on every side")
	flag.DurationVar(&o.turn, "turn", time.Second, "how long a side is measured at a time")
	only := flag.String("cases", "", "measure rates only of the cases that match this `pattern`")
	flag.IntVar(&o.devices, "devices", 20_000, "browsers that are known")
	flag.IntVar(&o.active, "active", 5_000, "browsers that are active at a time")
	flag.IntVar(&o.merged, "merged", 100_000, "events of the visitor whose merge is measured")
	flag.DurationVar(&o.minute, "flatout", time.Minute, "how long memory is watched flat out; half of it at a steady rate")
	flag.DurationVar(&o.rest, "rest", 15*time.Second, "how long memory may take to come back")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a profile of our side in part rate to this `file`")
	flag.Parse()
	err := o.read(*chosen, *only)
	if err == nil {
		err = run(o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// parts are all that can be measured, in the order in which they are.
var parts = []struct {
	name    string
	measure func(options, io.Writer) error
}{
	{"rate", measureRate},
	{"transactions", measureTransactions},
	{"merge", measureMerge},
	{"memory", measureMemory},
}

func (o *options) read(chosen, only string) (err error) {
	known := make([]string, len(parts))
	for i, p := range parts {
		known[i] = p.name
	}
	for _, name := range strings.Split(chosen, ",") {
		if !slices.Contains(known, name) {
			return fmt.Errorf("-part: %q is none of %s", name, strings.Join(known, ", "))
		}
		o.parts = append(o.parts, name)
	}
	if o.rounds < 1 {
		return fmt.Errorf("-rounds: %d is too few", o.rounds)
	}
	if o.devices < mostConns || o.active < mostConns {
		return fmt.Errorf("-devices and -active: at least %d, one for each connection", mostConns)
	}
	if o.cases, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("-cases: %w", err)
	}
	return nil
}

func run(o options, out io.Writer) error {
	fmt.Fprintf(out, "%s, %d processors, load %s, %s\n", runtime.Version(), runtime.NumCPU(), measured.Load(), time.Now().UTC().Format("15:04"))
	for _, p := range parts {
		if !slices.Contains(o.parts, p.name) {
			continue
		}
		if err := p.measure(o, out); err != nil {
			return fmt.Errorf("part %s: %w", p.name, err)
		}
	}
	fmt.Fprintf(out, "\nload at the end %s\n", measured.Load())
	return nil
}
