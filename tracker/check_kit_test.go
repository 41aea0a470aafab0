package tracker

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// lived is a store in which something of everything has happened.
func lived(t *testing.T) *world {
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	w := newWorldOn(t, st, func(c *Config) {
		c.Accounts["other"] = c.Accounts[DefaultAccountName]
		c.EventRetention = 30 * 24 * time.Hour
		c.Random = &safeReader{from: rand.NewChaCha8([32]byte{1})}
	})
	w.now = w.now.Add(-4 * time.Hour)

	anna := w.browser("anna")
	anna.open()
	anna.startChat()
	anna.must(MethodUpdatePerson, example)
	anna.must(MethodAppendToList, m{"attributeName": "category", "value": m{"name": "shoes"}})
	epoch := anna.epoch
	own := anna.call(MethodTrack, m{"eventId": "action"})
	own.ID = "of_another_form"
	require.Nil(t, anna.send(anna.request(own)).Results[0].Err)
	require.NoError(t, Prepare(context.Background(), w.store))
	w.change(store.Entry{Key: aliveKey, Value: inUse{millis(w.now)}.encode()})
	bob := w.browser("bob")
	bob.open()
	bob.startChat()
	bob.authenticate(w.token("email", "bob@example.com", withSID("s1")))
	carl := w.browser("carl")
	carl.open()
	carl.authenticate(w.token("msisdn", "420777123456"))
	dora := w.browser("dora").with(siteCookieValue)
	dora.open()
	w.pass(4 * time.Hour)

	dora.logout()
	require.NoError(t, w.service.InvalidateSession(context.Background(), DefaultAccount, widgetID, "s1"))
	anna.track("again")
	carl.track("again")
	first := anna.at(6*time.Hour, "late")
	second := anna.at(6*time.Hour-10*time.Minute, "later")
	first.Epoch, second.Epoch = epoch, epoch
	for _, result := range anna.send(anna.request(first, second)).Results {
		require.Nil(t, result.Err)
	}
	w.pass(time.Hour) // the late session has ended
	anna.track("once more")
	open := anna.at(3*time.Hour, "late again") // this one goes on
	open.Epoch = epoch
	require.Nil(t, anna.send(anna.request(open)).Results[0].Err)
	vera := w.browser("vera")
	vera.open()
	for tab := range 2 * maxWindows {
		vera.tab, vera.n = string(rune('a'+tab)), 0
		vera.track("another tab")
	}
	gone := w.browser("gone")
	gone.open()
	gone.startChat()
	w.erase(gone.person().ID)
	w.pass(0)
	going := w.browser("going")
	going.open()
	going.startChat()
	w.erase(going.person().ID) // and is not removed yet
	require.Empty(t, w.problems())
	entries := map[byte]bool{}
	for _, e := range w.everything() {
		entries[e.Key[0]] = true
	}
	for table := range tableChecks {
		require.True(t, entries[table], "nothing in table %q", table)
	}
	return w
}

// everything is all that the store holds, in the order of the keys.
func (w *world) everything() (all []store.Entry) {
	w.t.Helper()
	require.NoError(w.t, w.store.View(context.Background(), func(r store.Reader) error {
		all = nil
		for e, err := range store.Entries(r, store.Range{}) {
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return nil
	}))
	return all
}

// change puts keys, or deletes those whose value is nil.
func (w *world) change(entries ...store.Entry) {
	w.t.Helper()
	require.NoError(w.t, w.store.Update(context.Background(), func(tx store.Tx) error {
		for _, e := range entries {
			var err error
			if e.Value == nil {
				err = tx.Delete(e.Key)
			} else {
				err = tx.Put(e.Key, e.Value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// removing are the entries of what was erased and is not removed yet.
func (w *world) removing() map[string]bool {
	w.t.Helper()
	all, removing := w.everything(), map[string]bool{}
	require.NoError(w.t, w.store.View(context.Background(), func(r store.Reader) error {
		c := &checker{ahead: &ahead{Reader: r}}
		for _, e := range all {
			removed, err := c.beingRemoved(e)
			if err != nil {
				return err
			}
			removing[string(e.Key)] = removed
		}
		return nil
	}))
	return removing
}

// first is the first entry of a table that is meant, of somebody who is there.
func (w *world) first(table byte, meant func(store.Entry) bool) store.Entry {
	w.t.Helper()
	removing := w.removing()
	for _, e := range w.everything() {
		if e.Key[0] == table && !removing[string(e.Key)] && (meant == nil || meant(e)) {
			return e
		}
	}
	require.Failf(w.t, "no such entry", "in table %q", table)
	return store.Entry{}
}

// Profiles by what they are.
func (w *world) firstProfile(meant func(*profile) bool) *profile {
	w.t.Helper()
	e := w.first(tableProfile, func(e store.Entry) bool { return meant(w.profileAt(e)) })
	return w.profileAt(e)
}

func (w *world) profileAt(e store.Entry) *profile {
	var p *profile
	require.NoError(w.t, w.store.View(w.t.Context(), func(r store.Reader) (err error) {
		p, err = readProfile(r, keyAccount(e.Key), lastID(e.Key))
		return err
	}))
	require.NotNil(w.t, p)
	return p
}

func (w *world) putProfile(p *profile) { w.change(entryOf(p)) }

// entryOf is the entry that the record of a profile stands in.
func entryOf(p *profile) store.Entry {
	if d := p.within; d != nil {
		return store.Entry{Key: idKey(tableDevice, d.account, d.id), Value: d.encode()}
	}
	return store.Entry{Key: idKey(tableProfile, p.account, p.id), Value: p.encode()}
}

func aVisitor(p *profile) bool       { return p.kind == kindVisitor && p.mergedInto.zero() }
func aMerged(p *profile) bool        { return !p.mergedInto.zero() }
func aLead(p *profile) bool          { return p.kind == kindLead }
func authenticated(p *profile) bool  { return p.kind == kindAuthenticated }
func withASession(p *profile) bool   { return !p.open.id.zero() }
func drop(e store.Entry) store.Entry { return store.Entry{Key: e.Key} }

func (w *world) deviceAtEntry(e store.Entry) *device {
	d, err := decodeDevice(keyAccount(e.Key), lastID(e.Key), e.Value)
	require.NoError(w.t, err)
	return d
}

func (w *world) chatAt(e store.Entry) *chat {
	c, err := decodeChat(keyAccount(e.Key), lastID(e.Key), e.Value)
	require.NoError(w.t, err)
	return c
}

func (w *world) sessionAt(e store.Entry) *session {
	s, err := decodeSession(keyAccount(e.Key), e.Key, e.Value)
	require.NoError(w.t, err)
	return s
}

func (w *world) eventAt(e store.Entry) *event {
	ev, err := decodeEvent(e.Value)
	require.NoError(w.t, err)
	return ev
}

func anyDevice(*device) bool { return true }

func inAChat(d *device) bool { return !d.chat.zero() }
