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
	// Each direction has an iterator, kept from one scan to the next.
	forward, reverse cursor
}

func (s *snapshot) Discard() {
	s.forward.close()
	s.reverse.close()
	s.txn.Discard()
	if s.over != nil {
		s.over.Done()
		s.over = nil
	}
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
	c := &s.forward
	if r.Reverse {
		c = &s.reverse
	}
	it := c.over(s.txn, r)
	f := found{Range: r}
	for seek(it, r); it.Valid(); it.Next() {
		more, err := f.take(it.Item())
		if err != nil {
			return nil, readError(err)
		}
		if !more {
			break
		}
	}
	return f.entries(), nil
}

// found is what a scan has come across. The iterator gives all versions of a
// key, deletions among them: left to itself it would walk over however many
// deleted keys follow the range, in search of one that is there.
type found struct {
	store.Range
	out    []store.Entry
	last   []byte       // the key of the version before
	latest *store.Entry // in the reverse direction: what is known of that key, nil when it was deleted
}

// take takes the next version in, and says whether more may follow.
func (f *found) take(item *engine.Item) (more bool, err error) {
	key := item.Key()
	if f.Reverse && bytes.Compare(key, f.From) < 0 || !f.Reverse && f.To != nil && bytes.Compare(key, f.To) >= 0 {
		return false, nil
	}
	same := bytes.Equal(key, f.last)
	if f.Reverse {
		return f.takeOlder(item, same)
	}
	if same {
		return true, nil // an older version
	}
	if len(f.out) == f.Limit {
		return false, nil
	}
	f.last = append(f.last[:0], key...)
	if item.IsDeletedOrExpired() {
		return true, nil
	}
	e, err := f.entry(item)
	f.out = append(f.out, e)
	return len(f.out) < f.Limit, err
}

// takeOlder is take in the reverse direction, in which the latest version of a
// key comes last.
func (f *found) takeOlder(item *engine.Item, same bool) (more bool, err error) {
	if !same {
		f.settle()
		if len(f.out) == f.Limit {
			return false, nil
		}
		f.last = append(f.last[:0], item.Key()...)
	}
	if item.IsDeletedOrExpired() {
		f.latest = nil
		return true, nil
	}
	e, err := f.entry(item)
	f.latest = &e
	return true, err
}

// settle takes the key before over, the latest version of which is known now.
func (f *found) settle() {
	if f.latest != nil {
		f.out, f.latest = append(f.out, *f.latest), nil
	}
}

func (f *found) entries() []store.Entry {
	f.settle()
	return f.out
}

func (f *found) entry(item *engine.Item) (store.Entry, error) {
	e := store.Entry{Key: bytes.Clone(f.last)}
	if f.KeysOnly {
		return e, nil
	}
	var err error
	e.Value, err = item.ValueCopy(nil)
	return e, err
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
		for it.Valid() && bytes.Equal(it.Item().Key(), r.To) {
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
	if err := c.b.commit(txn, commitKey); err != nil {
		return err
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
