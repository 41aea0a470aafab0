package tracker

import (
	"bytes"
	"errors"
)

// has says whether there is a value.
func (c *checker) has(key []byte) (bool, error) {
	value, err := c.Get(key)
	return len(value) != 0, err
}

// must reports when a key is not there.
func (c *checker) must(key []byte, format string, args ...any) error {
	there, err := c.has(key)
	if err == nil && !there {
		c.wrong(format, args...)
	}
	return err
}

// profile is a hot record, nil when it is absent or unreadable, which its own
// entry reports.
func (c *checker) profile(a Account, i id) (*profile, error) {
	key := idKey(tableProfile, a, i)
	if bytes.Equal(key, c.recent) {
		return c.recentProfile, nil
	}
	p, err := readProfile(c, a, i)
	if errors.Is(err, errMalformed) {
		p, err = nil, nil // reported where it stands
	}
	if err == nil {
		c.recent, c.recentProfile = key, p
	}
	return p, err
}

// known says whether there is a profile, wherever its record stands.
func (c *checker) known(a Account, i id) (bool, error) { return c.has(idKey(tableProfile, a, i)) }

func (c *checker) device(a Account, i id) (*device, error) {
	return look(c, idKey(tableDevice, a, i), func(value []byte) (*device, error) { return decodeDevice(a, i, value) })
}

func (c *checker) chat(a Account, i id) (*chat, error) {
	return look(c, idKey(tableChat, a, i), func(value []byte) (*chat, error) { return decodeChat(a, i, value) })
}

// look reads a record that another one names, nil when there is none that can
// be read.
func look[R any](c *checker, key []byte, decode func([]byte) (*R, error)) (*R, error) {
	value, err := c.Get(key)
	if err != nil || len(value) == 0 {
		return nil, err
	}
	record, err := decode(value)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // reported where it stands
	}
	return record, nil
}
