package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Some tables only say again what stands elsewhere, where each of their entries
// is looked up. If there are as many as were found so, and nothing else is
// wrong, then all are right. To look each of them up in turn, in the order of a
// table that has nothing to do with theirs, is the dearest part of a check, and
// done only if not: to say which one it is.

// tally is about the entries of such a table.
type tally struct {
	found uint64 // from where what they say stands
	there uint64
}

// tallied are such tables: the words of the index, the cookies of devices, and
// the references to devices.
var tallied = []struct {
	table byte
	look  func(*checker, store.Entry) error
}{
	{tableSearch, (*checker).searchedWord},
	{tableToken, (*checker).knownCookie},
	{tableReference, (*checker).namingDevice},
}

// counted counts an entry instead of looking up what it says. While something is
// removed, that would not tell anything.
func (c *checker) counted(e store.Entry) bool {
	if c.removing {
		return false
	}
	c.tallies[e.Key[0]].there++
	return true
}

// found counts an entry of a table that was looked up.
func (c *checker) found(table byte) { c.tallies[table].found++ }

// recount looks each entry up after all where the numbers do not agree, or
// anything is wrong, which may have kept some from being counted.
func (c *checker) recount() error {
	if c.removing {
		return nil
	}
	wrong := c.result.Problems > 0
	for _, of := range tallied {
		if t := c.tallies[of.table]; t.found == t.there && !wrong {
			continue
		}
		err := c.each(prefixRange([]byte{of.table}, checkPage), func(e store.Entry) error {
			c.key, c.current = e.Key, e
			return of.look(c, e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// knownCookie: the device that a cookie leads to knows it. What else is wrong
// with the entry was reported.
func (c *checker) knownCookie(e store.Entry) error {
	i, _, err := decodeDeviceReference(e.Value)
	if err != nil || len(e.Key) != 3+len(digest{}) {
		return nil //nolint:nilerr // reported
	}
	if t, err := decodeTombstone(e.Value); err == nil && t.at != 0 && i.zero() {
		return nil
	}
	return c.knows(e, i, tokensOf)
}

// namingDevice: the device that a reference leads to names the profile.
func (c *checker) namingDevice(e store.Entry) error {
	if !refersToDevice(e.Key) {
		return nil
	}
	a, i, rest := keyAccount(e.Key), keyID(e.Key, 3), e.Key[idKeySize+1:]
	if err := c.referredTo(a, tableDevice, rest); err != nil {
		return err
	}
	d, err := c.device(a, keyID(rest, 0))
	if err != nil || d == nil {
		return err
	}
	if !slices.ContainsFunc(d.epochs, func(ep epoch) bool { return ep.profile == i }) {
		c.wrong("a reference to device %s, which does not name the profile", d.id)
	}
	return nil
}
