package collector

// recent keeps the values of recently used keys in bounded memory: two maps of
// at most size entries, the older of which is dropped when the newer is full.
// A key that is used at least once in size others is never forgotten. It is
// what an LRU list does, without the list. Not safe for concurrent use.
type recent[K comparable, V any] struct {
	size       int
	newer, old map[K]V
}

func newRecent[K comparable, V any](size int) *recent[K, V] {
	return &recent[K, V]{size: size, newer: make(map[K]V)}
}

// get returns the value of key and keeps it from being dropped.
func (c *recent[K, V]) get(key K) (V, bool) {
	if value, ok := c.newer[key]; ok {
		return value, true
	}
	value, ok := c.old[key]
	if ok {
		c.put(key, value)
	}
	return value, ok
}

func (c *recent[K, V]) put(key K, value V) {
	if _, known := c.newer[key]; !known && len(c.newer) >= c.size {
		c.old, c.newer = c.newer, make(map[K]V)
	}
	c.newer[key] = value
}
