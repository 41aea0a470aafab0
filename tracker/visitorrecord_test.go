package tracker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// written notes the tables of the keys that Updates put.
type written struct {
	store.Store
	tables string
}

func (s *written) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		s.tables = ""
		return fn(&writtenTx{tx, s})
	})
}

type writtenTx struct {
	store.Tx
	to *written
}

func (t *writtenTx) Put(key, value []byte) error {
	t.to.tables += string(key[0])
	return t.Tx.Put(key, value)
}

// A call of a visitor writes its event and one record, and one of a person the
// person's as well.
func TestKeysOfACall(t *testing.T) {
	w := newWorld(t)
	noted := &written{Store: w.service.store}
	w.service.store = noted
	b := w.browser("anna")
	b.open()
	b.track("known by now")
	assert.ElementsMatch(t, []byte{tableEvent, tableDevice}, []byte(noted.tables))
	b.startChat()
	b.track("a lead by now")
	assert.ElementsMatch(t, []byte{tableEvent, tableDevice, tableProfile}, []byte(noted.tables))
}

// The record of a visitor moves to its own key when it becomes part of a
// person, and that of the device goes on without it.
func TestRecordOfAVisitorMoves(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	visitor := b.profile()
	require.NotNil(t, visitor.within, "it stands within the device's")
	b.startChat()
	assert.Nil(t, b.profile().within)
	assert.NotEqual(t, visitor.id, b.profile().id)
	require.NoError(t, w.store.View(t.Context(), func(r store.Reader) error {
		p, err := readProfile(r, DefaultAccount, visitor.id)
		require.NoError(t, err)
		assert.Nil(t, p.within)
		assert.Equal(t, b.profile().id, p.mergedInto)
		d, err := readDevice(r, DefaultAccount, visitor.device)
		require.NoError(t, err)
		assert.Nil(t, d.visitor)
		return nil
	}))
	b.logout()
	assert.NotNil(t, b.profile().within, "so does that of the next visitor")
}

// Of layout 1 the record of a visitor stands under its own key. It is used
// there, and moves with the first call of its browser.
func TestRecordsOfLayout1(t *testing.T) {
	before := func(t *testing.T) (*world, *browser) {
		w := newWorld(t)
		b := w.browser("anna")
		b.open()
		b.track("one")
		p := b.profile()
		d := p.within
		p.within, d.visitor = nil, nil
		w.change(store.Entry{Key: idKey(tableProfile, p.account, p.id), Value: p.encode()})
		w.change(store.Entry{Key: idKey(tableDevice, d.account, d.id), Value: d.encode()})
		noteLayout(t, w.store, 1)
		require.NoError(t, Prepare(t.Context(), w.store))
		require.NoError(t, w.store.View(t.Context(), func(r store.Reader) error {
			found, err := layoutOf(r)
			assert.EqualValues(t, layoutVersion, found)
			return err
		}))
		return w, b
	}
	sound := func(w *world) {
		t.Helper()
		_, err := Check(t.Context(), w.store, CheckOptions{Now: w.now}, func(p Problem) { t.Error(p) })
		require.NoError(t, err)
	}
	t.Run("its browser calls", func(t *testing.T) {
		w, b := before(t)
		who := b.profile().id
		sound(w)
		b.track("two")
		assert.Equal(t, who, b.profile().id)
		assert.NotNil(t, b.profile().within)
		assert.EqualValues(t, 3, b.profile().open.count)
		sound(w)
	})
	t.Run("its session ends", func(t *testing.T) {
		w, b := before(t)
		w.pass(time.Hour)
		assert.True(t, b.profile().open.id.zero())
		assert.Nil(t, b.profile().within)
		sound(w)
	})
	t.Run("it chats", func(t *testing.T) {
		w, b := before(t)
		b.startChat()
		assert.Equal(t, kindLead, b.profile().kind)
		sound(w)
	})
	t.Run("its time is over", func(t *testing.T) {
		w, _ := before(t)
		w.pass(DefaultVisitorTTL + time.Hour)
		left, err := w.scanAll(tableProfile)
		require.NoError(t, err)
		assert.Empty(t, left)
		left, err = w.scanAll(tableDevice)
		require.NoError(t, err)
		assert.Empty(t, left)
		sound(w)
	})
}
