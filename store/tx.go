package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

var (
	// errMissed ends a run of fn that needs a key which has to be fetched first.
	errMissed = errors.New("store: read not fetched yet")
	errTxOver = errors.New("store: transaction used after its function returned")
)

// tx is one run of an Update's function. It reads its own writes, then those of
// the requests before it in the batch, then the engine's snapshot.
type tx struct {
	reader Reader
	batch  *overlay
	own    *overlay
	// err is the first error of a method. It stands even if fn swallows it, so
	// that half of what fn wanted is never committed.
	err error
}

func (t *tx) fail(err error) error {
	if t.err == nil {
		t.err = err
	}
	return err
}

func (t *tx) Get(key []byte) ([]byte, error) {
	if t.err != nil {
		return nil, t.err
	}
	if err := checkKey(key); err != nil {
		return nil, t.fail(err)
	}
	for _, layer := range [...]*overlay{t.own, t.batch} {
		if w, ok := layer.find(key); ok && w.Op != OpLock {
			return bytes.Clone(w.Value), nil
		}
	}
	value, err := t.reader.Get(key)
	if err != nil {
		return nil, t.fail(err)
	}
	return value, nil
}

func (t *tx) Put(key, value []byte) error {
	if len(value) == 0 {
		return t.Delete(key)
	}
	return t.write(Write{Op: OpPut, Key: key, Value: value})
}

func (t *tx) Delete(key []byte) error { return t.write(Write{Op: OpDelete, Key: key}) }

func (t *tx) Lock(key []byte) error { return t.write(Write{Op: OpLock, Key: key}) }

func (t *tx) write(w Write) error {
	if t.err != nil {
		return t.err
	}
	if err := checkKey(w.Key); err != nil {
		return t.fail(err)
	}
	if err := checkValue(w.Value); err != nil {
		return t.fail(err)
	}
	t.own.set(w)
	if len(t.own.writes) > MaxWrites {
		return t.fail(fmt.Errorf("%w: more than %d writes", ErrTooLarge, MaxWrites))
	}
	if t.own.bytes > MaxWriteBytes {
		return t.fail(fmt.Errorf("%w: more than %d bytes in one transaction", ErrTooLarge, MaxWriteBytes))
	}
	return nil
}

func (t *tx) Scan(r Range) ([]Entry, error) {
	if t.err != nil {
		return nil, t.err
	}
	r, empty, err := checkRange(r)
	if err != nil {
		return nil, t.fail(err)
	}
	if empty {
		return nil, nil
	}
	entries, err := t.merge(r)
	if err != nil {
		return nil, t.fail(err)
	}
	return entries, nil
}

// merge reads r from the engine in chunks and lays the uncommitted writes over
// them. A second chunk is needed only when deleted keys left too little.
func (t *tx) merge(r Range) ([]Entry, error) {
	over := t.pending(r)
	var out []Entry
	for rest := r; ; {
		chunk, err := t.reader.Scan(rest)
		if err != nil {
			return nil, err
		}
		if len(over) == 0 && out == nil {
			return chunk, nil
		}
		for _, entry := range chunk {
			for len(over) > 0 && before(over[0].Key, entry.Key, r.Reverse) {
				out = appendWrite(out, over[0], r.KeysOnly)
				over = over[1:]
			}
			if len(over) > 0 && bytes.Equal(over[0].Key, entry.Key) {
				out = appendWrite(out, over[0], r.KeysOnly)
				over = over[1:]
			} else {
				out = append(out, entry)
			}
			if len(out) >= r.Limit {
				return out[:r.Limit], nil
			}
		}
		if len(chunk) < rest.Limit {
			break // the engine has no more
		}
		rest = after(rest, chunk[len(chunk)-1].Key)
	}
	for _, w := range over {
		out = appendWrite(out, w, r.KeysOnly)
	}
	return out[:min(len(out), r.Limit)], nil
}

// pending returns the puts and deletes in r of this run and of the requests
// before it, in the order of the scan.
func (t *tx) pending(r Range) []Write {
	var over []Write
	earlier, own := t.batch.scan(r), t.own.scan(r)
	for len(earlier) > 0 || len(own) > 0 {
		var order int
		switch {
		case len(earlier) == 0:
			order = 1
		case len(own) == 0:
			order = -1
		default:
			order = bytes.Compare(t.batch.writes[earlier[0]].Key, t.own.writes[own[0]].Key)
		}
		var w Write
		if order <= 0 {
			w, earlier = t.batch.writes[earlier[0]], earlier[1:]
		}
		if order >= 0 {
			if mine := t.own.writes[own[0]]; order > 0 || mine.Op != OpLock {
				w = mine
			}
			own = own[1:]
		}
		if w.Op != OpLock {
			over = append(over, w)
		}
	}
	if r.Reverse {
		slices.Reverse(over)
	}
	return over
}

func before(a, b []byte, reverse bool) bool {
	if reverse {
		return bytes.Compare(a, b) > 0
	}
	return bytes.Compare(a, b) < 0
}

// after returns what is left of r behind key.
func after(r Range, key []byte) Range {
	if r.Reverse {
		r.To = key
	} else {
		r.From = append(bytes.Clone(key), 0)
	}
	return r
}

func appendWrite(out []Entry, w Write, keysOnly bool) []Entry {
	if w.Op == OpDelete {
		return out
	}
	entry := Entry{Key: bytes.Clone(w.Key)}
	if !keysOnly {
		entry.Value = bytes.Clone(w.Value)
	}
	return append(out, entry)
}
