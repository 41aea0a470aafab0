package tracker

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// everything is all that a store holds.
func everything(t testing.TB, st store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, st.View(context.Background(), func(r store.Reader) error {
		next := store.Range{From: []byte{1}, Limit: store.MaxScan}
		for {
			some, err := r.Scan(next)
			for _, e := range some {
				all[string(e.Key)] = string(e.Value)
			}
			if err != nil || len(some) < next.Limit {
				return err
			}
			next.From = append(some[len(some)-1].Key, 0)
		}
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

func TestB33NothingIsLeftButHashes(t *testing.T) {
	st := onBadger(t, t.TempDir())
	defer func() { require.NoError(t, st.Close()) }()
	w := newWorldOn(t, st)
	bert := w.browser("bert")
	bert.open()
	bert.startChat()
	bert.track("bert is here")
	w.pass(3 * time.Hour) // his session ends
	story := w.story(bert.person().ID)
	before := everything(t, st)

	anna, phone := w.browser("anna"), w.browser("phone")
	persons := busyLife(anna)
	phone.open()
	phone.track("on the phone")
	phone.authenticate(w.token("email", "annabell@work.example"))
	needles := map[string]string{
		"subject": "annabell", "phone": "421905123450", "phone backwards": "054321509124", "tag": "gardening", "attribute": "Beetle", "item": "tulips",
		"address": "shop.example/anna", "site's session": "shop-session-77", "device cookie": anna.device, "chat cookie": anna.chat,
		"site's cookie": "value-of-the-shops-own-chat-cookie", "client id": "an_id_of_another_form", "tab": "tab0", "boot": anna.boot,
	}
	for key := range everything(t, st) {
		if i := lastID([]byte(key)); strings.Contains("POWH", key[:1]) && !mentions(before, string(i[:])) {
			needles["an id "+i.String()] = string(i[:])
		}
	}
	for name, needle := range needles {
		if !strings.Contains(name, "cookie") && name != "boot" {
			assert.True(t, mentions(everything(t, st), needle), "%s is nowhere, so that finding it nowhere proves nothing", name)
		}
	}

	require.NoError(t, w.service.InvalidateSession(t.Context(), DefaultAccount, widgetID, "shop-session-77"))
	for _, person := range persons {
		w.erase(person)
	}
	w.pass(0)
	after := everything(t, st)
	for name, needle := range needles {
		assert.False(t, mentions(after, needle), "%s is left", name)
	}
	kinds, left := map[byte]int{}, []string{}
	for key, value := range after {
		if before[key] == value {
			continue
		}
		assert.Empty(t, before[key], "something of bert's changed: %q", key)
		assert.Contains(t, "VBCeQ", key[:1], "%q is left", key)
		kinds[key[0]]++
		left = append(left, key)
	}
	for key := range before {
		assert.NotEmpty(t, after[key], "something of bert's is gone: %q", key)
	}
	assert.Equal(t, kinds[tableToken]+kinds[tableBoot]+kinds[tableCookie], kinds[tableQueue], "every tombstone will be forgotten: %v", kinds)
	assert.Equal(t, story, w.story(bert.person().ID))

	w.pass(tombstoneLife + time.Hour)
	after = everything(t, st)
	for _, key := range left {
		assert.Equal(t, key[0] == tableErased, after[key] != "", "400 days later the record alone is left: %q", key)
	}
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

func TestB33ErasedPersonIsHiddenAtOnce(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	visitor := b.profile().id.String()
	assert.ErrorIs(t, w.service.Erase(t.Context(), DefaultAccount, visitor), ErrNotFound, "a visitor is not there (B16)")
	b.startChat()
	b.must(MethodUpdatePerson, m{"firstName": "Anna"})
	person := b.person().ID
	w.erase(person)

	_, err := w.service.Person(t.Context(), DefaultAccount, person)
	assert.ErrorIs(t, err, ErrNotFound)
	_, _, err = w.service.Events(t.Context(), DefaultAccount, person, EventQuery{})
	assert.ErrorIs(t, err, ErrNotFound)
	_, err = w.service.Merges(t.Context(), DefaultAccount, person)
	assert.ErrorIs(t, err, ErrNotFound)
	assert.Empty(t, w.persons())
	found, _, err := w.service.Persons(t.Context(), DefaultAccount, PersonQuery{Text: "anna"})
	require.NoError(t, err)
	assert.Empty(t, found)
	for _, unknown := range []string{person, pattern(7).String(), "", "x"} {
		assert.ErrorIs(t, w.service.Erase(t.Context(), DefaultAccount, unknown), ErrNotFound)
	}
}

// Whether the removal has run or not makes no difference to a browser.
func TestB33CallsOfBeforeAreDropped(t *testing.T) {
	for name, removed := range map[string]time.Duration{"hidden": -1, "removed": 0} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.siteNames, b.site["shop_chat"] = []string{"shop_chat"}, "value-of-the-shops-own-chat-cookie"
			b.open()
			person, cookie := b.profile().id, b.device
			waiting := b.request(b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "before"}}), b.call(MethodChat, m{"state": "started"}))
			unstamped := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "before, of a page without an answer"}})
			unstamped.Epoch = ""
			w.now = w.now.Add(time.Second)
			w.erase(person.String())
			w.pass(max(0, removed))

			waiting.ReceivedAt, waiting.SentAt = w.now.Add(flight), w.now
			response := b.send(waiting)
			for _, result := range response.Results {
				assert.Nil(t, result.Err)
				assert.Equal(t, notRecorded(madeBeforeErasure), result.Warnings)
			}
			assert.Equal(t, cookie, b.device, "nothing is begun for calls of before")
			assert.Equal(t, "", response.Epoch)

			b.epoch = ""
			w.now = w.now.Add(time.Second)
			response = b.send(b.request(unstamped, b.call(MethodPage, m{})))
			assert.Equal(t, notRecorded(madeBeforeErasure), response.Results[0].Warnings)
			assert.Empty(t, response.Results[1].Warnings)
			assert.NotEqual(t, cookie, b.device)
			assert.Equal(t, kindVisitor, b.profile().kind, "the site's cookie never starts a chat again, nor does ours lead back")
			b.send(b.request(unstamped))
			assert.Empty(t, w.persons())
			b.startChat()
			assert.Equal(t, []string{"pageView"}, kindsOf(w.timeline(b.person().ID), "sessionStarted", "personMerged"))
			w.pass(0)
			k, err := takeStock(w.store, w.now.UnixMilli())
			require.NoError(t, err)
			assert.NoError(t, k.all())
		})
	}
}

func TestB33BrowserThatIsSomebodyElseByNow(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.startChat()
	person := b.person().ID
	waiting := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "before"}})
	w.now = w.now.Add(time.Second)
	b.logout()
	b.track("somebody else")
	visitor := b.profile().id
	w.erase(person)
	w.pass(0)
	result := b.send(b.request(waiting)).Results[0]
	assert.Equal(t, notRecorded(madeBeforeErasure), result.Warnings)
	assert.Equal(t, visitor, b.profile().id, "who uses the browser now has nothing to do with it")
	b.startChat()
	assert.Equal(t, []string{"action"}, kindsOf(w.timeline(b.person().ID), "sessionStarted", "personMerged"))
}

func TestB33SubjectIsSomebodyNewAfterwards(t *testing.T) {
	for name, sweep := range map[string]bool{"hidden": false, "removed": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.open()
			b.authenticate(w.token("email", "anna@example.com"))
			first := b.person().ID
			w.erase(first)
			if sweep {
				w.pass(0)
			}
			w.now = w.now.Add(time.Second)
			other := w.browser("other")
			other.open()
			other.authenticate(w.token("email", "anna@example.com"))
			second := other.person().ID
			assert.NotEqual(t, first, second)
			w.pass(0)
			assert.Equal(t, second, other.person().ID, "the removal leaves whoever came afterwards alone")
			third := w.browser("third")
			third.open()
			third.authenticate(w.token("email", "anna@example.com"))
			assert.Equal(t, second, third.person().ID)
		})
	}
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

func TestB33LongLifeGoesInPiecesAndSurvivesACrash(t *testing.T) {
	dir := t.TempDir()
	st := onBadger(t, dir)
	pieces := &counted{Store: st}
	w := newWorldOn(t, pieces)
	person := longLife(w)
	w.erase(person)
	pieces.most = 0
	rounds, left := 0, len(everything(t, st))
	for again := true; again; rounds++ {
		if rounds > 0 && rounds%2 == 0 { // the process dies between two pieces
			require.NoError(t, st.Close())
			st = onBadger(t, dir)
			pieces.Store = st
		}
		k, err := takeStock(st, w.now.UnixMilli())
		require.NoError(t, err)
		i, _ := parseID(person)
		require.NotNil(t, k.profiles[i], "the record that hides the rest goes last")
		again, err = w.service.jobRound(t.Context(), jobKey(jobProfile, DefaultAccount, i))
		if rounds == 0 {
			require.NoError(t, w.service.recordErasure(t.Context(), DefaultAccount, i))
		}
		require.NoError(t, err)
		now := len(everything(t, st))
		assert.Less(t, now, left+100, "every piece takes something away")
		left = now
	}
	assert.Greater(t, rounds, 5)
	assert.LessOrEqual(t, pieces.most, maxExpire)
	w.pass(0)
	k, err := takeStock(st, w.now.UnixMilli())
	require.NoError(t, err)
	require.NoError(t, k.all())
	assert.Empty(t, k.profiles)
	assert.Empty(t, k.events)
	assert.Empty(t, ofTable(w, tableSearch))
	require.NoError(t, st.Close())
}

// A job that was left by a process that died is done by the next one.
func TestB33RemovalIsTakenUpByTheNextProcess(t *testing.T) {
	dir := t.TempDir()
	st := onBadger(t, dir)
	w := newWorldOn(t, st)
	w.erase(longLife(w))
	require.NoError(t, st.Close())
	st = onBadger(t, dir)
	defer func() { require.NoError(t, st.Close()) }()
	next := newWorldOn(t, st)
	next.now = w.now
	next.pass(0)
	k, err := takeStock(st, next.now.UnixMilli())
	require.NoError(t, err)
	require.NoError(t, k.all())
	assert.Empty(t, k.profiles)
}

type brokenLedger struct{ err error }

func (b *brokenLedger) Append([]Erasure) error { return b.err }

func TestB33NothingIsRemovedBeforeItIsRecorded(t *testing.T) {
	ledger := &brokenLedger{fmt.Errorf("no space left")}
	w := newWorld(t, func(c *Config) { c.Ledger = ledger })
	b := w.browser("anna")
	b.open()
	b.startChat()
	person := b.person().ID
	require.ErrorContains(t, w.service.Erase(t.Context(), DefaultAccount, person), "no space left")
	assert.Empty(t, w.persons(), "hidden it is all the same")
	require.Error(t, w.service.Sweep(t.Context()))
	assert.NotEmpty(t, ofTable(w, tableEvent))
	ledger.err = nil
	w.pass(0)
	assert.Empty(t, ofTable(w, tableEvent))
}

func ofTable(w *world, table byte) []store.Entry {
	w.t.Helper()
	entries, err := w.scanAll(table)
	require.NoError(w.t, err)
	return entries
}

func TestB33RacingCalls(t *testing.T) {
	st := memory.New()
	defer func() { require.NoError(t, st.Close()) }()
	for round := range 20 {
		w := newWorldOn(t, st)
		b := w.browser(fmt.Sprintf("anna%d", round))
		b.open()
		b.authenticate(w.token("externalPersonId", fmt.Sprint("c-", round)))
		person := b.person().ID
		var all sync.WaitGroup
		errs := make(chan error, 16)
		for n := range 4 {
			tab, world := *b, *w
			tab.world, tab.tab, tab.n = &world, fmt.Sprintf("r%dt%d", round, n), 0
			tab.now = tab.now.Add(time.Duration(n) * time.Second)
			requests := []*Request{
				tab.request(tab.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "racing"}})),
				tab.request(tab.call(MethodChat, m{"state": "authenticated", "token": tab.token("externalPersonId", fmt.Sprint("c-", round))})),
			}
			all.Go(func() {
				for _, req := range requests {
					_, err := w.service.Batch(context.Background(), req)
					errs <- err
				}
			})
		}
		all.Go(func() { errs <- w.service.Erase(context.Background(), DefaultAccount, person) })
		all.Go(func() { errs <- w.service.Sweep(context.Background()) })
		all.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		w.pass(10 * time.Second)
		k, err := takeStock(st, w.now.UnixMilli())
		require.NoError(t, err)
		require.NoError(t, k.all())
		i, _ := parseID(person)
		assert.False(t, mentions(everything(t, st), string(i[:])))
	}
}

func TestB33RestoreReplaysErasures(t *testing.T) {
	dir := t.TempDir()
	ledger := LedgerFile(filepath.Join(dir, "people"+LedgerSuffix))
	st := onBadger(t, filepath.Join(dir, "people"))
	w := newWorldOn(t, st, func(c *Config) { c.Ledger = ledger })
	anna, phone, bert := w.browser("anna"), w.browser("phone"), w.browser("bert")
	persons := busyLife(anna)
	phone.open() // a visitor when the backup is made, anna afterwards
	phone.track("on the phone")
	bert.open()
	bert.startChat()
	var backup bytes.Buffer
	_, err := store.Backup(t.Context(), st, &backup)
	require.NoError(t, err)

	phone.authenticate(w.token("email", "annabell@work.example"))
	waiting := anna.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "before"}})
	w.now = w.now.Add(time.Second)
	for _, person := range persons {
		w.erase(person)
	}
	w.pass(0)
	kept, err := ledger.Erasures()
	require.NoError(t, err)
	inside, err := Erasures(t.Context(), st)
	require.NoError(t, err)
	assert.ElementsMatch(t, kept, inside, "every later backup has the record as well")
	require.NoError(t, st.Close())

	restored := onBadger(t, filepath.Join(dir, "restored"))
	defer func() { require.NoError(t, restored.Close()) }()
	_, err = store.Restore(t.Context(), restored, &backup, nil)
	require.NoError(t, err)
	again := newWorldOn(t, restored)
	again.now = w.now.Add(time.Hour)
	_, err = again.service.Person(t.Context(), DefaultAccount, persons[0])
	require.NoError(t, err, "the backup brings her back")

	erased, err := ReplayErasures(t.Context(), restored, kept, again.now)
	require.NoError(t, err)
	assert.Equal(t, 3, erased, "two persons, and the visitor that was not merged yet")
	for _, needle := range []string{"annabell", "tulips", "on the phone", "shop.example/phone"} {
		assert.False(t, mentions(everything(t, restored), needle), needle)
	}
	assert.Len(t, again.persons(), 1, "bert")
	again.pass(0)
	k, err := takeStock(restored, again.now.UnixMilli())
	require.NoError(t, err)
	require.NoError(t, k.all())

	anna.world = again
	assert.Equal(t, notRecorded(madeBeforeErasure), anna.send(anna.request(waiting)).Results[0].Warnings)
	erased, err = ReplayErasures(t.Context(), restored, kept, again.now)
	require.NoError(t, err)
	assert.Zero(t, erased, "it may be repeated")
}
