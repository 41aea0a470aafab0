package tracker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// walk is everything a store holds, decoded, and what is wrong with it.
type walk struct {
	keys     map[byte]map[string][]byte // by table
	profiles map[id]*profile
	devices  map[id]*device
	chats    map[id]*chat
	sessions map[id]*session
	events   []walkEvent
	timeout  int64
	now      int64
	swept    bool // nothing may be overdue
	wrong    []string
}

type walkEvent struct {
	*event
	home  id
	at    int64
	seq   seq
	label string
}

func (k *walk) failf(format string, args ...any) {
	k.wrong = append(k.wrong, fmt.Sprintf(format, args...))
}

// err is the first few of what is wrong.
func (k *walk) err() error {
	const most = 8
	if len(k.wrong) == 0 {
		return nil
	}
	return errors.New(strings.Join(k.wrong[:min(most, len(k.wrong))], "\n  "))
}

// takeStock reads the whole store.
func takeStock(st store.Store, now, timeout int64) (*walk, error) {
	k := &walk{
		keys: map[byte]map[string][]byte{}, profiles: map[id]*profile{}, devices: map[id]*device{}, chats: map[id]*chat{},
		sessions: map[id]*session{}, now: now, timeout: timeout,
	}
	err := st.View(context.Background(), func(r store.Reader) error {
		next := store.Range{From: []byte{1}, To: []byte{0xff}, Limit: store.MaxScan}
		for {
			some, err := r.Scan(next)
			if err != nil {
				return err
			}
			for _, e := range some {
				if k.keys[e.Key[0]] == nil {
					k.keys[e.Key[0]] = map[string][]byte{}
				}
				k.keys[e.Key[0]][string(e.Key)] = e.Value
			}
			if len(some) < next.Limit {
				return nil
			}
			next.From = append(some[len(some)-1].Key, 0)
		}
	})
	if err != nil {
		return nil, err
	}
	return k, k.decode()
}

func (k *walk) decode() (err error) {
	for key, value := range k.keys[tableProfile] {
		i := lastID([]byte(key))
		if k.profiles[i], err = decodeProfile(DefaultAccount, i, value); err != nil {
			return err
		}
	}
	for key, value := range k.keys[tableDevice] {
		i := lastID([]byte(key))
		if k.devices[i], err = decodeDevice(DefaultAccount, i, value); err != nil {
			return err
		}
	}
	for key, value := range k.keys[tableChat] {
		i := lastID([]byte(key))
		if k.chats[i], err = decodeChat(DefaultAccount, i, value); err != nil {
			return err
		}
	}
	for key, value := range k.keys[tableSession] {
		s, err := decodeSession(DefaultAccount, []byte(key), value)
		if err != nil {
			return err
		}
		if k.sessions[s.id] != nil {
			k.failf("session %s has two records", s.id)
		}
		k.sessions[s.id] = s
	}
	for key, value := range k.keys[tableEvent] {
		if err := k.takeEvent([]byte(key), value); err != nil {
			return err
		}
	}
	return nil
}

func (k *walk) takeEvent(key, value []byte) error {
	e := walkEvent{}
	var err error
	if e.home, e.at, _, err = parseEventKey(key); err != nil {
		return err
	}
	e.seq = seq(key[27])<<8 | seq(key[28])
	if e.event, err = decodeEvent(value); err != nil {
		return err
	}
	switch {
	case e.page != nil:
		e.label = strings.TrimPrefix(e.page.page.URL, "https://shop.example/")
	case e.definition == "action":
		var p struct {
			Label string `json:"label"`
		}
		if err := json.Unmarshal(e.properties, &p); err != nil {
			return err
		}
		e.label = p.Label
	}
	k.events = append(k.events, e)
	return nil
}

// root is the profile that a merged one became part of.
func (k *walk) root(i id) id {
	for p := k.profiles[i]; p != nil && !p.mergedInto.zero(); p = k.profiles[i] {
		i = p.mergedInto
	}
	return i
}

// same compares the keys of a table with those that the records ask for.
func (k *walk) same(table byte, want map[string]string) {
	for key, why := range want {
		if k.keys[table][key] == nil {
			k.failf("table %c: %x is missing, wanted by %s", table, key[1:], why)
		}
	}
	for key := range k.keys[table] {
		if want[key] == "" {
			k.failf("table %c: %x belongs to nothing", table, key[1:])
		}
	}
}

// all walks over everything.
func (k *walk) all() error {
	k.walkProfiles()
	k.walkListing()
	k.walkMerges()
	k.walkQueue()
	k.walkDevices()
	k.walkChats()
	k.walkSubjects()
	k.walkSearch()
	k.walkSessions()
	k.walkDefinitions()
	return k.err()
}

func (k *walk) walkProfiles() {
	for i, p := range k.profiles {
		switch {
		case p.kind == kindVisitor && p.listed != 0:
			k.failf("visitor %s is listed", i)
		case p.kind == kindVisitor && p.mergedInto.zero() && k.devices[p.device] == nil:
			k.failf("visitor %s has no device", i)
		case p.kind != kindVisitor && !p.mergedInto.zero():
			k.failf("person %s is merged", i)
		}
		if p.kind == kindVisitor && p.mergedInto.zero() {
			end := max(p.activity, p.created) + oVisitorLasts
			if p.expiry == 0 || p.expiry > end {
				k.failf("visitor %s is queued for %d, after its end %d", i, p.expiry, end)
			}
			if k.swept && end <= k.now {
				k.failf("visitor %s is overdue and was not deleted", i)
			}
		}
	}
	for _, table := range []byte{tableAttribute, tableItem, tableLink} {
		for key := range k.keys[table] {
			var i id
			copy(i[:], key[3:])
			if p := k.profiles[i]; p == nil || p.kind == kindVisitor {
				k.failf("table %c: %x stands under no person", table, key)
			}
		}
	}
	for key := range k.keys[tableReference] {
		var i id
		copy(i[:], key[3:])
		if k.profiles[i] == nil {
			k.failf("reference %x stands under no profile", key)
		}
		table, rest := key[19], key[20:]
		if k.keys[table][string(accountKey(table, DefaultAccount, 0))+rest] == nil {
			k.failf("reference of %s to a %c leads nowhere", i, table)
		}
	}
}

// walkListing: every person stands in the list once, where he belongs.
func (k *walk) walkListing() {
	want := map[string]string{}
	for i, p := range k.profiles {
		if p.kind == kindVisitor {
			continue
		}
		state, at := byte(listedIdle), max(p.activity, p.created)
		if !p.open.id.zero() {
			state, at = listedLive, p.open.start
		}
		want[string(listingKey(DefaultAccount, p.platformType(), state, at, i))] = "person " + i.String()
	}
	k.same(tableListing, want)
}

// walkMerges: each merge is one record, found from both sides.
func (k *walk) walkMerges() {
	members, merges, of := map[string]string{}, map[string]string{}, map[string]string{}
	byVisitor := map[id]*merge{}
	for key, value := range k.keys[tableMerge] {
		mg, err := decodeMerge(value)
		if err != nil {
			k.failf("merge %x: %v", key, err)
			continue
		}
		if byVisitor[mg.visitor] != nil {
			k.failf("visitor %s was merged twice", mg.visitor)
		}
		byVisitor[mg.visitor] = mg
	}
	for i, p := range k.profiles {
		if p.mergedInto.zero() {
			continue
		}
		mg, into := byVisitor[i], k.profiles[p.mergedInto]
		if mg == nil || mg.person != p.mergedInto || into == nil || !into.person() {
			k.failf("visitor %s is merged into %s without a record", i, p.mergedInto)
			continue
		}
		members[string(memberKey(DefaultAccount, mg.person, p.mergePoint, i))] = "visitor " + i.String()
		merges[string(idKey(tableMerge, DefaultAccount, mg.id))] = "visitor " + i.String()
		of[string(pairKey(tableMergeOf, DefaultAccount, mg.person, mg.id))] = "visitor " + i.String()
	}
	k.same(tableMember, members)
	k.same(tableMerge, merges)
	k.same(tableMergeOf, of)
	told := 0
	for _, e := range k.events {
		if e.definition == schema.EventPersonMerged {
			told++
			if mg := byVisitor[e.merge.visitor]; mg == nil || mg.person != e.home || e.at > mg.at || mg.at-e.at > oDay {
				k.failf("a merge is told of that did not happen")
			}
		}
	}
	if told != len(byVisitor) {
		k.failf("%d merges, %d told of", len(byVisitor), told)
	}
}
