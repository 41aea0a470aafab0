package tracker

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/postgres"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// B11: the deletion of visitors, however long it takes, is a pass of its own:
// sessions end without it.
func TestB11EndsDoNotWaitForDeletions(t *testing.T) {
	w := newWorld(t)
	old := w.browser("old")
	old.open()
	w.pass(time.Hour) // its session has ended
	w.now = w.now.Add(DefaultVisitorTTL - 30*time.Minute)
	anna := w.browser("anna")
	anna.open()
	w.now = w.now.Add(time.Hour) // both are due
	visitors := func() int {
		entries, err := w.scanAll(tableProfile)
		require.NoError(t, err)
		return len(entries)
	}
	require.Equal(t, 2, visitors())

	require.NoError(t, w.service.sweepOnce(t.Context(), ends, time.Time{}, w.now))
	assert.Equal(t, 2, visitors(), "nobody is deleted")
	assert.True(t, anna.profile().open.id.zero(), "the session has ended")

	require.NoError(t, w.service.sweepOnce(t.Context(), expiry, time.Time{}, w.now))
	assert.Equal(t, 1, visitors())
}

// A deadline of a kind that nobody settles is told, not passed over.
func TestUnknownKindOfDeadline(t *testing.T) {
	w := newWorld(t)
	strange := queueKey(w.now.UnixMilli(), '?', idRef(DefaultAccount, pattern(1)))
	require.NoError(t, w.store.Update(t.Context(), func(tx store.Tx) error { return tx.Put(strange, present) }))
	assert.ErrorContains(t, w.service.Sweep(t.Context()), `unknown kind '?'`)
	require.NoError(t, w.store.Update(t.Context(), func(tx store.Tx) error { return tx.Delete(strange) }))
}

// B11: a record that cannot be read keeps no other session from ending.
func TestB11DamagedRecordKeepsNothingElseFromEnding(t *testing.T) {
	w := newWorld(t)
	var browsers []*browser
	for i := range 40 { // in every shard
		b := w.browser(string(rune('a'+i%26)) + string(rune('a'+i/26)))
		b.open()
		browsers = append(browsers, b)
	}
	whole := entryOf(browsers[7].profile())
	put := func(value []byte) {
		require.NoError(t, w.store.Update(t.Context(), func(tx store.Tx) error { return tx.Put(whole.Key, value) }))
	}
	put([]byte{valueVersion + 1})
	w.now = w.now.Add(time.Hour)
	require.ErrorIs(t, w.service.Sweep(t.Context()), errMalformed, "it is told")
	for _, b := range append(browsers[:7:7], browsers[8:]...) {
		assert.True(t, b.profile().open.id.zero(), "%s", b.tab)
	}
	put(whole.Value)
	require.NoError(t, w.service.Sweep(t.Context()))
	assert.True(t, browsers[7].profile().open.id.zero())
}

// B11: an entry that is not the one its profile knows of, as another proxy or a
// program of before may have left it, ends nothing early and does not stay.
func TestB11EntryThatItsProfileDoesNotKnow(t *testing.T) {
	w := newWorld(t)
	anna := w.browser("anna")
	anna.open()
	open := anna.profile().open
	strange := queueKey(millis(w.now)-5, dueSession, idRef(DefaultAccount, anna.profile().id))
	put := func() {
		require.NoError(t, w.store.Update(t.Context(), func(tx store.Tx) error { return tx.Put(strange, present) }))
	}
	queued := func() (at []int64) {
		entries, err := w.scanAll(tableQueue)
		require.NoError(t, err)
		for _, e := range entries {
			deadline, kind, _, err := parseQueueKey(e.Key)
			require.NoError(t, err)
			if kind == dueSession {
				at = append(at, deadline)
			}
		}
		return at
	}
	put()
	require.NoError(t, w.service.Sweep(t.Context()))
	assert.Equal(t, open.id, anna.profile().open.id, "it goes on")
	assert.Contains(t, queued(), open.last+DefaultSessionTimeout.Milliseconds())
	assert.NotContains(t, queued(), millis(w.now)-5)

	w.pass(time.Hour)
	require.True(t, anna.profile().open.id.zero())
	put()
	require.NoError(t, w.service.Sweep(t.Context()))
	assert.Empty(t, queued())
	ended := 0
	events, err := w.scanAll(tableEvent)
	require.NoError(t, err)
	for _, e := range events {
		if seqOf(e.Key) == seqEnded {
			ended++
		}
	}
	assert.Equal(t, 1, ended)
}

// B11: a deadline that somebody else settled since it was read is left alone:
// the session which goes on by now has one of its own.
func TestB11DeadlineThatIsGone(t *testing.T) {
	w := newWorld(t)
	anna := w.browser("anna")
	anna.open()
	w.pass(10 * time.Minute)
	anna.track("it goes on longer than it was queued for")
	before := w.keys()
	gone := queueKey(millis(w.now)-5, dueSession, idRef(DefaultAccount, anna.profile().id))
	require.NoError(t, w.service.settleWhole(t.Context(), store.Entry{Key: gone, Value: present}, w.now))
	assert.Equal(t, before, w.keys())
}

// B11: the record of a session without a campaign is not read when it ends, and
// tells the same afterwards as one that was.
func TestB11RecordsOfEndedSessions(t *testing.T) {
	w := newWorld(t)
	plain, campaign := w.browser("plain"), w.browser("campaign")
	campaign.page.URL = "https://shop.example/?utm_source=news"
	for _, b := range []*browser{plain, campaign} {
		b.open()
	}
	require.True(t, plain.profile().open.bare)
	require.False(t, campaign.profile().open.bare)
	w.pass(10 * time.Minute)
	for _, b := range []*browser{plain, campaign} {
		b.track("once more")
	}
	open := map[bool]openSession{true: plain.profile().open, false: campaign.profile().open}
	w.pass(time.Hour)
	entries, err := w.scanAll(tableSession)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	for _, e := range entries {
		s := w.sessionAt(e)
		campaign := utm{source: s.utm.source}
		was := open[campaign == utm{}]
		want := session{
			account: DefaultAccount, home: was.home, start: was.start, id: was.id,
			last: was.start + (10*time.Minute + 2*flight).Milliseconds(), end: was.last + DefaultSessionTimeout.Milliseconds(), count: 2, utm: campaign,
		}
		assert.Equal(t, want, *s)
	}
}

// B11: two proxies that start at once on one database, after a downtime, end
// each session once between them, though some of its users come back meanwhile.
func TestB11TwoProxiesEndEachSessionOnce(t *testing.T) {
	dsn := postgrestest.Start(t).Database(t)
	var proxies [2]*world
	for i := range proxies {
		st, err := postgres.Open(t.Context(), dsn, postgres.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, st.Close()) })
		proxies[i] = newWorldOn(t, st)
	}
	const sessions, back = 300, 20
	var browsers []*browser
	for i := range sessions {
		b := proxies[0].browser(fmt.Sprint("b", i))
		b.open()
		browsers = append(browsers, b)
	}
	now := proxies[0].now.Add(time.Hour)
	for _, w := range proxies {
		w.now = now
	}
	var all sync.WaitGroup
	for _, w := range proxies {
		all.Go(func() { assert.NoError(t, w.service.Sweep(t.Context())) })
	}
	for _, b := range browsers[:back] {
		req := b.request(b.call(MethodPage, m{}))
		all.Go(func() {
			_, err := proxies[1].service.Batch(t.Context(), req)
			assert.NoError(t, err)
		})
	}
	all.Wait()
	told := map[id]int{}
	events, err := proxies[0].scanAll(tableEvent)
	require.NoError(t, err)
	for _, e := range events {
		if seqOf(e.Key) == seqEnded {
			told[proxies[0].eventAt(e).session]++
		}
	}
	assert.Equal(t, sessions, len(told))
	for session, times := range told {
		assert.Equal(t, 1, times, "%s", session)
	}
	records, err := proxies[0].scanAll(tableSession)
	require.NoError(t, err)
	assert.Equal(t, sessions+back, len(records))
	assert.Empty(t, proxies[0].problems())
}
