package store

import (
	"cmp"
	"slices"
	"sort"
)

// overlay holds writes that are not committed, by key. Its order is built only
// when something is scanned, because most transactions only get and put.
type overlay struct {
	index  map[string]int // key → position in writes
	writes []Write
	names  []string // names[i] is writes[i].Key
	bytes  int      // keys and values together
	sorted []int    // positions below len(sorted), in order of their keys
}

// keepIndex is the size up to which a map is cleared for reuse. Clearing costs
// as much as the map ever held, so one huge transaction must not slow the next.
const keepIndex = 64

func (o *overlay) reset() {
	if o.index == nil || len(o.writes) > keepIndex {
		o.index = make(map[string]int, keepIndex)
	} else {
		clear(o.index)
	}
	clear(o.writes)
	clear(o.names)
	o.writes, o.names, o.sorted, o.bytes = o.writes[:0], o.names[:0], o.sorted[:0], 0
}

// find returns the write of key, if there is one.
func (o *overlay) find(key []byte) (Write, bool) {
	i, ok := o.index[string(key)]
	if !ok {
		return Write{}, false
	}
	return o.writes[i], true
}

func (o *overlay) set(w Write) {
	if i, ok := o.index[string(w.Key)]; ok {
		o.replace(i, w)
		return
	}
	o.add(string(w.Key), w)
}

// absorb sets all writes of p.
func (o *overlay) absorb(p *overlay) {
	for i, w := range p.writes {
		if j, ok := o.index[p.names[i]]; ok {
			o.replace(j, w)
		} else {
			o.add(p.names[i], w)
		}
	}
}

func (o *overlay) add(name string, w Write) {
	o.index[name] = len(o.writes)
	o.writes = append(o.writes, w)
	o.names = append(o.names, name)
	o.bytes += len(w.Key) + len(w.Value)
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
	from, to := string(r.From), string(r.To)
	low := sort.Search(len(o.sorted), func(i int) bool { return o.names[o.sorted[i]] >= from })
	high := len(o.sorted)
	if r.To != nil {
		high = sort.Search(len(o.sorted), func(i int) bool { return o.names[o.sorted[i]] >= to })
	}
	if low >= high {
		return nil
	}
	return o.sorted[low:high]
}

// sort brings the writes that came since the last scan into order: a few by
// insertion, many by sorting everything.
func (o *overlay) sort() {
	const few = 32
	done := len(o.sorted)
	if len(o.writes)-done > few {
		for i := done; i < len(o.writes); i++ {
			o.sorted = append(o.sorted, i)
		}
		slices.SortFunc(o.sorted, func(a, b int) int { return cmp.Compare(o.names[a], o.names[b]) })
		return
	}
	for i := done; i < len(o.writes); i++ {
		at, _ := slices.BinarySearchFunc(o.sorted, o.names[i], func(j int, name string) int { return cmp.Compare(o.names[j], name) })
		o.sorted = slices.Insert(o.sorted, at, i)
	}
}
