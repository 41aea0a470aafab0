package store

import "bytes"

// cache keeps what Updates read lately, so that a record which every call of a
// visitor reads and rewrites is not looked up in the engine each time. Only the
// writer uses it, and only over an engine that nobody else writes: then what
// was committed last is what a fresh snapshot holds. Keys that are written
// without being read, as events are, never enter it.
//
// It has two generations: when the young one is full it becomes the old one,
// and what is still used moves over before that is dropped.
type cache struct {
	limit      int // bytes of one generation
	young, old map[string][]byte
	size       int // bytes of young
}

// entryOverhead is roughly what a map entry and its two headers take.
const entryOverhead = 96

func newCache(bytes int) *cache {
	c := &cache{limit: bytes / 2}
	c.clear()
	return c
}

func (c *cache) clear() {
	c.young, c.old, c.size = map[string][]byte{}, nil, 0
}

// get returns the cache's own copy of the value, nil for an absent key, and
// whether it knows.
func (c *cache) get(key []byte) ([]byte, bool) {
	if value, ok := c.young[string(key)]; ok {
		return value, true
	}
	value, ok := c.old[string(key)]
	if ok {
		c.set(string(key), value)
	}
	return value, ok
}

func (c *cache) set(key string, value []byte) {
	if known, ok := c.young[key]; ok {
		c.size -= len(key) + len(known) + entryOverhead
	}
	c.size += len(key) + len(value) + entryOverhead
	c.young[key] = value
	if c.size > c.limit {
		c.young, c.old, c.size = map[string][]byte{}, c.young, 0
	}
}

// committed brings what the cache knows up to date.
func (c *cache) committed(o *overlay) {
	for _, w := range o.writes {
		_, young := c.young[string(w.Key)]
		_, old := c.old[string(w.Key)]
		if (young || old) && w.Op != OpLock {
			c.set(string(w.Key), bytes.Clone(w.Value)) // nil when deleted
		}
	}
}

// cachedReader reads through the cache.
type cachedReader struct {
	Reader
	cache *cache
}

func (r cachedReader) Get(key []byte) ([]byte, error) {
	if value, ok := r.cache.get(key); ok {
		return bytes.Clone(value), nil
	}
	value, err := r.Reader.Get(key)
	if err != nil {
		return nil, err
	}
	r.cache.set(string(key), bytes.Clone(value))
	return value, nil
}
