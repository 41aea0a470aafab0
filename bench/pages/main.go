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
	"strings"
	"time"
)

// options are the command line's.
type options struct {
	rounds  int
	window  time.Duration // processor time that one measurement of plain should take
	cases   *regexp.Regexp
	parts   string
	pause   time.Duration // of the upstream, where the first byte is measured
	profile string
	stop    <-chan os.Signal
}

func main() {
	if os.Getenv(peerMark) != "" {
		servePeer(os.Stdin, os.Stdout)
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 40, "how often every case is measured on every side")
	flag.DurationVar(&o.window, "window", 150*time.Millisecond, "processor time of one measurement of the plain side")
	flag.StringVar(&o.parts, "parts", "cpu,counts,firstbyte,memory", "what to measure")
	flag.DurationVar(&o.pause, "pause", 500*time.Millisecond, "how long the upstream pauses within a page")
	flag.StringVar(&o.profile, "cpuprofile", "", "write a profile of all sides to this `file`")
	only := flag.String("case", "", "measure processor time only of the cases that match this `pattern`")
	flag.Parse()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	o.stop = interrupted
	err := func() (err error) {
		if o.cases, err = regexp.Compile(*only); err != nil {
			return fmt.Errorf("reading -case: %w", err)
		}
		return run(o, os.Stdout)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
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
	fmt.Fprintf(out, "%s, %d processors, load %s, %s\n", runtime.Version(), runtime.NumCPU(), load(), time.Now().UTC().Format("15:04"))
	for _, part := range []struct {
		name    string
		measure func(options, io.Writer) error
	}{{"cpu", b.measureCPU}, {"counts", b.measureCounts}, {"firstbyte", b.measureFirstByte}, {"memory", b.measureMemory}} {
		if !strings.Contains(o.parts, part.name) {
			continue
		}
		if err := part.measure(o, out); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nload at the end %s\n", load())
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
