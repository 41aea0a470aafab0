//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// series are the measurements of one case, one a round on each side.
type series [sides][]float64

// ratios compares a side with plain, round by round.
func (s series) ratios(side int) quartiles {
	var list []float64
	for round, base := range s[plain] {
		list = append(list, s[side][round]/base)
	}
	return quarter(list)
}

// differences is the same with subtraction.
func (s series) differences(side int) quartiles {
	var list []float64
	for round, base := range s[plain] {
		list = append(list, s[side][round]-base)
	}
	return quarter(list)
}

type quartiles struct{ low, median, high float64 }

func (q quartiles) String() string {
	return fmt.Sprintf("%.3f\t(%.3f–%.3f)", q.median, q.low, q.high)
}

// quarter interpolates between neighbours.
func quarter(list []float64) quartiles {
	sorted := slices.Sorted(slices.Values(list))
	at := func(part float64) float64 {
		if len(sorted) == 0 {
			return 0
		}
		place := part * float64(len(sorted)-1)
		below := int(place)
		above := min(below+1, len(sorted)-1)
		return sorted[below] + (sorted[above]-sorted[below])*(place-float64(below))
	}
	return quartiles{at(0.25), at(0.5), at(0.75)}
}

// measureCPU measures processor time and latency of every case.
func (b *bench) measureCPU(o options, out io.Writer) error {
	var chosen []kase
	for _, k := range cases() {
		if o.cases == nil || o.cases.MatchString(k.name) {
			chosen = append(chosen, k)
		}
	}
	cpu, latency := make([]series, len(chosen)), make([]series, len(chosen))
	requests := make([]int, len(chosen))
	rounds := 0
	for ; rounds < o.rounds && !o.stopped(); rounds++ {
		for i, k := range chosen {
			if rounds == 0 {
				var err error
				if requests[i], err = b.calibrate(k, o.window); err != nil {
					return err
				}
			}
			for turn := range sides {
				side := (turn + rounds + i) % sides
				spent, p50, err := b.spend(k, side, requests[i])
				if err != nil {
					return err
				}
				cpu[i][side] = append(cpu[i][side], spent.Seconds())
				latency[i][side] = append(latency[i][side], p50.Seconds())
			}
		}
	}
	fmt.Fprintf(out, "\nProcessor time a request and median latency, ratios to plain of %d rounds: median (quartiles)\n", rounds)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "case\tplain µs\tCPU\t\tCPU control\t\tplain p50 µs\tp50\t\tp50 control\t")
	for i, k := range chosen {
		fmt.Fprintf(table, "%s\t%.0f\t%v\t%v\t%.0f\t%v\t%v\n", k.name,
			1e6*quarter(cpu[i][plain]).median, cpu[i].ratios(ours), cpu[i].ratios(control),
			1e6*quarter(latency[i][plain]).median, latency[i].ratios(ours), latency[i].ratios(control))
	}
	return table.Flush()
}

// calibrate warms all sides up and finds how many requests fill the window.
func (b *bench) calibrate(k kase, window time.Duration) (int, error) {
	requests := 2 * k.conns
	for side := range sides {
		if _, _, err := b.spend(k, side, requests); err != nil {
			return 0, err
		}
	}
	spent, _, err := b.spend(k, plain, requests)
	if err != nil || window == 0 {
		return requests, err
	}
	// The first requests are dearer than the rest: ask once more.
	requests = max(requests, min(200, int(window/spent)))
	if spent, _, err = b.spend(k, plain, requests); err != nil {
		return 0, err
	}
	return max(2*k.conns, int(window/max(spent, 1))), nil
}

// spend gives processor time of this process and latency, a request.
func (b *bench) spend(k kase, side, requests int) (cpu, p50 time.Duration, err error) {
	before, err := processorTime()
	if err != nil {
		return 0, 0, err
	}
	done, err := b.peer.do(order{Address: b.sites[k.site][side], Path: k.path, Header: k.header(), Conns: k.conns, Requests: requests})
	if err != nil {
		return 0, 0, err
	}
	after, err := processorTime()
	return (after - before) / time.Duration(requests), done.P50, err
}

func processorTime() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("reading the processor time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// measureFirstByte measures what arrives while the upstream pauses.
func (b *bench) measureFirstByte(o options, out io.Writer) error {
	fmt.Fprintf(out, "\nTime until the first byte and until all that came before a pause of %v, ms, ours and control less plain: median (quartiles)\n", o.pause)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "pause\tplain first\tours\t\tcontrol\t\tplain all\tours\t\tcontrol\t")
	for _, place := range []struct {
		at, query string
		site      variant
	}{
		{"before head", "charset=;+charset%3Dutf-8", bare},
		{"inside head", "charset=;+charset%3Dutf-8", bare},
		{"after head", "charset=;+charset%3Dutf-8", bare},
		{"inside head", "charset=;+charset%3Dutf-8&length=1", flushes},
		{"after head", "charset=;+charset%3Dutf-8&length=1", flushes},
		{"inside head", "charset=", bare},
	} {
		var first, all series
		path := "/slow/" + url.PathEscape(place.at) + "?" + strings.ReplaceAll(place.query, ";", "%3B") + "&pause=" + o.pause.String()
		for round := 0; round < min(o.rounds, 10) && !o.stopped(); round++ {
			for turn := range sides {
				side := (turn + round) % sides
				k := kase{site: place.site, dest: "document", accept: acceptPage}
				done, err := b.peer.do(order{Address: b.sites[k.site][side], Path: path, Header: k.header(), Conns: 1, Pause: true})
				if err != nil {
					return err
				}
				first[side] = append(first[side], 1e3*done.First.Seconds())
				all[side] = append(all[side], 1e3*done.Mark.Seconds())
			}
		}
		name := place.at
		if strings.Contains(place.query, "length") {
			name += ", length known"
		}
		if place.query == "charset=" {
			name += ", encoding open"
		}
		fmt.Fprintf(table, "%s\t%.2f\t%v\t%v\t%.2f\t%v\t%v\n", name,
			quarter(first[plain]).median, first.differences(ours), first.differences(control),
			quarter(all[plain]).median, all.differences(ours), all.differences(control))
	}
	return table.Flush()
}

// measureMemory measures how far the resident memory rises while 16 clients
// fetch pages of 1 MB.
func (b *bench) measureMemory(o options, out io.Writer) error {
	var peak series
	k := kase{site: bare, path: "/1m", dest: "document", accept: acceptPage, conns: 16}
	for round := 0; round < min(o.rounds, 10) && !o.stopped(); round++ {
		for turn := range sides {
			side := (turn + round) % sides
			debug.FreeOSMemory()
			if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
				return fmt.Errorf("resetting the peak: %w", err)
			}
			before, err := memory("VmRSS")
			if err != nil {
				return err
			}
			if _, _, err := b.spend(k, side, 20*k.conns); err != nil {
				return err
			}
			after, err := memory("VmHWM")
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
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("reading the memory: %w", err)
	}
	for line := range bytes.Lines(status) {
		if fields := strings.Fields(string(line)); len(fields) > 1 && fields[0] == name+":" {
			kilobytes, err := strconv.ParseFloat(fields[1], 64)
			return kilobytes / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in the status of this process", name)
}

// load is the machine's average load of the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return minute
}
