package tracker

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
)

// everything is all that a store holds.
func everything(t testing.TB, st store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, st.View(context.Background(), func(r store.Reader) error {
		for e, err := range store.Entries(r, store.Range{}) {
			if err != nil {
				return err
			}
			all[string(e.Key)] = string(e.Value)
		}
		return nil
	}))
	return all
}

func onBadger(t testing.TB, dir string) store.Store {
	t.Helper()
	st, err := badger.Open(dir, badger.Options{})
	require.NoError(t, err)
	return st
}

func (w *world) erase(person string) {
	w.t.Helper()
	require.NoError(w.t, w.service.Erase(context.Background(), DefaultAccount, person))
}

// busyLife lets a browser do everything that leaves a trace, and returns the
// persons it was.
func busyLife(b *browser) (persons []string) {
	b.siteNames = []string{"shop_chat"}
	b.open()
	b.track("as a visitor")
	b.site["shop_chat"] = "value-of-the-shops-own-chat-cookie"
	b.epoch = ""
	b.open()
	persons = append(persons, b.profile().id.String())
	b.must(MethodUpdatePerson, m{
		"firstName": "Annabell", "tags": []string{"gardening"}, "customAttributes": m{"car": "Beetle"},
		"contactInformation": m{"email": []m{{"address": "annabell@home.example"}}, "phone": []m{{"number": "421905123450"}}},
	})
	b.must(MethodAppendToList, m{"attributeName": "category", "value": m{"name": "tulips"}})
	b.now = b.now.Add(2 * time.Hour)
	b.open()
	late := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "late"}})
	late.At = late.At.Add(-90 * time.Minute)
	own := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "own id"}})
	own.ID = "an_id_of_another_form"
	b.send(b.request(late, own))
	b.authenticate(b.token("email", "annabell@work.example", withSID("shop-session-77")))
	b.track("authenticated")
	for n := range maxWindows + 2 {
		b.tab, b.n = fmt.Sprintf("tab%d", n), 0
		b.track("in another tab")
	}
	return append(persons, b.profile().id.String())
}

// mentions says whether any key or value holds needle, as it is or in hex.
func mentions(all map[string]string, needle string) bool {
	for key, value := range all {
		for _, text := range []string{key, value} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(needle)) || strings.Contains(text, hex.EncodeToString([]byte(needle))) {
				return true
			}
		}
	}
	return false
}

func ofTable(w *world, table byte) []store.Entry {
	w.t.Helper()
	entries, err := w.scanAll(table)
	require.NoError(w.t, err)
	return entries
}

// counted notes how much each transaction writes.
type counted struct {
	store.Store
	mu   sync.Mutex
	most int
}

type countedTx struct {
	store.Tx
	writes int
}

func (c *countedTx) Put(key, value []byte) error { c.writes++; return c.Tx.Put(key, value) }
func (c *countedTx) Delete(key []byte) error     { c.writes++; return c.Tx.Delete(key) }

func (c *counted) Update(ctx context.Context, fn func(store.Tx) error) error {
	return c.Store.Update(ctx, func(tx store.Tx) error {
		counting := &countedTx{Tx: tx}
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.most = max(c.most, counting.writes)
		}()
		return fn(counting)
	})
}

// longLife makes a person of many visitors, events, tags and contacts.
func longLife(w *world) (person string) {
	for n := range 7 {
		b := w.browser(fmt.Sprintf("device%d", n))
		b.open()
		for range 3 {
			var calls []Call
			for range 90 {
				calls = append(calls, b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "one of many"}}))
			}
			b.send(b.request(calls...))
		}
		b.authenticate(w.token("externalPersonId", "c-1", fromWidget(leadsID)))
		var tags []string
		var emails []m
		for i := range 14 {
			tags = append(tags, fmt.Sprintf("tag %d of %d", i, n))
			emails = append(emails, m{"address": fmt.Sprintf("%d@%d.example", i, n)})
		}
		b.must(MethodUpdatePerson, m{"tags": tags, "contactInformation": m{"email": emails}})
		person = b.person().ID
	}
	return person
}
