package store

import (
	"bytes"
	"fmt"
)

// maxRounds is after how many rounds a read is fetched where it is needed. No
// reasonable function is that deep; one that asks for other keys in each run
// would never end.
const maxRounds = 24

// rounds is the reader of a batch whose reads are collected and fetched for all
// waiting requests at once, instead of a round trip for each of them.
type rounds struct {
	from   Fetcher
	count  int
	values map[string][]byte
	scans  map[string][]Entry

	keys     [][]byte // to be fetched
	ranges   []Range
	awaiting map[string]bool // their names, so that each is asked for once
}

func newRounds(from Fetcher) *rounds {
	return &rounds{from: from, values: map[string][]byte{}, scans: map[string][]Entry{}, awaiting: map[string]bool{}}
}

func (s *rounds) Get(key []byte) ([]byte, error) {
	if value, ok := s.values[string(key)]; ok {
		return bytes.Clone(value), nil
	}
	name := "k" + string(key)
	if !s.awaiting[name] {
		s.awaiting[name] = true
		s.keys = append(s.keys, bytes.Clone(key))
	}
	if s.count < maxRounds {
		return nil, errMissed
	}
	if err := s.fetch(); err != nil {
		return nil, err
	}
	return bytes.Clone(s.values[string(key)]), nil
}

func (s *rounds) Scan(r Range) ([]Entry, error) {
	name := rangeName(r)
	if entries, ok := s.scans[name]; ok {
		return cloneEntries(entries), nil
	}
	if !s.awaiting[name] {
		s.awaiting[name] = true
		s.ranges = append(s.ranges, r)
	}
	if s.count < maxRounds {
		return nil, errMissed
	}
	if err := s.fetch(); err != nil {
		return nil, err
	}
	return cloneEntries(s.scans[name]), nil
}

// fetch reads everything that was missed.
func (s *rounds) fetch() error {
	values, scans, err := s.from.Fetch(s.keys, s.ranges)
	if err != nil {
		return err
	}
	for i, key := range s.keys {
		s.values[string(key)] = values[i]
	}
	for i, r := range s.ranges {
		s.scans[rangeName(r)] = scans[i]
	}
	s.keys, s.ranges = nil, nil
	clear(s.awaiting)
	s.count++
	return nil
}

func rangeName(r Range) string {
	return fmt.Sprintf("r%q %q %t %d %t %t", r.From, r.To, r.Reverse, r.Limit, r.KeysOnly, r.To == nil)
}

func cloneEntries(entries []Entry) []Entry {
	if len(entries) == 0 {
		return nil
	}
	out := make([]Entry, len(entries))
	for i, e := range entries {
		out[i] = Entry{Key: bytes.Clone(e.Key), Value: bytes.Clone(e.Value)}
	}
	return out
}
