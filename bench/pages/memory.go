//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"text/tabwriter"
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
			before, err := memory("VmRSS:")
			if err != nil {
				return err
			}
			if _, _, err := b.spend(k, side, 20*k.conns); err != nil {
				return err
			}
			after, err := memory("VmHWM:")
			if err != nil {
				return err
			}
			peak[side] = append(peak[side], after-before)
		}
	}
	fmt.Fprintf(out, "\nPeak of resident memory above rest, 16 connections with pages of 1 MB, MB: median (quartiles)\n")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "plain\t\tours\t\tcontrol\t\tours less plain\t\tcontrol less plain\t")
	fmt.Fprintf(table, "%v\t%v\t%v\t%v\t%v\n", quarter(peak[plain]), quarter(peak[ours]), quarter(peak[control]),
		peak.differences(ours), peak.differences(control))
	return table.Flush()
}

// memory reads one of this process's figures, in MB.
func memory(name string) (float64, error) {
	kilobytes, err := figure("/proc/self/status", name)
	return kilobytes / 1024, err
}

// figure reads a line "name: number" of a file of the kernel's.
func figure(file, name string) (float64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("reading what the kernel counts: %w", err)
	}
	for line := range bytes.Lines(text) {
		if fields := strings.Fields(string(line)); len(fields) > 1 && fields[0] == name {
			return strconv.ParseFloat(fields[1], 64)
		}
	}
	return 0, fmt.Errorf("no %s in %s", name, file)
}
