package tracker

import (
	"encoding/binary"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// jobEntry: something that is being removed, and says so itself.
func (c *checker) jobEntry(e store.Entry) error {
	kind, a, i, err := parseJobKey(e.Key)
	if !c.decoded(err) {
		return nil
	}
	j, err := decodeJob(e.Value)
	if !c.decoded(err) {
		return nil
	}
	switch kind {
	case jobProfile:
		p, err := c.profile(a, i)
		if err != nil {
			return err
		}
		if p == nil || p.erasing != j.at {
			c.wrong("the removal of a profile that was not erased")
		}
	case jobDevice:
		d, err := c.device(a, i)
		if err != nil {
			return err
		}
		if d != nil && d.gone != j.at { // it may have gone with its visitor
			c.wrong("the removal of a device that is in use")
		}
	default:
		c.wrong("a job of an unknown kind %q", kind)
	}
	return nil
}

// erasedEntry: when a profile was erased.
func (c *checker) erasedEntry(e store.Entry) error {
	if !c.sized(e.Key, 1+len(digest{})) {
		return nil
	}
	t, err := decodeTombstone(e.Value)
	if c.decoded(err) && t.at == 0 {
		c.wrong("an erasure at no time")
	}
	return nil
}

// tomb: the tombstone of a cookie or boot is forgotten one day.
func (c *checker) tomb(e store.Entry, t tombstone) error {
	ref := tombRef(keyAccount(e.Key), e.Key[0], digest(e.Key[3:]))
	return c.must(queueKey(t.until, dueTomb, ref), "a tombstone that is not forgotten 400 days later")
}

// dueTomb is the deadline of a tombstone, 0 when there is none.
func (c *checker) dueTomb(a Account, ref []byte) (int64, error) {
	table, hash, err := parseTombRef(ref)
	if !c.decoded(err) {
		return 0, nil
	}
	t, err := look(c, hashKey(table, a, hash), func(value []byte) (*tombstone, error) {
		t, err := decodeTombstone(value)
		return &t, err
	})
	if t == nil || t.at == 0 {
		return 0, err
	}
	return t.until, err
}

// retentionEntry: how far old events are forgotten.
func (c *checker) retentionEntry(e store.Entry) error {
	if c.sized(e.Key, len(retentionKey)) {
		_, err := decodeRetention(e.Value)
		c.decoded(err)
	}
	return nil
}

// anyJobs says whether anything is being removed.
func (c *checker) anyJobs() (bool, error) {
	jobs, err := c.Scan(prefixKeys([]byte{tableJob}, 1))
	return len(jobs) > 0, err
}

// beingRemoved says whether an entry belongs to what is being removed. What is
// left of that is nobody's, and contradicts itself for as long as it lasts.
func (c *checker) beingRemoved(e store.Entry) (bool, error) {
	if len(e.Key) < idKeySize {
		return false, nil
	}
	a, i := keyAccount(e.Key), keyID(e.Key, 3)
	switch e.Key[0] {
	case tableProfile, tableAttribute, tableItem, tableEvent, tableSession, tableMember, tableMergeOf, tableLink, tableReference:
		return c.erased(a, i)
	case tableSearch:
		return c.erased(a, lastID(e.Key))
	case tableDevice:
		return c.goneDevice(a, i)
	case tableToken, tableBoot:
		i, _, err := decodeDeviceReference(e.Value)
		if err != nil || i.zero() {
			return false, nil //nolint:nilerr // reported by its own check
		}
		return c.goneDevice(a, i)
	case tableMerge:
		m, err := decodeMerge(e.Value)
		if err != nil {
			return false, nil //nolint:nilerr // likewise
		}
		if of, err := c.erased(a, m.person); of || err != nil {
			return of, err
		}
		return c.erased(a, m.visitor) // it was undone
	case tableChat:
		return c.erasedChat(a, i)
	case tableCookie:
		record, err := decodeCookie(e.Value)
		if err != nil || record.chat.zero() {
			return false, nil //nolint:nilerr // likewise
		}
		return c.erasedChat(a, record.chat)
	case tableSubject:
		at, err := decodeSubject(e.Value)
		if err != nil {
			return false, nil //nolint:nilerr // likewise
		}
		return c.erased(a, at)
	case tableQueue:
		return c.erasedDeadline(e.Key)
	}
	return false, nil
}

// erased says whether a profile, or whom it became part of, is being removed.
func (c *checker) erased(a Account, i id) (bool, error) {
	p, err := c.profile(a, i)
	if err != nil || p == nil || p.erasing != 0 || p.mergedInto.zero() {
		return p != nil && p.erasing != 0, err
	}
	p, err = c.profile(a, p.mergedInto)
	return p != nil && p.erasing != 0, err
}

func (c *checker) goneDevice(a Account, i id) (bool, error) {
	d, err := c.device(a, i)
	if err != nil || d == nil || d.gone != 0 || d.current() == nil {
		return d != nil && d.gone != 0, err
	}
	return c.erased(a, d.current().profile)
}

func (c *checker) erasedChat(a Account, i id) (bool, error) {
	of, err := c.chat(a, i)
	if err != nil || of == nil {
		return false, err
	}
	return c.erased(a, of.profile)
}

func (c *checker) erasedDeadline(key []byte) (bool, error) {
	_, kind, ref, err := parseQueueKey(key)
	if err != nil || len(ref) < 2+16 {
		return false, nil //nolint:nilerr // reported by its own check
	}
	a, i := Account(binary.BigEndian.Uint16(ref)), keyID(ref, 2)
	switch kind {
	case dueSession, dueVisitor, dueLate:
		return c.erased(a, i)
	case dueChat, dueGrave:
		return c.erasedChat(a, i)
	}
	return false, nil
}
