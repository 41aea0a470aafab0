package store

import (
	"bytes"
	"slices"
)

// overlay holds writes that are not committed, by key. Its order is built only
// when something is scanned, because most transactions only get and put, and
// its index only when there are more writes than are looked through as fast.
type overlay struct {
	index  map[string]int // key → position in writes, empty while there are few
	writes []Write
	bytes  int   // keys and values together
	sorted []int // positions below len(sorted), in order of their keys
}

const (
	// few is how many writes need no index.
	few = 16
	// keepIndex is the size up to which a map is cleared for reuse. Clearing costs
	// as much as the map ever held, so one huge transaction must not slow the next.
	keepIndex = 64
)

func (o *overlay) reset() {
	if len(o.writes) > keepIndex {
		o.index = nil
	} else {
		clear(o.index)
	}
	clear(o.writes)
	o.writes, o.sorted, o.bytes = o.writes[:0], o.sorted[:0], 0
}

// find returns the write of key, if there is one.
func (o *overlay) find(key []byte) (Write, bool) {
	i := o.position(key)
	if i < 0 {
		return Write{}, false
	}
	return o.writes[i], true
}

func (o *overlay) position(key []byte) int {
	if len(o.writes) > few {
		if i, ok := o.index[string(key)]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(o.writes, func(w Write) bool { return bytes.Equal(w.Key, key) })
}

func (o *overlay) set(w Write) {
	if i := o.position(w.Key); i >= 0 {
		o.replace(i, w)
		return
	}
	o.bytes += len(w.Key) + len(w.Value)
	if o.writes = append(o.writes, w); len(o.writes) <= few {
		return
	}
	if o.index == nil {
		o.index = make(map[string]int, keepIndex)
	}
	for i := len(o.index); i < len(o.writes); i++ {
		o.index[string(o.writes[i].Key)] = i
	}
}

// absorb sets all writes of p.
func (o *overlay) absorb(p *overlay) {
	for _, w := range p.writes {
		o.set(w)
	}
}

func (o *overlay) replace(i int, w Write) {
	if w.Op == OpLock {
		return // a write of the key protects it already
	}
	o.bytes += len(w.Value) - len(o.writes[i].Value)
	o.writes[i] = w
}

// scan returns the positions of the writes in [r.From, r.To), ascending.
func (o *overlay) scan(r Range) []int {
	o.sort()
	low := o.search(r.From)
	high := len(o.sorted)
	if r.To != nil {
		high = o.search(r.To)
	}
	if low >= high {
		return nil
	}
	return o.sorted[low:high]
}

// search returns where key is or would be in sorted.
func (o *overlay) search(key []byte) int {
	at, _ := slices.BinarySearchFunc(o.sorted, key, func(i int, key []byte) int { return bytes.Compare(o.writes[i].Key, key) })
	return at
}

// sort brings the writes that came since the last scan into order: a few by
// insertion, many by sorting everything.
func (o *overlay) sort() {
	done := len(o.sorted)
	if len(o.writes)-done > 2*few {
		for i := done; i < len(o.writes); i++ {
			o.sorted = append(o.sorted, i)
		}
		slices.SortFunc(o.sorted, func(a, b int) int { return bytes.Compare(o.writes[a].Key, o.writes[b].Key) })
		return
	}
	for i := done; i < len(o.writes); i++ {
		o.sorted = slices.Insert(o.sorted, o.search(o.writes[i].Key), i)
	}
}
