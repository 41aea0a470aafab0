//go:build linux

package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

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
			for _, side := range inOrder(round) {
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
			measured.Of(first[plain]).Median, first.differences(ours), first.differences(control),
			measured.Of(all[plain]).Median, all.differences(ours), all.differences(control))
	}
	return table.Flush()
}
