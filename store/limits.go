package store

import (
	"bytes"
	"fmt"
)

// firstKey is the smallest key a caller may use: what is below it belongs to
// the engine (Badger keeps its commit number there).
var firstKey = []byte{1}

func checkKey(key []byte) error {
	switch {
	case len(key) == 0:
		return fmt.Errorf("%w: empty key", ErrInvalid)
	case key[0] == 0:
		return fmt.Errorf("%w: the key starts with a zero byte", ErrInvalid)
	case len(key) > MaxKeyBytes:
		return fmt.Errorf("%w: key of %d bytes, %d allowed", ErrTooLarge, len(key), MaxKeyBytes)
	}
	return nil
}

func checkValue(value []byte) error {
	if len(value) > MaxValueBytes {
		return fmt.Errorf("%w: value of %d bytes, %d allowed", ErrTooLarge, len(value), MaxValueBytes)
	}
	return nil
}

// checkRange returns r without the engine's own keys. The second result says
// that r holds no key at all.
func checkRange(r Range) (Range, bool, error) {
	switch {
	case r.Limit < 1:
		return r, false, fmt.Errorf("%w: scan limit %d", ErrInvalid, r.Limit)
	case r.Limit > MaxScan:
		return r, false, fmt.Errorf("%w: scan limit %d, %d allowed", ErrTooLarge, r.Limit, MaxScan)
	}
	if bytes.Compare(r.From, firstKey) < 0 {
		r.From = firstKey
	}
	empty := r.To != nil && bytes.Compare(r.From, r.To) >= 0
	return r, empty, nil
}

// checkedReader is what View hands out.
type checkedReader struct{ Snapshot }

func (c checkedReader) Get(key []byte) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return c.Snapshot.Get(key)
}

func (c checkedReader) Scan(r Range) ([]Entry, error) {
	r, empty, err := checkRange(r)
	if err != nil || empty {
		return nil, err
	}
	return c.Snapshot.Scan(r)
}
