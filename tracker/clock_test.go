package tracker

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
	"github.com/livechat-people/caddy-people-tracking/store/postgres"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// clocked is a world whose now is the true time, which browsers live by. The
// machine's clock is set aside from it, and so may the database's be.
type clocked struct {
	*world
	set      time.Duration
	database *time.Duration // nil without one
	silent   error          // why the database does not tell the time
	log      strings.Builder
	config   Config
}

func newClocked(t *testing.T, change ...func(*clocked, *Config)) *clocked {
	t.Helper()
	c := &clocked{}
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	c.world = newWorldOn(t, timedStore{st, c}, func(cfg *Config) {
		cfg.Now = nil
		c.world = &world{now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)} // until there is one
		for _, do := range change {
			do(c, cfg)
		}
		cfg.Clock = c.clock()
		cfg.Logger = slog.New(slog.NewTextHandler(&c.log, nil))
		c.config = *cfg
	})
	return c
}

// clock is that of a process which begins now.
func (c *clocked) clock() *Clock {
	began := c.now
	return NewClock(func() time.Time { return c.now.Add(c.set) }, func() time.Duration { return c.now.Sub(began) })
}

// timedStore is a store with the clock of the database.
type timedStore struct {
	store.Store
	*clocked
}

func (s timedStore) Time(context.Context) (time.Time, error) {
	if s.database == nil || s.silent != nil {
		return time.Time{}, s.silent
	}
	return s.now.Add(*s.database), nil
}

func withDatabase(set time.Duration) func(*clocked, *Config) {
	return func(c *clocked, _ *Config) { c.database = &set }
}

// goOn lets true time go by, with a sweep each ten minutes.
func (c *clocked) goOn(d time.Duration) {
	c.t.Helper()
	for ; d > 0; d -= 10 * time.Minute {
		c.pass(min(d, 10*time.Minute))
	}
}

func (c *clocked) doubt() string {
	if err := c.service.clock.Doubt(); err != nil {
		return err.Error()
	}
	return ""
}

// everything is a store in which something of each kind can end or expire: open
// and late sessions, visitors, chats, ended cookies, events, tombstones.
func (c *clocked) everything() (visitor, lead *browser) {
	c.t.Helper()
	gone := c.browser("gone")
	gone.open()
	gone.startChat()
	require.NoError(c.t, c.service.Erase(c.t.Context(), DefaultAccount, gone.profile().id.String()))
	left := c.browser("left")
	left.open()
	left.startChat()
	left.logout()
	require.NoError(c.t, c.service.InvalidateSession(c.t.Context(), DefaultAccount, widgetID, "sid"))
	c.goOn(50 * time.Minute)
	lead, visitor = c.browser("lead"), c.browser("visitor")
	lead.open()
	lead.startChat()
	visitor.open()
	late := visitor.call(MethodTrack, m{"eventId": "action", "properties": m{"label": "late"}})
	late.At = c.now.Add(-3 * time.Hour)
	visitor.send(visitor.request(late))
	c.goOn(time.Minute)
	return visitor, lead
}

// B36: a clock that is set by years ends no session, no visitor, no chat, and
// deletes nothing; calls are recorded as before, by the clock as it was.
func TestB36StepForwardEndsNothing(t *testing.T) {
	c := newClocked(t, func(_ *clocked, cfg *Config) { cfg.EventRetention = MinEventRetention })
	visitor, lead := c.everything()
	before, who := c.keys(), visitor.profile().id
	device, chat := visitor.device, lead.chat
	require.Empty(t, c.doubt())

	c.set = 2 * 365 * 24 * time.Hour
	c.goOn(20 * time.Minute)
	assert.Equal(t, before, c.keys(), "nothing is ended or deleted")
	visitor.track("Order")
	lead.track("Help")
	assert.Equal(t, []string{device, chat}, []string{visitor.device, lead.chat}, "nobody is taken for gone")
	assert.Equal(t, who, visitor.profile().id)
	assert.Equal(t, []string{"10:50 sessionStarted", "10:50 pageView", "10:50 personMerged", "11:11 action Help"}, c.story(lead.profile().id.String()))
	assert.Contains(t, c.doubt(), "the clock was set 17520h0m0s forward (since 2026-11-22T")

	c.goOn(49 * time.Minute) // the first sweep noticed it
	assert.Contains(t, c.doubt(), "sessions do not end and nothing expires")
	c.goOn(2 * time.Minute)
	assert.Empty(t, c.doubt(), "an hour later the clock is believed")
	c.goOn(time.Minute)
	found, err := c.scanAll(tableProfile)
	require.NoError(t, err)
	assert.Len(t, found, 4, "the visitors are gone, the persons of both chats stay with what was merged into them")
	events, err := c.scanAll(tableEvent)
	require.NoError(t, err)
	assert.Empty(t, events, "events are deleted at their age")
}

// B36: nor does a clock that is set back, which ends nothing before its time
// by either reading.
func TestB36StepBack(t *testing.T) {
	c := newClocked(t)
	anna := c.browser("anna")
	anna.open()
	anna.startChat()
	c.set = -3 * time.Hour
	c.goOn(40 * time.Minute)
	assert.Contains(t, c.doubt(), "the clock was set 3h0m0s back (since 2026-11-22T07:10:00Z)")
	assert.False(t, anna.profile().open.id.zero(), "by the clock it has not begun")
	anna.track("Order")
	assert.Contains(t, strings.Join(c.story(anna.profile().id.String()), "\n"), "action Order")
	c.goOn(30 * time.Minute)
	assert.Empty(t, c.doubt())
	c.goOn(3 * time.Hour)
	assert.True(t, anna.profile().open.id.zero())
}

// B36: clocks that differ by less are nothing to stop for, and yet no session
// ends before all of them say so.
func TestB36SmallDifferences(t *testing.T) {
	for name, change := range map[string]func(*clocked){
		"set forward":            func(c *clocked) { c.set = 4 * time.Minute },
		"ahead of the database":  func(c *clocked) { c.database = new(time.Duration); *c.database = -4 * time.Minute },
		"behind of the database": func(c *clocked) { c.database = new(time.Duration); *c.database, c.set = 0, -4*time.Minute },
	} {
		t.Run(name, func(t *testing.T) {
			c := newClocked(t)
			anna := c.browser("anna")
			anna.open()
			anna.startChat()
			began := anna.profile().open.start
			change(c)
			early := map[bool]time.Duration{true: c.set}[c.set < 0] // its only clock is late
			c.pass(29*time.Minute - early)
			assert.False(t, anna.profile().open.id.zero())
			assert.Empty(t, c.doubt())
			c.pass(6 * time.Minute)
			assert.True(t, anna.profile().open.id.zero())
			story := c.timeline(anna.profile().id.String())
			assert.Equal(t, began+DefaultSessionTimeout.Milliseconds(), millis(story[len(story)-1].OccurredTime))
		})
	}
}

// B36: many small steps are a large one, unless an hour lies between them.
func TestB36StepsAddUp(t *testing.T) {
	c := newClocked(t)
	c.set = 3 * time.Minute
	c.goOn(70 * time.Minute)
	c.set = 6 * time.Minute
	c.goOn(30 * time.Minute)
	require.Empty(t, c.doubt())
	c.set = 9 * time.Minute
	require.Contains(t, c.doubt(), "set 6m0s forward")
	c.set = 0
	require.Contains(t, c.doubt(), "the clocks disagreed")
	c.goOn(59 * time.Minute)
	assert.NotEmpty(t, c.doubt(), "also one that is taken back is in doubt for an hour")
	c.goOn(2 * time.Minute)
	assert.Empty(t, c.doubt())
}

// B36: a clock that runs a little fast is nothing that anybody set.
func TestB36Drift(t *testing.T) {
	c := newClocked(t)
	for range 24 * 30 {
		c.now, c.set = c.now.Add(time.Hour), c.set+time.Second
		require.Empty(t, c.doubt())
		require.LessOrEqual(t, c.service.clock.Ahead(), time.Second)
	}
}

// B36: by command what is over by the new time ends at once.
func TestB36Accept(t *testing.T) {
	c := newClocked(t, withDatabase(0))
	anna := c.browser("anna")
	anna.open()
	c.set = 2 * time.Hour
	c.pass(time.Minute)
	require.NotEmpty(t, c.doubt())
	c.service.clock.Accept()
	assert.Empty(t, c.doubt())
	c.pass(time.Minute)
	assert.Empty(t, c.doubt(), "also with the database")
	assert.False(t, anna.profile().open.id.zero(), "whose earlier time still counts")
	*c.database = 2 * time.Hour
	c.pass(time.Minute)
	assert.True(t, anna.profile().open.id.zero())
	*c.database = 4 * time.Hour
	c.pass(time.Minute)
	assert.Contains(t, c.doubt(), "the clock is 2h0m0s behind that of the database", "what is new is in doubt again")
}

// B36: a proxy whose clock is not the database's ends nothing by either, from
// its first call on.
func TestB36DatabaseClock(t *testing.T) {
	for name, set := range map[string]time.Duration{"ahead": 2 * time.Hour, "behind": -2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			c := newClocked(t, withDatabase(0), func(c *clocked, _ *Config) { c.set = set })
			anna := c.browser("anna")
			anna.open()
			anna.track("Order")
			assert.Contains(t, c.doubt(), "the database", name)
			earliest := c.now.Add(min(0, set))
			assert.WithinDuration(t, earliest, c.service.now(), time.Second)
			assert.WithinDuration(t, earliest, fromMillis(anna.profile().open.last), time.Second)
			c.goOn(3 * time.Hour)
			assert.NotEmpty(t, c.doubt(), "as long as they differ")
			assert.False(t, anna.profile().open.id.zero())
			c.set = 0
			c.goOn(59 * time.Minute)
			assert.False(t, anna.profile().open.id.zero())
			c.goOn(11 * time.Minute)
			assert.Empty(t, c.doubt())
			assert.True(t, anna.profile().open.id.zero())
		})
	}
}

// B36: when it is the database's clock that is set right, its hour counts from
// there.
func TestB36DatabaseClockIsSetRight(t *testing.T) {
	c := newClocked(t, withDatabase(-2*time.Hour))
	anna := c.browser("anna")
	anna.open()
	c.goOn(90 * time.Minute)
	*c.database = 0
	c.goOn(50 * time.Minute)
	assert.NotEmpty(t, c.doubt())
	assert.False(t, anna.profile().open.id.zero(), "over by every clock, and yet")
	c.goOn(20 * time.Minute)
	assert.Empty(t, c.doubt())
	assert.True(t, anna.profile().open.id.zero())
}

// B36: what runs all the time waits as well, and then does everything.
func TestB36Run(t *testing.T) {
	c := newClocked(t, withDatabase(2*time.Hour), func(_ *clocked, cfg *Config) { cfg.EventRetention = MinEventRetention })
	anna := c.browser("anna")
	anna.open()
	before := c.keys()
	rounds := []*round{{pass: ends, further: c.service.keepWatch}, {pass: expiry, further: c.service.forgetOld}}
	run := func() {
		for _, r := range rounds {
			require.NoError(t, c.service.once(t.Context(), r))
		}
	}
	run()
	c.now = c.now.Add(60 * 24 * time.Hour) // by both
	run()
	assert.NotEmpty(t, c.doubt())
	assert.Equal(t, before, c.keys())
	c.service.clock.Accept()
	run()
	for _, table := range []byte{tableProfile, tableSession, tableEvent, tableQueue} {
		left, err := c.scanAll(table)
		require.NoError(t, err)
		assert.Empty(t, left, "the visitor is gone with all that it did: %c", table)
	}
}

// B36: a database that does not tell the time is away, and nothing is done.
func TestB36SilentDatabase(t *testing.T) {
	c := newClocked(t, withDatabase(0))
	c.silent = errors.New("away")
	_, err := c.service.Batch(t.Context(), c.browser("anna").request())
	require.ErrorIs(t, err, c.silent)
	_, err = c.service.ReportChat(t.Context(), DefaultAccount, widgetID, ChatReport{Device: "x"})
	require.ErrorIs(t, err, c.silent)
	require.ErrorIs(t, c.service.Sweep(t.Context()), c.silent)
}

// B36, B4: whoever signs tokens has a right clock, and this machine's is, when
// it was set right.
func TestB36TokensBySystemClock(t *testing.T) {
	c := newClocked(t)
	issued := func(d time.Duration) func(jwt.MapClaims) {
		return func(claims jwt.MapClaims) {
			claims["iat"], claims["exp"] = c.now.Add(d).Unix(), c.now.Add(d+time.Minute).Unix()
		}
	}
	c.set = 2 * time.Hour
	anna := c.browser("anna")
	anna.open()
	anna.authenticate(c.token("email", "anna@example.com", withSID("s1"), issued(c.set)))
	who := anna.profile().id
	assert.NotEqual(t, kindVisitor, anna.profile().kind)
	require.NoError(t, c.service.InvalidateSession(t.Context(), DefaultAccount, widgetID, "s1"))
	c.now = c.now.Add(time.Minute)
	anna.open()
	assert.NotEqual(t, who, anna.profile().id, "its session is over")
	chats, err := c.scanAll(tableChat)
	require.NoError(t, err)
	require.Len(t, chats, 1)
	ended, err := decodeChat(DefaultAccount, id(chats[0].Key[len(chats[0].Key)-16:]), chats[0].Value)
	require.NoError(t, err)
	assert.NotZero(t, ended.ended)
	assert.LessOrEqual(t, ended.ended, millis(c.service.now()), "and not only in two hours")
}

// B36, B33: erasing goes on, and the log tells once of each change.
func TestB36EraseAndLog(t *testing.T) {
	c := newClocked(t)
	anna := c.browser("anna")
	anna.open()
	anna.startChat()
	c.set = 24 * time.Hour
	require.NoError(t, c.service.Erase(t.Context(), DefaultAccount, anna.profile().id.String()))
	c.goOn(30 * time.Minute)
	jobs, err := c.scanAll(tableJob)
	require.NoError(t, err)
	assert.Empty(t, jobs)
	assert.Equal(t, 1, strings.Count(c.log.String(), "level=ERROR"))
	assert.Contains(t, c.log.String(), "the clock was set 24h0m0s forward")
	c.goOn(2 * time.Hour)
	assert.Equal(t, 2, strings.Count(c.log.String(), "level="))
	assert.Contains(t, c.log.String(), "the clocks are believed again")
}

// B36: of two proxies on one database the one whose clock is wrong neither ends
// what the other one began, nor carries it on at another time.
func TestB36TwoProxiesOnPostgreSQL(t *testing.T) {
	dsn := postgrestest.Start(t).Database(t)
	open := func(set time.Duration) *world {
		st, err := postgres.Open(t.Context(), dsn, postgres.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, st.Close()) })
		began := time.Now()
		return newWorldOn(t, st, func(cfg *Config) {
			cfg.Clock = NewClock(func() time.Time { return time.Now().Add(set) }, func() time.Duration { return time.Since(began) })
		})
	}
	right, ahead, behind := open(0), open(50*24*time.Hour), open(-2*time.Hour)
	for _, w := range []*world{right, ahead, behind} {
		w.now = time.Now()
	}
	anna := right.browser("anna")
	anna.open()
	open1, device := anna.profile().open, anna.device
	for _, w := range []*world{ahead, behind, right} {
		require.NoError(t, w.service.Sweep(t.Context()))
		assert.Equal(t, open1, anna.profile().open)
	}
	require.NoError(t, right.service.clock.Doubt())
	require.ErrorContains(t, ahead.service.clock.Doubt(), "the clock is 1200h0m0s ahead of that of the database")
	require.ErrorContains(t, behind.service.clock.Doubt(), "the clock is 2h0m0s behind that of the database")

	anna.world = ahead
	ahead.now = ahead.service.now()
	anna.track("Order")
	after := anna.profile().open
	assert.Equal(t, open1.id, after.id, "it goes on")
	assert.Equal(t, device, anna.device)
	assert.WithinDuration(t, time.Now(), fromMillis(after.last), time.Minute)
	ahead.service.clock.Accept()
	require.NoError(t, ahead.service.Sweep(t.Context()))
	assert.Equal(t, after, anna.profile().open, "the database's clock still counts")
	assert.Empty(t, right.problems())
}
