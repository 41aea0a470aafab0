package tracker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
	"github.com/livechat-people/caddy-people-tracking/tracker/livechat"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

const (
	widgetID = "85ea1938-f457-496d-8532-8fa489beea63"
	leadsID  = "0c9c1d4e-0d0d-4c0c-9c9c-3a6a1f0b7a11" // a widget that keeps authenticated people as leads
)

var secret = []byte("a secret of more than thirty-two bytes, for tests only")

// world is a service with a clock of its own.
type world struct {
	t       testing.TB
	service *Service
	store   store.Store
	now     time.Time
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	w := newWorldOn(t, st, change...)
	t.Cleanup(func() { assert.Empty(t, w.problems(), "the store contradicts itself") })
	return w
}

// problems is what the check finds in the store.
func (w *world) problems() (found []string) {
	w.t.Helper()
	_, err := Check(context.Background(), w.store, CheckOptions{Now: w.now}, func(p Problem) { found = append(found, p.String()) })
	require.NoError(w.t, err)
	return found
}

func newWorldOn(t testing.TB, st store.Store, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, store: st, now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}
	defs, err := schema.New([]schema.Definition{{
		ID: "action", Title: "Action",
		Fields: []schema.Field{{Name: "name", Type: schema.TypeString}, {Name: "label", Type: schema.TypeString}},
	}}, []schema.Attribute{
		{Name: "car", Type: schema.TypeString},
		{Name: "category", Type: schema.TypeList, Fields: []schema.Field{{Name: "name", Type: schema.TypeString}}},
	}, schema.Options{Strict: true})
	require.NoError(t, err)
	tokens, err := livechat.NewVerifier([]livechat.Widget{
		{ID: widgetID, Secrets: []livechat.Secret{{ID: "k1", Key: secret}}},
		{ID: leadsID, Secrets: []livechat.Secret{{ID: "k1", Key: secret}}, KeepAuthenticatedAsLeads: true},
	}, livechat.Options{})
	require.NoError(t, err)
	cfg := Config{
		Accounts: map[string]AccountConfig{DefaultAccountName: {Schema: defs, Tokens: tokens}},
		Now:      func() time.Time { return w.now },
	}
	for _, c := range change {
		c(&cfg)
	}
	w.service, err = New(st, cfg)
	require.NoError(t, err)
	return w
}

// pass lets time go by, and the sweeper do what is due.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(d)
	require.NoError(w.t, w.service.Sweep(context.Background()))
}

// token signs a Live Chat token for a subject.
func (w *world) token(subjectType, subject string, change ...func(jwt.MapClaims)) string {
	w.t.Helper()
	claims := jwt.MapClaims{
		"iss": widgetID, "jti": fmt.Sprint("j", w.now.UnixNano()), "sub": subject, "stp": subjectType,
		"iat": w.now.Unix(), "exp": w.now.Add(time.Minute).Unix(), "ski": "k1",
	}
	for _, c := range change {
		c(claims)
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	require.NoError(w.t, err)
	return signed
}

func withSID(sid string) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c["sid"] = sid } }

func fromWidget(widget string) func(jwt.MapClaims) {
	return func(c jwt.MapClaims) { c["iss"] = widget }
}

// browser keeps what a browser keeps and sends what the SDK sends.
type browser struct {
	*world
	device, chat           string    // our cookies
	deviceUntil, chatUntil time.Time // when they run out, zero for never
	boot                   string
	epoch                  string
	tab                    string
	n                      int
	agent                  Agent
	page                   Page
	site                   map[string]string // the site's own session cookies
	siteNames              []string
	skew                   time.Duration // how far its clock is ahead
	answered               time.Time     // when the boot was answered, zero before
}

func (w *world) browser(name string) *browser {
	return &browser{
		world: w, boot: fmt.Sprintf("%032x", []byte(name + strings.Repeat(".", 16))[:16]), tab: name,
		agent: Agent{DeviceType: "desktop", BrowserName: "Chrome"},
		page:  Page{URL: "https://shop.example/" + name, Title: name},
		site:  map[string]string{},
	}
}

// call makes a call now, under the epoch the page knows.
func (b *browser) call(method string, params any) Call {
	b.t.Helper()
	raw, err := json.Marshal(params)
	require.NoError(b.t, err)
	b.n++
	return Call{ID: b.tab + "-" + strconv.Itoa(b.n), At: b.now.Add(b.skew), Epoch: b.epoch, Method: method, Params: raw}
}

// A call waits for the end of its turn, and then travels.
const queued, flight = 20 * time.Millisecond, 60 * time.Millisecond

// request is what goes out: the cookies of this moment.
func (b *browser) request(calls ...Call) *Request {
	req := &Request{
		Account: DefaultAccount, ID: fmt.Sprintf("request-%s-%d", b.tab, b.n),
		ReceivedAt: b.now.Add(flight), SentAt: b.now.Add(queued + b.skew),
		Agent: b.agent, Pages: []Page{b.page}, Calls: calls, SiteCookieNames: b.siteNames,
	}
	b.device, b.chat = b.fresh(b.device, b.deviceUntil), b.fresh(b.chat, b.chatUntil)
	if b.device != "" {
		req.DeviceTokens = []string{b.device}
	}
	if b.chat != "" {
		req.ChatTokens = []string{b.chat}
	}
	if !b.answered.IsZero() && b.now.Sub(b.answered) >= bootLife {
		b.boot, b.answered = fmt.Sprintf("%032x", b.now.UnixNano()), time.Time{}
	}
	if b.answered.IsZero() {
		req.Boot = b.boot
	}
	for _, name := range b.siteNames {
		if value, ok := b.site[name]; ok {
			req.SiteCookies = append(req.SiteCookies, SiteCookie{Name: name, Value: value})
		}
	}
	return req
}

// send has a request carried out, and takes the answer in when it arrives.
func (b *browser) send(req *Request) *Response {
	b.t.Helper()
	b.now = b.now.Add(flight)
	response, err := b.service.Batch(context.Background(), req)
	require.NoError(b.t, err)
	require.Len(b.t, response.Results, len(req.Calls))
	for i, result := range response.Results {
		require.Equal(b.t, req.Calls[i].ID, result.ID)
	}
	b.take(response)
	return response
}

func (b *browser) take(response *Response) {
	b.device = b.apply(b.device, &b.deviceUntil, response.Device)
	b.chat = b.apply(b.chat, &b.chatUntil, response.Chat)
	if response.Epoch != "" {
		b.epoch = response.Epoch
		if b.answered.IsZero() {
			b.answered = b.now
		}
	}
}

func (b *browser) apply(value string, until *time.Time, change CookieChange) string {
	switch {
	case change.Set:
		*until = time.Time{}
		if change.MaxAge != 0 {
			*until = b.now.Add(change.MaxAge)
		}
		return change.Value
	case change.Delete:
		return ""
	}
	return value
}

// fresh is the cookie unless it has run out.
func (b *browser) fresh(value string, until time.Time) string {
	if !until.IsZero() && b.now.After(until) {
		return ""
	}
	return value
}

// do makes one call and returns its result.
func (b *browser) do(method string, params any) Result {
	b.t.Helper()
	return b.send(b.request(b.call(method, params))).Results[0]
}

func (b *browser) must(method string, params any) {
	b.t.Helper()
	result := b.do(method, params)
	require.Nil(b.t, result.Err, "%s: %v", method, result.Err)
}

type m = map[string]any

// open is a page that opens: init and page view, as the SDK sends them.
func (b *browser) open() {
	b.t.Helper()
	response := b.send(b.request(b.call(MethodInit, m{}), b.call(MethodPage, m{})))
	for _, r := range response.Results {
		require.Nil(b.t, r.Err)
	}
}

func (b *browser) track(label string) {
	b.t.Helper()
	b.must(MethodTrack, m{"eventId": "action", "properties": m{"name": "Button clicked", "label": label}})
}

func (b *browser) startChat() { b.t.Helper(); b.must(MethodChat, m{"state": "started"}) }

func (b *browser) authenticate(token string) {
	b.t.Helper()
	b.must(MethodChat, m{"state": "authenticated", "token": token})
}

func (b *browser) logout() { b.t.Helper(); b.must(MethodChat, m{"state": "ended"}) }

// profile is the hot record of who the browser is now, visitor or person.
func (b *browser) profile() *profile {
	b.t.Helper()
	var p *profile
	require.NoError(b.t, b.store.View(context.Background(), func(r store.Reader) error {
		value, err := r.Get(hashKey(tableToken, DefaultAccount, digestOf(b.device)))
		if err != nil {
			return err
		}
		require.NotEmpty(b.t, value, "the browser's cookie leads nowhere")
		i, _, err := decodeDeviceReference(value)
		require.NoError(b.t, err)
		d, err := readDevice(r, DefaultAccount, i)
		if err != nil {
			return err
		}
		p, err = readProfile(r, DefaultAccount, d.current().profile)
		return err
	}))
	return p
}

// person is who the browser is now, as the console shows him.
func (b *browser) person() Person {
	b.t.Helper()
	p, err := b.service.Person(context.Background(), DefaultAccount, b.profile().id.String())
	require.NoError(b.t, err)
	return p
}

// timeline is everything in a person's timeline, oldest first, read in pages
// of three so that paging is used everywhere.
func (w *world) timeline(person string) []Event {
	w.t.Helper()
	var all []Event
	for cursor := ""; ; {
		events, next, err := w.service.Events(context.Background(), DefaultAccount, person, EventQuery{Cursor: cursor, Limit: 3})
		require.NoError(w.t, err)
		all = append(oldestFirst(events), all...)
		if next == "" {
			return all
		}
		cursor = next
	}
}

func oldestFirst(newestFirst []Event) []Event {
	out := make([]Event, 0, len(newestFirst))
	for i := len(newestFirst) - 1; i >= 0; i-- {
		out = append(out, newestFirst[i])
	}
	return out
}

// story tells a timeline in short: "10:00 sessionStarted", one line an event,
// with the label of custom events.
func (w *world) story(person string) []string {
	w.t.Helper()
	var lines []string
	for _, e := range w.timeline(person) {
		var p struct{ Label string }
		require.NoError(w.t, json.Unmarshal(e.Properties, &p))
		line := e.OccurredTime.Format("15:04") + " " + e.DefinitionID
		if p.Label != "" {
			line += " " + p.Label
		}
		lines = append(lines, line)
	}
	return lines
}

func (w *world) persons() []Person {
	w.t.Helper()
	found, err := w.service.Persons(context.Background(), DefaultAccount, PersonQuery{Limit: 100})
	require.NoError(w.t, err)
	return found.Persons
}

// keys is every key of the store but those of dedupe days, which are dropped
// on their own clock, and those of accounts and definitions, which nobody leaves.
func (w *world) keys() (keys []string) {
	w.t.Helper()
	require.NoError(w.t, w.store.View(context.Background(), func(r store.Reader) error {
		for e, err := range store.Entries(r, store.Range{KeysOnly: true}) {
			if err != nil {
				return err
			}
			if !bytes.ContainsRune([]byte{tableDedupe, tableName, tableSchema}, rune(e.Key[0])) {
				keys = append(keys, fmt.Sprintf("%c %x", e.Key[0], e.Key[1:]))
			}
		}
		return nil
	}))
	return keys
}

func (w *world) scanAll(table byte) (all []store.Entry, err error) {
	err = w.store.View(context.Background(), func(r store.Reader) error {
		all, err = r.Scan(store.Range{From: []byte{table}, To: []byte{table + 1}, Limit: store.MaxScan})
		return err
	})
	return all, err
}
