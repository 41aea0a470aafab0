// Package memory is a store.Store that keeps everything in memory: for tests of
// the layers above. It is ordered, its snapshots are true, and it obeys the
// same limits as every engine.
package memory

import (
	"bytes"
	"context"
	"sync/atomic"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// New returns an empty store.
func New() *store.Group { return store.NewGroup(NewEngine(), store.GroupOptions{}) }

// NewInRounds returns an empty store whose updates are read in rounds, as those
// of a networked engine are: each function runs again for every read that it
// had not asked for before, and views read ahead. Tests of functions that must be
// repeatable use it.
func NewInRounds() *store.Group { return store.NewGroup(inRounds{NewEngine()}, store.GroupOptions{}) }

// Engine is an engine in memory. Its data end with it.
type Engine struct {
	root atomic.Pointer[node] // of an immutable tree
}

// NewEngine returns an empty engine.
func NewEngine() *Engine { return &Engine{} }

// Snapshot implements store.Engine.
func (e *Engine) Snapshot(context.Context) (store.Snapshot, error) { return e.begin(), nil }

// Begin implements store.Engine.
func (e *Engine) Begin() (store.Batch, error) { return e.begin(), nil }

func (e *Engine) begin() *batch { return &batch{engine: e, root: e.root.Load()} }

// Limits implements store.Engine: several Updates fit into one commit, and not
// too many, so that tests meet batches that have to be cut.
func (e *Engine) Limits() store.CommitLimits {
	return store.CommitLimits{Writes: 5 * store.MaxWrites, Bytes: 5 * store.MaxWriteBytes}
}

// Close implements store.Engine.
func (e *Engine) Close() error { return nil }

// batch is a snapshot: the tree as it was.
type batch struct {
	engine *Engine
	root   *node
}

func (b *batch) Discard() {}

func (b *batch) Get(key []byte) ([]byte, error) { return bytes.Clone(b.root.get(key)), nil }

func (b *batch) Scan(r store.Range) ([]store.Entry, error) {
	var out []store.Entry
	b.root.scan(r, func(n *node) bool {
		entry := store.Entry{Key: bytes.Clone(n.key)}
		if !r.KeysOnly {
			entry.Value = bytes.Clone(n.value)
		}
		out = append(out, entry)
		return len(out) < r.Limit
	})
	return out, nil
}

func (b *batch) Commit(writes []store.Write) error {
	root := b.root
	for _, w := range writes {
		switch w.Op {
		case store.OpPut:
			root = root.put(bytes.Clone(w.Key), bytes.Clone(w.Value))
		case store.OpDelete:
			root = root.remove(w.Key)
		}
	}
	if !b.engine.root.CompareAndSwap(b.root, root) {
		return store.ErrConflict // another Group writes the same engine
	}
	return nil
}
