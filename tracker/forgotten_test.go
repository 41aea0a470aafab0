package tracker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// B26: an id of any form is known for seven days from its receipt on, whatever
// the browser's clock says and however long the call waited.
func TestB26AnyClockAndAnyForm(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct{ skew, waited time.Duration }{
		"right":                  {},
		"two days behind":        {skew: -2 * day},
		"two days ahead":         {skew: 2 * day},
		"years behind":           {skew: -3 * 365 * day},
		"a call of six days ago": {waited: 6 * day},
		"of another day":         {waited: 11 * time.Hour}, // it is ten
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.lead("anna")
			b.skew = c.skew
			call := b.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "once"}})
			call.ID, call.At = "3f2c_A", call.At.Add(-c.waited)
			require.Nil(t, b.send(b.request(call)).Results[0].Err)
			count := func() (n int) {
				for _, e := range w.timeline(b.person().ID) {
					if e.DefinitionID == "action" {
						n++
					}
				}
				return n
			}
			require.Equal(t, 1, count())
			for _, wait := range []time.Duration{time.Hour, 5 * day, 2*day - 2*time.Hour} {
				w.pass(wait)
				assert.Nil(t, b.send(b.request(call)).Results[0].Err)
				assert.Equal(t, 1, count(), "recorded once, and repeated after another %s", wait)
			}
			w.pass(3 * day)
			entries, err := w.scanAll(tableDedupe)
			require.NoError(t, err)
			assert.Empty(t, entries, "and then it is forgotten")
		})
	}
}

// B7: an invalidation is forgotten once it can end nothing any more.
func TestB7InvalidationIsForgotten(t *testing.T) {
	w := newWorld(t)
	invalidate := func() {
		t.Helper()
		require.NoError(t, w.service.InvalidateSession(context.Background(), DefaultAccount, widgetID, "s1"))
	}
	counts := func() (known, deadlines int) {
		t.Helper()
		entries, err := w.scanAll(tableInvalid)
		require.NoError(t, err)
		queue, err := w.scanAll(tableQueue)
		require.NoError(t, err)
		return len(entries), len(queue)
	}
	is := func(known, deadlines int, why string) {
		t.Helper()
		k, d := counts()
		assert.Equal(t, known, k, why)
		assert.Equal(t, deadlines, d, why)
	}
	invalidate()
	w.pass(100 * 24 * time.Hour)
	invalidate()
	is(1, 1, "the second takes the place of the first")
	w.pass(399 * 24 * time.Hour)
	is(1, 1, "an ended cookie value stays ended for 400 days")
	w.pass(25 * time.Hour)
	is(0, 0, "nothing is left")

	invalidate()
	w.service.chat = 500 * 24 * time.Hour // of a newer configuration
	w.pass(401 * 24 * time.Hour)
	is(1, 1, "sessions live for 500 days by now")
	w.pass(100 * 24 * time.Hour)
	is(0, 0, "now they are over")
}
