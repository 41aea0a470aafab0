package store

import (
	"bytes"
	"iter"
)

// Entries walks a whole range of one snapshot, whose Limit is how many entries
// are read at a time, by default MaxScan. What is written meanwhile behind the
// place where the walk is, in the same transaction, may be met or not. An error
// of the reader comes last, with an empty entry.
func Entries(r Reader, of Range) iter.Seq2[Entry, error] {
	if of.Limit == 0 {
		of.Limit = MaxScan
	}
	return func(yield func(Entry, error) bool) {
		for next, more := of, true; more; {
			page, err := r.Scan(next)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if more = len(page) == next.Limit; more {
				// A copy: the keys are the caller's as soon as they are handed out.
				next = after(next, bytes.Clone(page[len(page)-1].Key))
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}
