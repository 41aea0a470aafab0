package tracker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// inPages is everybody, read in pages.
func (w *world) inPages(limit int) (all []Person) {
	w.t.Helper()
	for cursor := ""; ; {
		page, err := w.service.Persons(context.Background(), DefaultAccount, PersonQuery{Limit: limit, Cursor: cursor})
		require.NoError(w.t, err)
		all = append(all, page.Persons...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// TestListedAsLongAsASessionGoesOn: the list leaves out what lies before the
// sweeper's mark, and nobody whose session began long before it.
func TestListedAsLongAsASessionGoesOn(t *testing.T) {
	w := newWorld(t)
	anna, bert := w.lead("anna"), w.lead("bert")
	for range 20 {
		w.pass(20 * time.Minute)
		anna.track("still here")
		require.Greater(t, w.service.swept.Load(), anna.profile().open.start)
		require.Len(t, w.persons(), 2)
		assert.Equal(t, anna.person().ID, w.persons()[0].ID)
	}
	assert.Equal(t, bert.person().ID, w.persons()[1].ID)
	w.service.swept.Store(0)
	assert.Len(t, w.persons(), 2, "and before the first sweep")
}

// TestListedThoughTheSessionCannotEnd: whom the sweeper cannot help stays in
// the list, until a sweep over all could.
func TestListedThoughTheSessionCannotEnd(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	w := newWorldOn(t, st)
	anna := w.browser("anna")
	anna.page.URL = "https://shop.example/?utm_source=news" // else its record is not read
	anna.open()
	anna.startChat()
	open := anna.profile().open
	key := sessionKey(DefaultAccount, open.home, open.start, open.id)
	var record []byte
	require.NoError(t, st.View(context.Background(), func(r store.Reader) (err error) {
		record, err = r.Get(key)
		return err
	}))
	w.change(store.Entry{Key: key, Value: []byte{99}})
	w.now = w.now.Add(2 * time.Hour)
	require.ErrorIs(t, w.service.Sweep(context.Background()), errMalformed)
	assert.Len(t, w.persons(), 1)
	require.NoError(t, w.service.sweepOnce(context.Background(), ends, w.now.Add(-time.Minute), w.now), "it looks at what became due since")
	assert.Len(t, w.persons(), 1)
	w.change(store.Entry{Key: key, Value: record})
	w.pass(time.Second)
	assert.Positive(t, w.service.swept.Load())
	assert.Len(t, w.persons(), 1)
	assert.Empty(t, w.problems())
}

// TestMoreOpenSessionsThanOneScanGives: they are all sorted by last activity.
func TestMoreOpenSessionsThanOneScanGives(t *testing.T) {
	w := newWorld(t)
	var browsers []*browser
	for i := range store.MaxScan + 50 {
		browsers = append(browsers, w.lead(fmt.Sprint("b", i)))
	}
	for i := 0; i < len(browsers); i += 100 {
		w.now = w.now.Add(time.Second)
		browsers[i].track("again")
	}
	all := w.inPages(100)
	require.Len(t, all, len(browsers))
	known := map[string]bool{}
	for i, p := range all {
		known[p.ID] = true
		assert.False(t, i > 0 && p.LastActivityAt.After(*all[i-1].LastActivityAt))
	}
	assert.Len(t, known, len(browsers))
	assert.Equal(t, browsers[1000].person().ID, all[0].ID)
}
