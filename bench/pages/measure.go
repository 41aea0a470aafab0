//go:build linux

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

// series are the measurements of one case, one a round on each side.
type series [sides][]float64

// ratios compares a side with plain, round by round.
func (s series) ratios(side int) measured.Quartiles {
	var list []float64
	for round, base := range s[plain] {
		list = append(list, s[side][round]/base)
	}
	return measured.Of(list)
}

// differences is the same with subtraction.
func (s series) differences(side int) measured.Quartiles {
	var list []float64
	for round, base := range s[plain] {
		list = append(list, s[side][round]-base)
	}
	return measured.Of(list)
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
			for _, side := range inOrder(rounds + i) {
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
			1e6*measured.Of(cpu[i][plain]).Median, cpu[i].ratios(ours), cpu[i].ratios(control),
			1e6*measured.Of(latency[i][plain]).Median, latency[i].ratios(ours), latency[i].ratios(control))
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
	if window == 0 {
		return requests, nil
	}
	spent, _, err := b.spend(k, plain, requests)
	if err != nil {
		return 0, err
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
	before, err := measured.Processor()
	if err != nil {
		return 0, 0, err
	}
	done, err := b.peer.do(order{Address: b.sites[k.site][side], Path: k.path, Header: k.header(), Conns: k.conns, Requests: requests})
	if err != nil {
		return 0, 0, err
	}
	after, err := measured.Processor()
	return (after - before) / time.Duration(requests), done.P50, err
}
