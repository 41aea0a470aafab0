//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"text/tabwriter"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

// measureMemory measures how far the resident memory rises while 16 clients
// fetch pages of 1 MB.
func (b *bench) measureMemory(o options, out io.Writer) error {
	var peak series
	k := kase{site: bare, path: "/1m", dest: "document", accept: acceptPage, conns: 16}
	for round := 0; round < min(o.rounds, 10) && !o.stopped(); round++ {
		for _, side := range inOrder(round) {
			debug.FreeOSMemory()
			if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
				return fmt.Errorf("resetting the peak: %w", err)
			}
			before, err := measured.Memory(os.Getpid(), "VmRSS")
			if err != nil {
				return err
			}
			if _, _, err := b.spend(k, side, 20*k.conns); err != nil {
				return err
			}
			after, err := measured.Memory(os.Getpid(), "VmHWM")
			if err != nil {
				return err
			}
			peak[side] = append(peak[side], after-before)
		}
	}
	fmt.Fprintf(out, "\nPeak of resident memory above rest, 16 connections with pages of 1 MB, MB: median (quartiles)\n")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "plain\t\tours\t\tcontrol\t\tours less plain\t\tcontrol less plain\t")
	fmt.Fprintf(table, "%v\t%v\t%v\t%v\t%v\n", measured.Of(peak[plain]), measured.Of(peak[ours]), measured.Of(peak[control]),
		peak.differences(ours), peak.differences(control))
	return table.Flush()
}
