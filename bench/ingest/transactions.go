//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	badgeroptions "github.com/dgraph-io/badger/v4/options"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// separate is a store that runs every update in a synced transaction of its
// own, as one does without grouping. Badger's sizes are the product's.
type separate struct{ db *badger.DB }

func newTransactions(dir string) (*separate, error) {
	sized := badger.DefaultOptions(dir)
	sized.TableSizeMultiplier = 1
	db, err := badger.Open(sized.WithLogger(nil).WithSyncWrites(true).
		WithMemTableSize(8 << 20).WithNumMemtables(2).WithBaseTableSize(4 << 20).WithBlockCacheSize(0).WithIndexCacheSize(0).
		WithNumCompactors(2).WithValueLogFileSize(16 << 20).WithValueThreshold(1 << 20).WithMetricsEnabled(false).
		WithNumVersionsToKeep(1).WithCompression(badgeroptions.None))
	if err != nil {
		return nil, fmt.Errorf("opening Badger: %w", err)
	}
	return &separate{db}, nil
}

// View implements store.Store.
func (s *separate) View(_ context.Context, fn func(store.Reader) error) error {
	return s.db.View(func(txn *badger.Txn) error { return fn(ownTx{txn}) })
}

// Update implements store.Store.
func (s *separate) Update(_ context.Context, fn func(store.Tx) error) error {
	for {
		err := s.db.Update(func(txn *badger.Txn) error { return fn(ownTx{txn}) })
		if !errors.Is(err, badger.ErrConflict) {
			return err
		}
	}
}

// Close implements store.Store.
func (s *separate) Close() error { return s.db.Close() }

type ownTx struct{ txn *badger.Txn }

func (t ownTx) Get(key []byte) ([]byte, error) {
	item, err := t.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

func (t ownTx) Put(key, value []byte) error { return t.txn.Set(key, value) }

func (t ownTx) Delete(key []byte) error { return t.txn.Delete(key) }

func (t ownTx) Lock(key []byte) error {
	_, err := t.Get(key)
	return err
}

// Scan implements store.Reader for ranges that have an end.
func (t ownTx) Scan(r store.Range) (found []store.Entry, err error) {
	it := t.txn.NewIterator(badger.IteratorOptions{Reverse: r.Reverse})
	defer it.Close()
	start := r.From
	if r.Reverse {
		start = r.To
	}
	for it.Seek(start); it.Valid() && len(found) < r.Limit; it.Next() {
		key := it.Item().KeyCopy(nil)
		if r.Reverse && bytes.Equal(key, r.To) {
			continue
		}
		if bytes.Compare(key, r.From) < 0 || r.To != nil && bytes.Compare(key, r.To) >= 0 {
			break
		}
		value, err := it.Item().ValueCopy(nil)
		if err != nil {
			return nil, err
		}
		found = append(found, store.Entry{Key: key, Value: value})
	}
	return found, nil
}
