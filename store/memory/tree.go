package memory

import (
	"bytes"
	"hash/maphash"

	"github.com/livechat-people/caddy-people-tracking/store"
)

var seed = maphash.MakeSeed()

// node is the root of an immutable treap: a change copies the path to it, so
// whoever holds an older root keeps reading what was there.
type node struct {
	key, value  []byte
	priority    uint64 // hash of the key: no order of insertion unbalances the tree
	left, right *node
}

func (n *node) get(key []byte) []byte {
	for n != nil {
		switch c := bytes.Compare(key, n.key); {
		case c < 0:
			n = n.left
		case c > 0:
			n = n.right
		default:
			return n.value
		}
	}
	return nil
}

// scan calls visit for the nodes in r in its order until visit says no.
func (n *node) scan(r store.Range, visit func(*node) bool) bool {
	if n == nil {
		return true
	}
	aboveFrom := bytes.Compare(n.key, r.From) >= 0
	belowTo := r.To == nil || bytes.Compare(n.key, r.To) < 0
	first, second := n.left, n.right
	if r.Reverse {
		first, second = second, first
	}
	// The left side matters only if n is not below From, the right one only if
	// n is not above To.
	matters := func(side *node) bool { return side == n.left && aboveFrom || side == n.right && belowTo }
	if matters(first) && !first.scan(r, visit) {
		return false
	}
	if aboveFrom && belowTo && !visit(n) {
		return false
	}
	return !matters(second) || second.scan(r, visit)
}

func (n *node) put(key, value []byte) *node {
	if n == nil {
		return &node{key: key, value: value, priority: maphash.Bytes(seed, key)}
	}
	m := *n
	switch c := bytes.Compare(key, n.key); {
	case c < 0:
		m.left = n.left.put(key, value)
		if m.left.priority > m.priority {
			return m.rotateRight()
		}
	case c > 0:
		m.right = n.right.put(key, value)
		if m.right.priority > m.priority {
			return m.rotateLeft()
		}
	default:
		m.value = value
	}
	return &m
}

// rotateRight and rotateLeft change m and its child, which both are copies of
// the path that put made.
func (n *node) rotateRight() *node {
	m := *n
	top := *m.left
	m.left, top.right = top.right, &m
	return &top
}

func (n *node) rotateLeft() *node {
	m := *n
	top := *m.right
	m.right, top.left = top.left, &m
	return &top
}

func (n *node) remove(key []byte) *node {
	if n == nil {
		return nil
	}
	c := bytes.Compare(key, n.key)
	if c == 0 {
		return join(n.left, n.right)
	}
	m := *n
	if c < 0 {
		m.left = n.left.remove(key)
	} else {
		m.right = n.right.remove(key)
	}
	return &m
}

// join makes one tree of two, all keys of a being below those of b.
func join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		m := *a
		m.right = join(a.right, b)
		return &m
	}
	m := *b
	m.left = join(a, b.left)
	return &m
}
