//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

func describeEnds(o options, s seen, late []time.Duration) string {
	var out strings.Builder
	over, early := 0, 0
	for _, d := range late {
		if d > promised {
			over++
		}
		if d < 0 {
			early++
		}
	}
	fmt.Fprintf(&out, "%d sessions, opened in %.1f s, timeout %s, %d events a second from other browsers\n\n", o.sessions, s.opened.Seconds(), o.timeout, o.rate)
	fmt.Fprintf(&out, "Session ended on disk: %d, of them later than %s: %d, early: %d\n", len(late), promised, over, early)
	fmt.Fprintf(&out, "Processor time while they ended: %.2f s; load of the machine: %s\n\n", s.processor.Seconds(), measured.Load())
	out.WriteString("| | n | median | 99 % | longest |\n| --- | --- | --- | --- | --- |\n")
	for _, row := range []struct {
		name string
		took []time.Duration
	}{
		{what(o), late},
		{"events while sessions are opened", s.opening},
		{"events while nothing else happens", s.rest},
		{"events while sessions end", s.endings},
	} {
		fmt.Fprintf(&out, "| %s | %d | %s | %s | %s |\n", row.name, len(row.took), in(row.took, 0.5), in(row.took, 0.99), in(row.took, 1))
	}
	return out.String() + "\n"
}

func what(o options) string {
	if o.down {
		return "Session ended, after the start"
	}
	return "Session ended, after its moment"
}

// in writes a quantile in milliseconds.
func in(took []time.Duration, share float64) string {
	if len(took) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f ms", float64(quantile(took, share))/float64(time.Millisecond))
}

func quantile(took []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
