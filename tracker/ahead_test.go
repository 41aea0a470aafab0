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
	"github.com/livechat-people/caddy-people-tracking/store/storetest"
)

// TestFewRoundTrips: on a database what the console shows takes a few round
// trips, however many people and timelines it is made of.
func TestFewRoundTrips(t *testing.T) {
	engine := storetest.NewRemote(memory.NewEngine())
	st := store.NewGroup(engine, store.GroupOptions{})
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	w := newWorldOn(t, st)
	const idle, live = 40, 70
	for i := range idle + live {
		if i == idle {
			w.pass(2 * time.Hour)
		}
		w.lead(fmt.Sprint("b", i)).must(MethodUpdatePerson, m{"firstName": "Anna", "lastName": fmt.Sprint("Horvat", i)})
	}
	trips := func(what string, most int, read func() error) {
		t.Helper()
		before := engine.Trips()
		require.NoError(t, read())
		assert.LessOrEqual(t, engine.Trips()-before, most, what)
	}
	ctx := context.Background()
	var page PersonPage
	persons := func(q PersonQuery) func() error {
		return func() (err error) {
			page, err = w.service.Persons(ctx, DefaultAccount, q)
			return err
		}
	}
	trips("the list", 7, persons(PersonQuery{Limit: 100}))
	require.Len(t, page.Persons, 100)
	for _, p := range page.Persons {
		assert.Equal(t, "Anna", p.FirstName)
	}
	trips("its next page", 7, persons(PersonQuery{Limit: 100, Cursor: page.Next}))
	assert.Len(t, page.Persons, idle+live-100)
	trips("a search", 12, persons(PersonQuery{Text: "anna", Limit: 100}))
	assert.Len(t, page.Persons, 100)

	found := page.Persons[0].ID
	trips("a person", 2, func() error {
		p, err := w.service.Person(ctx, DefaultAccount, found)
		assert.Equal(t, "Anna", p.FirstName)
		return err
	})
	trips("a timeline", 3, func() error {
		events, _, err := w.service.Events(ctx, DefaultAccount, found, EventQuery{})
		assert.NotEmpty(t, events)
		return err
	})
}
