//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

// kase is one way to send calls.
type kase struct{ calls, conns int }

func (k kase) String() string {
	calls := "1 call"
	if k.calls > 1 {
		calls = fmt.Sprint(k.calls, " calls")
	}
	return fmt.Sprintf("%s, %d connections", calls, k.conns)
}

var rateCases = []kase{{1, 16}, {1, 64}, {1, 256}, {10, 16}, {10, 64}, {10, 256}}

// turns are the measurements of one case on one side, one a round.
type turns struct{ rate, cpu, p50, p99 []float64 } // events/s, µs an event, ms

// measureRate measures rate, processor time and latency beside the bare file.
func measureRate(o options, out io.Writer) error {
	return compare(o, out, []string{file, control, ours}, rateCases)
}

// measureTransactions measures the same beside one transaction per request.
func measureTransactions(o options, out io.Writer) error {
	o.rounds = max(1, o.rounds/3)
	return compare(o, out, []string{transactions, ours}, []kase{{1, 16}, {1, 64}, {1, 256}})
}

// compare measures sides, the first of which is the base.
func compare(o options, out io.Writer, sides []string, cases []kase) (err error) {
	var chosen []kase
	for _, k := range cases {
		if o.cases == nil || o.cases.MatchString(k.String()) {
			chosen = append(chosen, k)
		}
	}
	all, err := startAll(o, sides...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll(all)) }()
	found := make([]map[string]*turns, len(chosen))
	for i := range chosen {
		found[i] = map[string]*turns{}
		for _, side := range sides {
			found[i][side] = &turns{}
		}
	}
	if o.profile != "" {
		if _, err := all[len(all)-1].ask(asked{Profile: o.profile}); err != nil {
			return err
		}
	}
	for round := range o.rounds {
		for i, k := range chosen {
			for n := range all {
				p := all[(n+round+i)%len(all)]
				if err := p.take(found[i][p.side], k, o.turn); err != nil {
					return err
				}
			}
		}
	}
	if o.profile != "" {
		if _, err := all[len(all)-1].ask(asked{End: true}); err != nil {
			return err
		}
	}
	printRates(out, o, sides, chosen, found)
	return nil
}

// take measures one turn of a side.
func (p *process) take(into *turns, k kase, during time.Duration) error {
	before, err := p.settle()
	if err != nil {
		return err
	}
	done, err := p.clients.load(work{conns: k.conns, calls: k.calls, during: during})
	if err != nil {
		return fmt.Errorf("%s, %v: %w", p.side, k, err)
	}
	after, err := p.settle()
	into.rate = append(into.rate, done.rate())
	into.cpu = append(into.cpu, 1e6*(after-before).Seconds()/float64(done.events))
	into.p50 = append(into.p50, 1e3*done.p50.Seconds())
	into.p99 = append(into.p99, 1e3*done.p99.Seconds())
	return err
}

func printRates(out io.Writer, o options, sides []string, chosen []kase, found []map[string]*turns) {
	base := sides[0]
	fmt.Fprintf(out, "\nDurable events, %d rounds of %v a side; ratios to %s: median (quartiles)\n", o.rounds, o.turn, base)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "case\tside\tevents/s\tof "+base+"\t\tCPU µs an event\tof "+base+"\t\tp50 ms\tp99 ms\tp99 of "+base+"\t\t")
	for i, k := range chosen {
		b := found[i][base]
		for _, side := range sides {
			t := found[i][side]
			fmt.Fprintf(table, "%v\t%s\t%.0f\t%v\t%.1f\t%v\t%.2f\t%.2f\t%v\t\n", k, side,
				measured.Of(t.rate).Median, ratios(t.rate, b.rate), measured.Of(t.cpu).Median, ratios(t.cpu, b.cpu),
				measured.Of(t.p50).Median, measured.Of(t.p99).Median, ratios(t.p99, b.p99))
		}
	}
	_ = table.Flush() // as with every other line of the report
}

// ratios compares round by round.
func ratios(list, base []float64) measured.Quartiles {
	out := make([]float64, len(list))
	for i := range list {
		out[i] = list[i] / base[i]
	}
	return measured.Of(out)
}
