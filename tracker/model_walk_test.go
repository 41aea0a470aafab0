package tracker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// walk is what of a store the oracle knows, decoded, and what is wrong with it.
type walk struct {
	keys     map[byte]map[string][]byte // by table
	profiles map[id]*profile
	sessions map[sessionRef]*session // by the profile that its timeline is part of
	events   []walkEvent
	store    store.Store
	now      int64
	swept    bool // nothing may be overdue
	stepped  bool // the clock was set back: what came before what is not known
	wrong    []string
}

type walkEvent struct {
	*event
	home  id
	at    int64
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
func takeStock(st store.Store, now int64) (*walk, error) {
	k := &walk{
		keys: map[byte]map[string][]byte{}, profiles: map[id]*profile{}, sessions: map[sessionRef]*session{}, store: st, now: now,
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

// takeProfile takes a profile's record from where it stands.
func (k *walk) takeProfile(i id, value []byte) error {
	place, err := placeOf(value)
	if err != nil {
		return err
	}
	if place.zero() {
		k.profiles[i], err = decodeProfile(DefaultAccount, i, value)
		return err
	}
	d, err := decodeDevice(DefaultAccount, place, k.keys[tableDevice][string(idKey(tableDevice, DefaultAccount, place))])
	if err != nil {
		return err
	}
	if d.visitor == nil || d.visitor.id != i {
		k.failf("the record of visitor %s is not with device %s", i, place)
		return nil
	}
	k.profiles[i] = d.visitor
	return nil
}

func (k *walk) decode() error {
	for key, value := range k.keys[tableProfile] {
		if err := k.takeProfile(lastID([]byte(key)), value); err != nil {
			return err
		}
	}
	for key, value := range k.keys[tableSession] {
		s, err := decodeSession(DefaultAccount, []byte(key), value)
		if err != nil {
			return err
		}
		ref := sessionRef{k.root(s.home), s.id}
		if k.sessions[ref] != nil {
			k.failf("session %s has two records among what belongs together", s.id)
		}
		k.sessions[ref] = s
	}
	for key, value := range k.keys[tableEvent] {
		if err := k.takeEvent([]byte(key), value); err != nil {
			return err
		}
	}
	return nil
}

// root is the profile that a merged one became part of.
func (k *walk) root(i id) id {
	for p := k.profiles[i]; p != nil && !p.mergedInto.zero(); p = k.profiles[i] {
		i = p.mergedInto
	}
	return i
}

func (k *walk) takeEvent(key, value []byte) error {
	e := walkEvent{}
	var err error
	if e.home, e.at, _, err = parseEventKey(key); err != nil {
		return err
	}
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

// all holds the store against the layout of its keys, with the lifetimes that
// every model lives by, and the index against the words as the oracle sees them.
func (k *walk) all() error {
	opts := CheckOptions{
		Now: fromMillis(k.now), Settled: k.swept,
		SessionTimeout: lasting(oSessionLasts), VisitorTTL: lasting(oVisitorLasts),
		ChatSessionTTL: lasting(oLeadLasts), AuthSessionTTL: lasting(oAuthLasts),
	}
	if k.stepped {
		opts.SessionTimeout = 0
	}
	_, err := Check(context.Background(), k.store, opts, func(p Problem) { k.failf("%s", p) })
	if err != nil {
		return err
	}
	k.walkSearch()
	return k.err()
}

func lasting(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
