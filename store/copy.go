package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
)

// ErrNotEmpty is returned by Restore and Copy when the store they write to
// holds something else than the beginning of what is to be written.
var ErrNotEmpty = errors.New("store: not empty")

// Sum says what a store holds: two stores with the same Sum hold the same.
type Sum struct {
	Entries uint64
	Bytes   uint64   // of all keys and values
	SHA256  [32]byte // over all entries in the order of their keys
}

// Progress is told, now and then, what was done so far. It may be nil.
type Progress func(entries, bytes uint64)

// SumOf reads one snapshot of s.
func SumOf(ctx context.Context, s Store, progress Progress) (Sum, error) {
	var adder *summing
	err := s.View(ctx, func(r Reader) error {
		adder = newSumming()
		from := &cursor{r: r}
		for {
			e, more, err := from.next()
			if err != nil || !more {
				return err
			}
			if adder.add(e); adder.sum.Entries%scanPage == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
				progress.tell(adder.sum)
			}
		}
	})
	if err != nil {
		return Sum{}, fmt.Errorf("reading the store: %w", err)
	}
	return adder.done(), nil
}

// Copy puts everything that one snapshot of from holds into to, in the order of
// the keys, and returns the Sum of it. The store to is empty, or holds what a
// Copy or Restore of the same that was interrupted left there, which is
// compared and not written again; else the error is ErrNotEmpty and nothing was
// written.
func Copy(ctx context.Context, from, to Store, progress Progress) (sum Sum, err error) {
	err = from.View(ctx, func(r Reader) error {
		sum, err = fill(ctx, to, &cursor{r: r}, progress)
		return err
	})
	if err != nil {
		return Sum{}, fmt.Errorf("copy: %w", err)
	}
	return sum, nil
}

// source gives entries in the order of their keys.
type source interface {
	next() (e Entry, more bool, err error)
}

// cursor is a source that reads page by page.
type cursor struct {
	r    Reader
	page []Entry
	at   Range
	last bool // page is
}

func (c *cursor) next() (Entry, bool, error) {
	if len(c.page) == 0 && !c.last {
		c.at.Limit = scanPage
		page, err := c.r.Scan(c.at)
		if err != nil {
			return Entry{}, false, err
		}
		c.page, c.last = page, len(page) < scanPage
		if !c.last {
			c.at = after(c.at, page[len(page)-1].Key)
		}
	}
	if len(c.page) == 0 {
		return Entry{}, false, nil
	}
	e := c.page[0]
	c.page = c.page[1:]
	return e, true, nil
}

// fill writes what from gives behind what is there already.
func fill(ctx context.Context, to Store, from source, progress Progress) (Sum, error) {
	sum := newSumming()
	if err := skip(ctx, to, from, sum, progress); err != nil {
		return Sum{}, err
	}
	var list []Entry
	size := 0
	for {
		e, more, err := from.next()
		if err != nil {
			return Sum{}, err
		}
		if more {
			sum.add(e)
			list, size = append(list, e), size+len(e.Key)+len(e.Value)
		}
		if full := len(list) == MaxWrites || size >= chunkFull; len(list) == 0 || more && !full {
			if !more {
				return sum.done(), nil
			}
			continue
		}
		if err := putAll(ctx, to, list); err != nil {
			return Sum{}, err
		}
		list, size = list[:0], 0
		progress.tell(sum.sum)
		if !more {
			return sum.done(), nil
		}
	}
}

// skip reads from as far as to holds the same.
func skip(ctx context.Context, to Store, from source, sum *summing, progress Progress) error {
	return to.View(ctx, func(r Reader) error {
		for there := (&cursor{r: r}); ; {
			has, more, err := there.next()
			if err != nil || !more {
				return err
			}
			e, more, err := from.next()
			if err != nil {
				return err
			}
			if !more || !bytes.Equal(e.Key, has.Key) || !bytes.Equal(e.Value, has.Value) {
				return ErrNotEmpty
			}
			if sum.add(e); sum.sum.Entries%scanPage == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
				progress.tell(sum.sum)
			}
		}
	})
}

func putAll(ctx context.Context, to Store, list []Entry) error {
	return to.Update(ctx, func(tx Tx) error {
		for _, e := range list {
			if err := tx.Put(e.Key, e.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

// summing adds entries to a Sum.
type summing struct {
	sum  Sum
	hash hash.Hash
	head []byte
}

func newSumming() *summing { return &summing{hash: sha256.New()} }

func (s *summing) add(e Entry) {
	s.head = binary.AppendUvarint(s.head[:0], uint64(len(e.Key)))
	s.head = binary.AppendUvarint(s.head, uint64(len(e.Value)))
	for _, part := range [...][]byte{s.head, e.Key, e.Value} {
		s.hash.Write(part)
	}
	s.sum.Entries++
	s.sum.Bytes += uint64(len(e.Key) + len(e.Value))
}

func (s *summing) done() Sum {
	s.hash.Sum(s.sum.SHA256[:0])
	return s.sum
}

func (p Progress) tell(s Sum) {
	if p != nil {
		p(s.Entries, s.Bytes)
	}
}
