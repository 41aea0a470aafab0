package tracker

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

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

// A browser whose visitor was overdue went on as another device, of which it may
// not have heard. If that one is erased and removed first, the cookie of before
// stands for what was erased.
func TestB33CookieOfBeforeAnErasedDevice(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	cookie := b.device
	w.now = w.now.Add(DefaultVisitorTTL + time.Minute) // and its deletion did not run yet
	b.device, b.deviceUntil, b.epoch = cookie, time.Time{}, ""
	b.open()
	require.NotEqual(t, cookie, b.device)
	b.startChat()
	made := b.at(time.Second, "made before")
	w.erase(b.person().ID)
	require.NoError(t, w.service.finishJobs(t.Context()))
	w.pass(time.Minute)
	require.Empty(t, ofTable(w, tableDevice))

	late := w.browser("anna")
	late.device = cookie
	made.Epoch = ""
	late.send(late.request(made))
	assert.Empty(t, ofTable(w, tableDevice), "nothing is made of it")
	assert.Empty(t, ofTable(w, tableEvent))
}
