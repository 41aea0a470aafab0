//go:build linux

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

// options are the command line's.
type options struct {
	rounds  int
	window  time.Duration // processor time that one measurement of plain should take
	cases   *regexp.Regexp
	parts   []string
	pause   time.Duration // of the upstream, where the first byte is measured
	profile string
	stop    <-chan os.Signal
}

func main() {
	if os.Getenv(peerMark) != "" {
		signal.Ignore(os.Interrupt) // a terminal sends it to both
		servePeer(os.Stdin, os.Stdout)
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 40, "how often every case is measured on every side")
	flag.DurationVar(&o.window, "window", 150*time.Millisecond, "processor time of one measurement of the plain side")
	chosen := flag.String("parts", "cpu,counts,firstbyte,memory", "what to measure, with commas between")
	flag.DurationVar(&o.pause, "pause", 500*time.Millisecond, "how long the upstream pauses within a page")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a profile of all sides to this `file`")
	only := flag.String("case", "", "measure processor time only of the cases that match this `pattern`")
	flag.Parse()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	o.stop = interrupted
	err := o.read(*chosen, *only)
	if err == nil {
		err = run(o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// part is something that can be measured.
type part struct {
	name    string
	measure func(*bench, options, io.Writer) error
}

// parts are all of them, in the order in which they are measured.
var parts = []part{
	{"cpu", (*bench).measureCPU},
	{"counts", (*bench).measureCounts},
	{"firstbyte", (*bench).measureFirstByte},
	{"memory", (*bench).measureMemory},
}

// read takes what needs more than flag does.
func (o *options) read(chosen, only string) (err error) {
	o.parts = strings.Split(chosen, ",")
	for _, name := range o.parts {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return fmt.Errorf("-parts: %q is none of cpu, counts, firstbyte, memory", name)
		}
	}
	if o.rounds < 1 {
		return fmt.Errorf("-rounds: %d is too few", o.rounds)
	}
	if o.cases, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("-case: %w", err)
	}
	return nil
}

// run measures the chosen parts and prints their tables. An interrupt ends a
// part early, with the rounds there are.
func run(o options, out io.Writer) error {
	b, err := newBench()
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.compare(); err != nil {
		return err
	}
	if o.profile != "" {
		file, err := os.Create(o.profile)
		if err != nil {
			return fmt.Errorf("writing the profile: %w", err)
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return fmt.Errorf("starting the profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Fprintf(out, "%s, %d processors, load %s, %s\n", runtime.Version(), runtime.NumCPU(), measured.Load(), time.Now().UTC().Format("15:04"))
	for _, part := range parts {
		if !slices.Contains(o.parts, part.name) {
			continue
		}
		if err := part.measure(b, o, out); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nload at the end %s\n", measured.Load())
	return nil
}

// stopped tells whether the operator wants to see what there is.
func (o options) stopped() bool {
	select {
	case <-o.stop:
		return true
	default:
		return false
	}
}
