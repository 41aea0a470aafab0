//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

// mergeRounds is how many visitors of each size become leads.
const mergeRounds = 5

// measureMerge measures the call that makes a visitor a lead, with its whole
// timeline, for a visitor of one event and one of very many.
func measureMerge(o options, out io.Writer) (err error) {
	p, err := start(ours)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.clients.connect(1); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(3, 4))
	fmt.Fprintf(out, "\nThe call that merges a visitor into a lead, synced, ms: %d of each\n", mergeRounds)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "events\tfastest\tmedian\tslowest\t")
	for _, events := range []int{1, o.merged} {
		var took []float64
		for range mergeRounds {
			ms, err := p.mergeOne(newDevice(random), events)
			if err != nil {
				return err
			}
			took = append(took, ms)
		}
		q := measured.Of(took)
		fmt.Fprintf(table, "%d\t%.2f\t%.2f\t%.2f\t\n", events, slices.Min(took), q.Median, slices.Max(took))
	}
	return table.Flush()
}

func (p *process) mergeOne(d *device, events int) (ms float64, err error) {
	conn := p.clients.conns[0]
	const most = 100 // calls a request
	for left := events; left > 0; left -= most {
		if err := conn.track(d, min(left, most)); err != nil {
			return 0, err
		}
	}
	if _, err := p.settle(); err != nil {
		return 0, err
	}
	conn.body = d.chatStarted(conn.body[:0], time.Now().UTC())
	began := time.Now()
	_, body, err := conn.send(d)
	took := time.Since(began)
	if err == nil && between(body, `"success":`, ",") != "true" {
		err = fmt.Errorf("the merge was refused: %s", body)
	}
	return 1e3 * took.Seconds(), err
}
