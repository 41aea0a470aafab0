package tracker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store/memory"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// told are the outcomes of the default account behind after, as "method result rule".
func (w *world) told(after string) (lines []string) {
	w.t.Helper()
	list, missed := w.service.Outcomes(DefaultAccount, after)
	require.Zero(w.t, missed)
	for _, o := range list {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprint(o.Method, " ", o.Result, " ", o.Reason, " ", o.Rule)), " "))
	}
	return lines
}

func (w *world) lastTold() Outcome {
	w.t.Helper()
	list, _ := w.service.Outcomes(DefaultAccount, "")
	require.NotEmpty(w.t, list)
	return list[len(list)-1]
}

var clicked = map[string]any{"eventId": "action", "properties": map[string]any{"name": "Button clicked", "label": "add-to-favorites"}}

// A visitor's calls are told by method, result and rule, and of what the
// browser sent nothing is told.
func TestB16LiveViewOfAVisitor(t *testing.T) {
	w := newWorld(t)
	anna := w.browser("anna")
	anna.send(anna.request(anna.call(MethodInit, map[string]any{}), anna.call(MethodPage, map[string]any{})))
	twice := anna.call(MethodTrack, clicked)
	anna.send(anna.request(twice))
	anna.send(anna.request(twice))
	anna.send(anna.request(
		anna.call(MethodTrack, map[string]any{"eventId": "action", "properties": map[string]any{"secretName": "secret value"}}),
		anna.call(MethodUpdatePerson, map[string]any{"firstName": "Semi"}),
		Call{ID: "own", At: w.now, Page: -1, Method: "<b>eraseEverybody</b>"},
	))
	assert.Equal(t, []string{
		"init recorded B21", "page recorded B29", "track recorded B22", "track repeated B26",
		"track refused B22", "updatePerson refused B23", "unknown refused",
	}, w.told(""))
	list, _ := w.service.Outcomes(DefaultAccount, "")
	for _, o := range list {
		assert.Empty(t, o.PersonID)
		assert.False(t, o.Time.IsZero())
	}
	assert.Equal(t, []any{CodeTrack, "SdkTrackError"}, []any{list[4].Code, list[4].Name})
	assert.Equal(t, []any{CodeUpdatePerson, "PeopleUpdateError"}, []any{list[5].Code, list[5].Name})

	told, err := json.Marshal(list)
	require.NoError(t, err)
	for _, unsaid := range []string{"anna", "shop.example", "action", "Button", "favorites", "secret", "Semi", "erase", "request-", anna.device, anna.boot, anna.epoch} {
		assert.NotContains(t, string(told), unsaid)
	}
}

func TestB16LiveViewOfAPerson(t *testing.T) {
	w := newWorld(t)
	anna := w.browser("anna")
	anna.send(anna.request(anna.call(MethodPage, map[string]any{})))
	assert.Empty(t, w.lastTold().PersonID)
	stamp := anna.epoch
	anna.send(anna.request(anna.call(MethodChat, map[string]any{"state": "started", "widgetId": widgetID})))
	anna.send(anna.request(anna.call(MethodTrack, clicked)))
	page, err := w.service.Persons(context.Background(), DefaultAccount, PersonQuery{})
	require.NoError(t, err)
	require.Len(t, page.Persons, 1)
	lead := page.Persons[0].ID
	assert.Equal(t, lead, w.lastTold().PersonID)
	assert.Equal(t, []string{"page recorded B29", "chat recorded B9", "track recorded B22"}, w.told(""))

	late := anna.call(MethodTrack, clicked) // of before the chat, which is the lead's by now
	late.Epoch, late.At = stamp, late.At.Add(-2*flight)
	anna.send(anna.request(late))
	assert.Equal(t, lead, w.lastTold().PersonID)

	anna.send(anna.request(anna.call(MethodChat, map[string]any{"state": "ended"})))
	anna.send(anna.request(anna.call(MethodPage, map[string]any{})))
	assert.Empty(t, w.lastTold().PersonID, "a visitor again")
	stale := anna.call(MethodUpdatePerson, map[string]any{"firstName": "Semi"})
	stale.Epoch = stamp
	anna.send(anna.request(stale))
	assert.Equal(t, "B8", w.lastTold().Rule)

	anna.send(anna.request(anna.call(MethodChat, map[string]any{"state": "authenticated", "widgetId": widgetID, "token": "nonsense"})))
	assert.Equal(t, []any{"B4", CodePersonState}, []any{w.lastTold().Rule, w.lastTold().Code})

	require.NoError(t, w.service.Erase(context.Background(), DefaultAccount, lead))
	list, _ := w.service.Outcomes(DefaultAccount, "")
	for _, o := range list {
		assert.Empty(t, o.PersonID, "B33: nothing names who was erased")
	}
}

// A consent call in the middle cuts a request in two, each with what belongs to
// it; one that withdraws answers the rest without asking who calls.
func TestB16LiveViewOfADividedRequest(t *testing.T) {
	w := newWorld(t)
	lead := w.lead("anna")
	id := lead.person().ID
	call := func(method string, params m) Call { return lead.call(method, params) }
	lead.send(lead.request(call(MethodPage, m{}), call(MethodConsent, m{"granted": true}), call(MethodTrack, clicked),
		call(MethodConsent, m{"granted": false}), call(MethodPage, m{})))
	list, _ := w.service.Outcomes(DefaultAccount, "")
	var told []string
	for _, o := range list[len(list)-5:] {
		told = append(told, fmt.Sprint(o.Method, " ", o.Result, " ", o.Rule, " ", o.PersonID == id))
	}
	assert.Equal(t, []string{
		"page recorded B29 true", "consent recorded B30 true", "track recorded B22 true", "consent recorded B30 false", "page not_recorded B30 false",
	}, told)
}

func TestB16LiveViewOfWhatIsNotRecorded(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		want   string
		change func(*Request)
	}{
		{"page not_recorded spider B29", func(r *Request) { r.Agent.DeviceType = deviceSpider }},
		{"page not_recorded no_consent B30", func(r *Request) { r.Consent = ConsentUnknown }},
		{"page not_recorded opted_out B31", func(r *Request) { r.Consent, r.OptedOut = ConsentRefused, true }},
	} {
		bot := w.browser("bot")
		req := bot.request(bot.call(MethodPage, map[string]any{}))
		tt.change(req)
		bot.send(req)
		told := w.told("")
		assert.Equal(t, tt.want, told[len(told)-1])
	}
	anna := w.browser("anna")
	anna.send(anna.request(anna.call(MethodPage, map[string]any{})))
	anna.device = "" // the browser keeps no cookie
	anna.send(anna.request(anna.call(MethodPage, map[string]any{})))
	anna.device, anna.answered = "", w.now
	again := anna.request(anna.call(MethodPage, map[string]any{}))
	w.service.RefusedRequest(DefaultAccountName, "rate_limited", "B38")
	w.service.RefusedRequest("nobody's", "rate_limited", "B38")
	_, err := w.service.Batch(context.Background(), again)
	require.NoError(t, err)
	told := w.told("")
	assert.Equal(t, []string{"batch refused rate_limited B38", "page refused B25"}, told[len(told)-2:])
}

func TestB16LiveViewsOfAccountsAreApart(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	defs, err := schema.New(nil, nil, schema.Options{})
	require.NoError(t, err)
	w := newWorldOn(t, st, func(c *Config) { c.Accounts["other"] = AccountConfig{Schema: defs} })
	w.service.RefusedRequest("other", "unknown_key", "B28")
	other, err := w.service.Account(context.Background(), "other")
	require.NoError(t, err)
	list, _ := w.service.Outcomes(other, "")
	assert.Empty(t, list, "the number was not known, and asking for it would touch the store")

	news, stop, err := w.service.Watch(DefaultAccount)
	require.NoError(t, err)
	defer stop()
	w.service.RefusedRequest("other", "unknown_key", "B28")
	list, _ = w.service.Outcomes(other, "")
	assert.Len(t, list, 1)
	assert.Empty(t, w.told(""))
	assert.Empty(t, news)
}

// The ring is bounded, and whoever is slow is told how many it missed. Nothing
// here would return if calls waited for a watcher.
func TestB16LiveViewOfASlowWatcher(t *testing.T) {
	w := newWorld(t)
	news, stop, err := w.service.Watch(DefaultAccount)
	require.NoError(t, err)
	refuse := func(n int) {
		for range n {
			w.service.RefusedRequest(DefaultAccountName, "rate_limited", "B38")
		}
	}
	refuse(3)
	assert.Len(t, news, 1)
	list, missed := w.service.Outcomes(DefaultAccount, "")
	assert.Len(t, list, 3)
	assert.Zero(t, missed)
	last := list[2].ID
	refuse(heldOutcomes + 7)
	list, missed = w.service.Outcomes(DefaultAccount, last)
	assert.Len(t, list, heldOutcomes)
	assert.Equal(t, uint64(7), missed)
	assert.Len(t, w.service.live.accounts[DefaultAccount].held, heldOutcomes)

	<-news
	last = list[heldOutcomes-1].ID
	list, missed = w.service.Outcomes(DefaultAccount, last)
	assert.Empty(t, list)
	assert.Zero(t, missed)
	refuse(2)
	list, missed = w.service.Outcomes(DefaultAccount, last)
	assert.Len(t, list, 2)
	assert.Zero(t, missed)
	for _, unknown := range []string{"", "x", last + "0", "other-3", strings.Repeat("9", 400), w.service.live.run + "-", w.service.live.run + "--1"} {
		list, missed = w.service.Outcomes(DefaultAccount, unknown)
		assert.Len(t, list, heldOutcomes, unknown)
		assert.Zero(t, missed)
	}

	<-news
	stop()
	stop()
	refuse(1)
	assert.Empty(t, news)
}

func TestB16LiveViewIsWatchedByAFew(t *testing.T) {
	w := newWorld(t)
	var stops []func()
	for range maxWatchers {
		_, stop, err := w.service.Watch(DefaultAccount)
		require.NoError(t, err)
		stops = append(stops, stop)
	}
	_, _, err := w.service.Watch(DefaultAccount)
	require.ErrorIs(t, err, ErrTooManyWatchers)
	stops[3]()
	_, _, err = w.service.Watch(DefaultAccount)
	assert.NoError(t, err)
}
