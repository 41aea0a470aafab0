package badger

import (
	"bytes"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// cursor is a snapshot's iterator of one direction. Badger counts a reference
// to each table that an iterator may come to, when it is opened and when it is
// closed: over a store of a thousand tables that takes longer than a scan. So it
// is opened over the few that a scan needs. A view that scans on and on in other
// places, as the list does for each person, gets wider ones after some of those,
// until one does for all.
type cursor struct {
	it     *engine.Iterator // nil before the first scan
	prefix []byte           // of all keys that it comes to
	opened int
}

// mostNarrow is how many iterators over few tables take about as long to open as
// one over very many.
const mostNarrow = 8

// over returns an iterator that comes to all keys of r.
func (c *cursor) over(txn *engine.Txn, r store.Range) *engine.Iterator {
	prefix := sharedPrefix(r.From, r.To)
	if c.it != nil {
		if bytes.HasPrefix(prefix, c.prefix) {
			return c.it
		}
		if c.opened >= mostNarrow {
			prefix = sharedPrefix(prefix, c.prefix)
		}
		c.it.Close()
	}
	c.prefix = bytes.Clone(prefix)
	c.opened++
	// Values are in the tables beside their keys: fetching them ahead only costs
	// goroutines and copies.
	c.it = txn.NewIterator(engine.IteratorOptions{Reverse: r.Reverse, AllVersions: true, Prefix: c.prefix})
	return c.it
}

func (c *cursor) close() {
	if c.it != nil {
		c.it.Close()
	}
}

// sharedPrefix is what a and b, and all keys between them, begin with. A nil b
// is the end of all keys, which shares nothing.
func sharedPrefix(a, b []byte) []byte {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}
