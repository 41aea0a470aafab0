package badger

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// snapshot reads one state of the database.
type snapshot struct {
	txn  *engine.Txn
	over *sync.WaitGroup // nil: nobody waits for its end
	// Opening an iterator takes longer than most scans: each direction has one,
	// opened by the first scan and kept for the others.
	forward, reverse *engine.Iterator
}

func (s *snapshot) Discard() {
	for _, it := range []*engine.Iterator{s.forward, s.reverse} {
		if it != nil {
			it.Close()
		}
	}
	s.txn.Discard()
	if s.over != nil {
		s.over.Done()
		s.over = nil
	}
}

// iterator returns the one of a direction. Values are in the tables beside
// their keys: fetching them ahead only costs goroutines and copies.
func (s *snapshot) iterator(reverse bool) *engine.Iterator {
	it := &s.forward
	if reverse {
		it = &s.reverse
	}
	if *it == nil {
		*it = s.txn.NewIterator(engine.IteratorOptions{Reverse: reverse})
	}
	return *it
}

func (s *snapshot) Get(key []byte) ([]byte, error) {
	item, err := s.txn.Get(key)
	if errors.Is(err, engine.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, readError(err)
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return nil, readError(err)
	}
	return value, nil
}

func (s *snapshot) Scan(r store.Range) ([]store.Entry, error) {
	it := s.iterator(r.Reverse)
	var out []store.Entry
	for seek(it, r); it.Valid() && len(out) < r.Limit; it.Next() {
		item := it.Item()
		key := item.Key()
		if r.Reverse && bytes.Compare(key, r.From) < 0 || !r.Reverse && r.To != nil && bytes.Compare(key, r.To) >= 0 {
			break
		}
		entry := store.Entry{Key: bytes.Clone(key)}
		if !r.KeysOnly {
			value, err := item.ValueCopy(nil)
			if err != nil {
				return nil, readError(err)
			}
			entry.Value = value
		}
		out = append(out, entry)
	}
	return out, nil
}

// seek puts it on the first key of r in its order. Badger's reverse seek stops
// at the key itself, which is outside of r.
func seek(it *engine.Iterator, r store.Range) {
	switch {
	case !r.Reverse:
		it.Seek(r.From)
	case r.To == nil:
		it.Rewind()
	default:
		it.Seek(r.To)
		if it.Valid() && bytes.Equal(it.Item().Key(), r.To) {
			it.Next()
		}
	}
}

func readError(err error) error { return fmt.Errorf("badger: read: %w", err) }

// batch is the snapshot and the commit of a batch of updates.
type batch struct {
	snapshot
	b *bdb
}

// Commit implements store.Batch. Locks are not written: the one writer runs the
// updates one after the other, so nothing changes between a read and the commit.
func (c *batch) Commit(writes []store.Write) error {
	c.b.writing.Lock() // a purge may be at it
	defer c.b.writing.Unlock()
	txn := c.b.db.NewTransaction(true)
	defer txn.Discard()
	number := c.b.committed.Load() + 1
	if err := fill(txn, writes, number); err != nil {
		return err
	}
	if err := c.b.opts.commit(txn); err != nil {
		return c.b.fail(err)
	}
	c.b.committed.Store(number)
	return nil
}

func fill(txn *engine.Txn, writes []store.Write, number uint64) error {
	err := txn.Set(commitKey, encodeNumber(number))
	for i := 0; i < len(writes) && err == nil; i++ {
		switch w := writes[i]; w.Op {
		case store.OpPut:
			err = txn.Set(w.Key, w.Value)
		case store.OpDelete:
			err = txn.Delete(w.Key)
		}
	}
	if errors.Is(err, engine.ErrTxnTooBig) {
		return store.ErrTooLarge
	}
	if errors.Is(err, engine.ErrInvalidKey) {
		return fmt.Errorf("%w: the key is Badger's own", store.ErrInvalid)
	}
	if err != nil {
		return fmt.Errorf("badger: write: %w", err)
	}
	return nil
}
