// Package measured is what the benchmarks have in common: quartiles of
// what they measured, and what the kernel says of processes and the machine.
package measured

import (
	"fmt"
	"slices"
)

// Quartiles sum up a list of measurements.
type Quartiles struct{ Low, Median, High float64 }

// Of interpolates between neighbours; those of an empty list are 0.
func Of(list []float64) Quartiles {
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
	return Quartiles{at(0.25), at(0.5), at(0.75)}
}

// String is the median, a tab, and the quartiles in brackets.
func (q Quartiles) String() string {
	return fmt.Sprintf("%.3f\t(%.3f–%.3f)", q.Median, q.Low, q.High)
}
