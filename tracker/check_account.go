package tracker

import (
	"bytes"
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// nameEntry: an account has a number that was given out, and the count of them
// is not behind.
func (c *checker) nameEntry(e store.Entry) error {
	number, err := decodeNumber(e.Value)
	if !c.decoded(err) {
		return nil
	}
	if bytes.Equal(e.Key, accountCountKey) {
		c.numbers = []Account{DefaultAccount}
		c.lastNumber = number
		return nil
	}
	switch {
	case number > c.lastNumber:
		c.wrong("account %q has number %d, and %d was the last given out", e.Key[1:], number, c.lastNumber)
	case slices.Contains(c.numbers, number):
		c.wrong("account %q has the number %d of another", e.Key[1:], number)
	}
	c.numbers = append(c.numbers, number)
	return nil
}

// shapeEntry: what is remembered of a definition stands under its own name.
func (c *checker) shapeEntry(e store.Entry) error {
	if !c.sized(e.Key, 3+1+len(digest{})) {
		return nil
	}
	shape, err := decodeShape(e.Key[3] == 'e', e.Value)
	if !c.decoded(err) {
		return nil
	}
	if !bytes.Equal(definitionKey(keyAccount(e.Key), shape), e.Key) {
		c.wrong("the definition of %s stands under another name", shape.Name)
	}
	return nil
}

// layoutEntry: the store's version is one that this program knows.
func (c *checker) layoutEntry(e store.Entry) error {
	if c.sized(e.Key, len(layoutKey)) {
		_, err := layoutOf(c)
		c.decoded(err)
	}
	return nil
}

// aliveEntry: a time at which the store was in use.
func (c *checker) aliveEntry(e store.Entry) error {
	if c.sized(e.Key, len(aliveKey)) {
		_, err := readInUse(c)
		c.decoded(err)
	}
	return nil
}
