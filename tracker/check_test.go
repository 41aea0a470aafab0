package tracker

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Whatever single entry is lost, cannot be read or belongs to another account,
// the check notices; but for those that may be missing.
func TestCheckNoticesEveryEntry(t *testing.T) {
	w := lived(t)
	removing := w.removing() // what is left of it may be incomplete
	mayBeMissing := func(e store.Entry) bool {
		switch e.Key[0] {
		case tableItem, tableInvalid, tableDedupe, tableSchema, tableLayout, tableErased, tableRetention, tableAlive:
			return true
		case tableBoot:
			t, err := decodeTombstone(e.Value)
			return err != nil || t.at == 0
		case tableAttribute:
			return len(attributeEntries(string(e.Key[idKeySize:]), e.Value)) == 0
		}
		return false
	}
	for _, e := range w.everything() {
		if removing[string(e.Key)] {
			continue
		}
		if !mayBeMissing(e) {
			w.change(drop(e))
			assert.NotEmpty(t, w.problems(), "%q is missing", e.Key)
		}
		w.change(store.Entry{Key: e.Key, Value: []byte{valueVersion + 1, '{'}})
		if !bytes.Equal(e.Value, present) { // of these the key says all
			assert.NotEmpty(t, w.problems(), "%q is of a later version", e.Key)
		}
		w.change(e)
		if cut := e.Key[:len(e.Key)-1]; !strings.ContainsRune("AYDaZfz", rune(e.Key[0])) {
			w.change(store.Entry{Key: cut, Value: e.Value})
			assert.NotEmpty(t, w.problems(), "%q has a part of it beside it", e.Key)
			w.change(store.Entry{Key: cut})
		}
		if !strings.ContainsRune("YDQSaZefz", rune(e.Key[0])) {
			moved := slices.Clone(e.Key)
			if moved[2]++; e.Key[0] == tableJob {
				moved[3]++
			}
			w.change(store.Entry{Key: moved, Value: e.Value})
			assert.NotEmpty(t, w.problems(), "%q stands in another account", e.Key)
			w.change(store.Entry{Key: moved})
		}
	}
	assert.Empty(t, w.problems())
}

func TestCheckLifetimes(t *testing.T) {
	w := lived(t)
	of := func(opts CheckOptions) (found []string) {
		opts.Now = w.now
		_, err := Check(t.Context(), w.store, opts, func(p Problem) { found = append(found, p.Text) })
		require.NoError(t, err)
		return found
	}
	assert.Empty(t, of(CheckOptions{
		SessionTimeout: DefaultSessionTimeout, VisitorTTL: DefaultVisitorTTL, ChatSessionTTL: DefaultChatSessionTTL, AuthSessionTTL: DefaultAuthSessionTTL,
	}))
	shorter := strings.Join(of(CheckOptions{SessionTimeout: 10 * time.Minute}), "\n")
	for _, text := range []string{"after its end", "its last activity was at", "late session"} {
		assert.Contains(t, shorter, text)
	}
	assert.Contains(t, strings.Join(of(CheckOptions{SessionTimeout: 5 * time.Minute}), "\n"), "over a pause")
	assert.Contains(t, strings.Join(of(CheckOptions{VisitorTTL: time.Hour}), "\n"), "a visitor that expires at")
	assert.Contains(t, strings.Join(of(CheckOptions{ChatSessionTTL: time.Hour}), "\n"), "Live Chat session")
	assert.Contains(t, strings.Join(of(CheckOptions{AuthSessionTTL: time.Hour}), "\n"), "Live Chat session")
	w.now = w.now.Add(26 * time.Hour)
	assert.Empty(t, of(CheckOptions{}))
	assert.Contains(t, strings.Join(of(CheckOptions{SessionTimeout: DefaultSessionTimeout, Settled: true}), "\n"), "not settled")
}

// A visitor whose deletion was interrupted lacks a part of the timeline, and
// nothing is wrong with that.
func TestCheckUnderAnInterruptedDeletion(t *testing.T) {
	w := lived(t)
	w.now = w.now.Add(DefaultVisitorTTL + time.Hour)
	i := w.firstProfile(func(p *profile) bool { return aVisitor(p) && withASession(p) }).id
	w.change(drop(w.first(tableEvent, func(e store.Entry) bool { return keyID(e.Key, 3) == i })))
	assert.Empty(t, w.problems())
}

func TestCheckTellsHowFarItIs(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	for range checkPage {
		b.track("again")
	}
	var told []uint64
	result, err := Check(t.Context(), w.store, CheckOptions{Now: w.now, Progress: func(n uint64) { told = append(told, n) }}, nil)
	require.NoError(t, err)
	assert.Equal(t, []uint64{checkPage}, told)
	assert.EqualValues(t, len(w.everything()), result.Total())
	assert.EqualValues(t, 1, result.Entries[tableProfile])
	assert.EqualValues(t, checkPage+2, result.Entries[tableEvent])
}

func TestCheckLeavesANewerStoreAlone(t *testing.T) {
	w := lived(t)
	w.change(store.Entry{Key: layoutKey, Value: []byte{1, 8, layoutVersion + 1}})
	_, err := Check(t.Context(), w.store, CheckOptions{}, func(p Problem) { assert.Fail(t, p.String()) })
	require.ErrorIs(t, err, ErrNewer)
}

func TestUnprepare(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, Unprepare(t.Context(), w.store))
	require.NoError(t, Prepare(t.Context(), w.store))
	w.change(store.Entry{Key: aliveKey, Value: inUse{millis(w.now)}.encode()})
	require.Len(t, w.everything(), 2)
	require.NoError(t, Unprepare(t.Context(), w.store))
	assert.Empty(t, w.everything())
	require.NoError(t, Prepare(t.Context(), w.store))
	w.browser("anna").open()
	before := w.everything()
	require.NoError(t, Unprepare(t.Context(), w.store))
	assert.Equal(t, before, w.everything())
}

func TestCheckPassesErrorsOn(t *testing.T) {
	w := lived(t)
	gone := errors.New("gone")
	_, err := Check(t.Context(), failingStore{w.store, gone}, CheckOptions{}, func(Problem) {})
	require.ErrorIs(t, err, gone)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Check(ended, w.store, CheckOptions{}, func(Problem) {})
	require.ErrorIs(t, err, context.Canceled)
}

// failingStore fails lookups.
type failingStore struct {
	store.Store
	err error
}

func (s failingStore) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.Store.View(ctx, func(r store.Reader) error { return fn(failingReader{r, s.err}) })
}

type failingReader struct {
	store.Reader
	err error
}

func (r failingReader) Get([]byte) ([]byte, error) { return nil, r.err }
