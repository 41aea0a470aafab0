//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

// counts are what one request takes of things that can be counted: no other
// program on the machine changes them.
type counts struct{ allocations, bytes, reads, writes float64 }

func readCounts() (c counts, err error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.allocations, c.bytes = float64(m.Mallocs), float64(m.TotalAlloc)
	if c.reads, err = measured.Counted(os.Getpid(), "io", "syscr"); err != nil {
		return c, err
	}
	c.writes, err = measured.Counted(os.Getpid(), "io", "syscw")
	return c, err
}

func (c counts) String() string {
	return fmt.Sprintf("%.1f\t%.1f\t%.1f\t%.1f", c.allocations, c.bytes/1024, c.reads, c.writes)
}

// less gives the difference, of one request out of n.
func (c counts) less(before counts, n float64) counts {
	return counts{(c.allocations - before.allocations) / n, (c.bytes - before.bytes) / n, (c.reads - before.reads) / n, (c.writes - before.writes) / n}
}

// measureCounts counts once for every case and side. How many connections there
// are makes no difference.
func (b *bench) measureCounts(o options, out io.Writer) error {
	fmt.Fprintf(out, "\nCounted a request: allocations, KB allocated, reads and writes of the kernel's\n")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "case\tplain\tKB\treads\twrites\tours more\tKB\treads\twrites\tcontrol more\tKB\treads\twrites\t")
	for _, k := range cases() {
		if o.stopped() || k.conns > 1 || o.cases != nil && !o.cases.MatchString(k.name) {
			continue
		}
		var found [sides]counts
		for side := range sides {
			requests := 5 * o.rounds
			if _, _, err := b.spend(k, side, 2); err != nil {
				return err
			}
			before, err := readCounts()
			if err != nil {
				return err
			}
			if _, _, err := b.spend(k, side, requests); err != nil {
				return err
			}
			after, err := readCounts()
			if err != nil {
				return err
			}
			found[side] = after.less(before, float64(requests))
		}
		fmt.Fprintf(table, "%s\t%v\t%v\t%v\n", k.name, found[plain], found[ours].less(found[plain], 1), found[control].less(found[plain], 1))
	}
	return table.Flush()
}
