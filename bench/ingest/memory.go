//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// steadyRate is the load of a busy site, in events a second.
const steadyRate = 2_000

// course is how the memory of a side went, in MB.
type course struct{ idle, peak, end, rested, rate float64 }

// measureMemory watches the anonymous memory of plain Caddy and of ours, each
// in a fresh process: flat out, at a steady rate, and after a rest.
func measureMemory(o options, out io.Writer) error {
	flatOut := work{conns: 64, calls: 1, during: o.minute}
	steady := work{conns: 16, calls: 1, perSecond: steadyRate, during: o.minute / 2}
	fmt.Fprintf(out, "\nAnonymous memory, MB: flat out %v with 64 connections, %d events/s for %v, then %v of rest\n", flatOut.during, steadyRate, steady.during, o.rest)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "load\tside\tevents/s\tidle\tpeak\tpeak above plain\tat the end\trested\trested above idle\t")
	for _, load := range []struct {
		name string
		work work
	}{{"flat out", flatOut}, {"steady", steady}} {
		var base course
		for _, side := range []string{plain, ours} {
			c, err := watch(o, side, load.work)
			if err != nil {
				return err
			}
			if side == plain {
				base = c
			}
			fmt.Fprintf(table, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t\n", load.name, side, c.rate, c.idle, c.peak, c.peak-base.peak, c.end, c.rested, c.rested-c.idle)
		}
	}
	return table.Flush()
}

// watch loads a fresh side and reads its memory four times a second.
func watch(o options, side string, w work) (c course, err error) {
	p, err := start(side)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if _, err := p.settle(); err != nil {
		return c, err
	}
	if c.idle, err = p.anonymous(); err != nil {
		return c, err
	}
	if side == plain {
		p.clients.stubs(o)
		w.during = min(w.during, 15*time.Second) // it keeps nothing that could grow
	} else if err := p.clients.acquaint(o); err != nil {
		return c, err
	}
	var done outcome
	var failed error
	over := make(chan struct{})
	go func() {
		defer close(over)
		done, failed = p.clients.load(w)
	}()
	for loaded := true; loaded; {
		select {
		case <-over:
			loaded = false
		case <-time.After(250 * time.Millisecond):
		}
		if c.end, err = p.anonymous(); err != nil {
			break
		}
		c.peak = max(c.peak, c.end)
	}
	<-over
	if err := errors.Join(err, failed); err != nil {
		return c, err
	}
	time.Sleep(o.rest)
	c.rate = done.rate()
	c.rested, err = p.anonymous()
	return c, err
}
