package tracker

import (
	"bytes"
	"slices"
	"sort"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// ahead is a reader for somebody who walks through tables in order, and looks up
// what the entries name. What stands under the id of the entry itself comes in
// order as well, and it reads ahead in that table; and it keeps the few records
// that were asked for last. What it returns is not to be changed.
type ahead struct {
	store.Reader
	current store.Entry // that the walk is at
	lately  [8]store.Entry
	oldest  int
	tables  [256]stretch
}

// stretch is a part of a table that was read ahead.
type stretch struct {
	entries []store.Entry
	from    []byte // entries are all keys in [from, to)
	to      []byte
	used    int
	pause   int // lookups until it is tried again: the last page did not pay
}

const (
	aheadPage  = 500 // entries that are read ahead
	aheadPays  = 20  // how many of them have to be asked for: reading a page takes as long as ten lookups
	aheadPause = 200
)

// covers says whether a range was read.
func (s *stretch) covers(from, to []byte) bool {
	return s.to != nil && bytes.Compare(from, s.from) >= 0 && bytes.Compare(to, s.to) <= 0
}

// worth says whether to read ahead from a key on.
func (a *ahead) worth(s *stretch, key []byte) bool {
	const id = 1 + 2 + 16
	if len(key) < id || len(a.current.Key) < id || !bytes.Equal(key[1:id], a.current.Key[1:id]) {
		return false
	}
	if s.to != nil && s.used < aheadPays {
		s.pause, s.to = aheadPause, nil
	}
	s.pause = max(0, s.pause-1)
	return s.pause == 0
}

// read reads a stretch from a key on.
func (a *ahead) read(s *stretch, from []byte) (err error) {
	r := store.Range{From: from, To: prefixEnd(from[:1]), Limit: aheadPage}
	s.used, s.to = 0, nil
	if s.entries, err = a.Reader.Scan(r); err != nil {
		return err
	}
	if s.from, s.to = from, r.To; len(s.entries) == r.Limit {
		s.to = append(slices.Clone(s.entries[len(s.entries)-1].Key), 0)
	}
	return nil
}

// at is the place of a key in the stretch, or of the next one.
func (s *stretch) at(key []byte) int {
	return sort.Search(len(s.entries), func(i int) bool { return bytes.Compare(s.entries[i].Key, key) >= 0 })
}

func (a *ahead) Get(key []byte) ([]byte, error) {
	if bytes.Equal(key, a.current.Key) {
		return a.current.Value, nil
	}
	for _, e := range a.lately {
		if bytes.Equal(key, e.Key) {
			return e.Value, nil
		}
	}
	value, err := a.get(key)
	if err == nil {
		a.lately[a.oldest] = store.Entry{Key: key, Value: value}
		a.oldest = (a.oldest + 1) % len(a.lately)
	}
	return value, err
}

func (a *ahead) get(key []byte) ([]byte, error) {
	s, next := &a.tables[key[0]], append(key[:len(key):len(key)], 0)
	if !s.covers(key, next) {
		if !a.worth(s, key) {
			return a.Reader.Get(key)
		}
		if err := a.read(s, key); err != nil {
			return nil, err
		}
	}
	s.used++
	if i := s.at(key); i < len(s.entries) && bytes.Equal(s.entries[i].Key, key) {
		return s.entries[i].Value, nil
	}
	return nil, nil
}

func (a *ahead) Scan(r store.Range) ([]store.Entry, error) {
	if r.Reverse || len(r.From) == 0 || r.To == nil || r.From[0] != r.To[0] {
		return a.Reader.Scan(r)
	}
	s := &a.tables[r.From[0]]
	if !s.covers(r.From, r.To) {
		if !a.worth(s, r.From) {
			return a.Reader.Scan(r)
		}
		if err := a.read(s, r.From); err != nil {
			return nil, err
		}
		if !s.covers(r.From, r.To) {
			s.pause, s.to = aheadPause, nil // it is longer than a page
			return a.Reader.Scan(r)
		}
	}
	from, to := s.at(r.From), s.at(r.To)
	s.used += 1 + to - from
	return slices.Clip(s.entries[from:min(to, from+r.Limit)]), nil
}
