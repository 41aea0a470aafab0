package store

import "bytes"

// Ahead reads at once what is about to be read one by one, if reads of r are
// round trips: if it is the Reader of a View, or was returned by Ahead, on an
// engine whose snapshots have the Fetch of a Fetcher. The Reader that it returns
// has it, and reads anything else as r does. Elsewhere it returns r, and what is
// not called. A range is known by its exact bounds, direction and limit.
func Ahead(r Reader, what func() (keys [][]byte, ranges []Range)) (Reader, error) {
	k, ok := r.(*known)
	if !ok {
		checked, isView := r.(checkedReader)
		if !isView {
			return r, nil
		}
		from, fetches := checked.Snapshot.(fetching)
		if !fetches {
			return r, nil
		}
		k = &known{checkedReader: checked, from: from, values: map[string][]byte{}, scans: map[string][]Entry{}}
	}
	keys, ranges := what()
	return k, k.fetch(keys, ranges)
}

type fetching interface {
	Fetch(keys [][]byte, ranges []Range) ([][]byte, [][]Entry, error)
}

// known is the Reader of a View that has read ahead.
type known struct {
	checkedReader
	from   fetching
	values map[string][]byte
	scans  map[string][]Entry // by rangeName
}

func (k *known) Get(key []byte) ([]byte, error) {
	if value, ok := k.values[string(key)]; ok {
		return bytes.Clone(value), nil
	}
	return k.checkedReader.Get(key)
}

func (k *known) Scan(r Range) ([]Entry, error) {
	if entries, ok := k.scans[rangeName(r)]; ok {
		return cloneEntries(entries), nil
	}
	return k.checkedReader.Scan(r)
}

// fetch reads what is not known yet.
func (k *known) fetch(keys [][]byte, ranges []Range) error {
	newKeys, err := k.unknownKeys(keys)
	if err != nil {
		return err
	}
	names, newRanges, err := k.unknownRanges(ranges)
	if err != nil || len(newKeys)+len(newRanges) == 0 {
		return err
	}
	values, scans, err := k.from.Fetch(newKeys, newRanges)
	if err != nil {
		return err
	}
	for i, key := range newKeys {
		k.values[string(key)] = values[i]
	}
	for i, name := range names {
		k.scans[name] = scans[i]
	}
	return nil
}

func (k *known) unknownKeys(keys [][]byte) (unknown [][]byte, err error) {
	asked := make(map[string]bool, len(keys))
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return nil, err
		}
		if _, ok := k.values[string(key)]; !ok && !asked[string(key)] {
			asked[string(key)] = true
			unknown = append(unknown, key)
		}
	}
	return unknown, nil
}

func (k *known) unknownRanges(ranges []Range) (names []string, unknown []Range, err error) {
	asked := make(map[string]bool, len(ranges))
	for _, r := range ranges {
		name := rangeName(r)
		checked, empty, err := checkRange(r)
		if err != nil {
			return nil, nil, err
		}
		if _, ok := k.scans[name]; !ok && !empty && !asked[name] {
			asked[name] = true
			names, unknown = append(names, name), append(unknown, checked)
		}
	}
	return names, unknown, nil
}
