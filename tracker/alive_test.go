package tracker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// restart begins a process with a clock of its own, after a time without one.
func (c *clocked) restart(after, set time.Duration) {
	c.t.Helper()
	c.now, c.set = c.now.Add(after), set
	c.config.Clock = c.clock()
	var err error
	c.service, err = New(c.store, c.config)
	require.NoError(c.t, err)
	c.run(0)
}

// run lets time go by with what a running process does once a second, here once
// in ten minutes.
func (c *clocked) run(d time.Duration) {
	c.t.Helper()
	for {
		for _, r := range []*round{{pass: ends, further: c.service.keepWatch}, {pass: expiry, further: c.service.forgetOld}} {
			require.NoError(c.t, c.service.once(c.t.Context(), r))
		}
		if d <= 0 {
			return
		}
		step := min(d, 10*time.Minute)
		c.now, d = c.now.Add(step), d-step
	}
}

func (c *clocked) caution() string {
	if err := c.service.clock.Caution(); err != nil {
		return err.Error()
	}
	return ""
}

func (c *clocked) noted() time.Time {
	c.t.Helper()
	var told inUse
	require.NoError(c.t, c.store.View(c.t.Context(), func(r store.Reader) (err error) {
		told, err = readInUse(r)
		return err
	}))
	return fromMillis(told.at)
}

// lost are the keys that are there no more.
func (c *clocked) lost(before []string) (lost []string) {
	now := map[string]bool{}
	for _, key := range c.keys() {
		now[key] = true
	}
	for _, key := range before {
		if !now[key] {
			lost = append(lost, key)
		}
	}
	return lost
}

func keepingEvents(_ *clocked, cfg *Config) { cfg.EventRetention = MinEventRetention }

// B36, B11: a machine that starts with a clock that is years ahead ends the
// sessions, as it has to after a downtime, and deletes nothing. Set right, all
// goes on at once.
func TestB36StartWithAFutureClock(t *testing.T) {
	c := newClocked(t, keepingEvents)
	visitor, lead := c.everything()
	c.run(0)
	before, who, cookie := c.keys(), visitor.profile().id, visitor.device
	noted := c.noted()
	require.Equal(t, c.now, noted)

	c.restart(2*time.Minute, 2*365*24*time.Hour)
	assert.Empty(t, c.doubt())
	assert.Contains(t, c.caution(), "the store was last in use 17520h2m0s before the start, at 2026-11-22T10:51:")
	assert.Contains(t, c.log.String(), "level=WARN")
	c.run(50 * time.Minute)
	assert.True(t, visitor.profile().open.id.zero())
	assert.True(t, lead.profile().open.id.zero())
	for _, key := range c.lost(before) {
		assert.Contains(t, []byte{tableQueue, tableListing}, key[0], "%q is gone", key) // a deadline, and being listed as live
	}
	assert.Equal(t, noted, c.noted(), "what the store tells lasts over another start")
	c.restart(time.Minute, c.set)
	c.run(50 * time.Minute)
	assert.NotEmpty(t, c.caution(), "the hour began anew")
	assert.Equal(t, who, visitor.profile().id)

	c.set = 0
	c.run(time.Minute)
	assert.Empty(t, c.caution(), "it is an hour after the store was in use: the clock is right")
	assert.Equal(t, c.now, c.noted())
	visitor.track("Order")
	assert.Equal(t, cookie, visitor.device, "nobody was taken for gone")
	assert.Equal(t, who, visitor.profile().id)
}

// B36, B15: after a long downtime with a right clock it is the same, until the
// clock has agreed for an hour. The visitor who is overdue is gone at once.
func TestB36LongDowntime(t *testing.T) {
	c := newClocked(t, keepingEvents)
	visitor, _ := c.everything()
	c.run(0)
	who := visitor.profile().id
	kept := func() bool {
		return slices.Contains(c.keys(), fmt.Sprintf("%c %x", tableProfile, idRef(DefaultAccount, who)))
	}
	c.restart(50*24*time.Hour, 0)
	c.run(30 * time.Minute)
	assert.True(t, kept())
	visitor.deviceUntil, visitor.epoch = time.Time{}, "" // its browser still has the cookie
	visitor.open()
	assert.NotEqual(t, who, visitor.profile().id)
	c.run(29 * time.Minute)
	assert.True(t, kept())
	events, err := c.scanAll(tableEvent)
	require.NoError(t, err)
	assert.Greater(t, len(events), 5)
	c.run(2 * time.Minute)
	assert.Empty(t, c.caution())
	assert.False(t, kept())
	events, err = c.scanAll(tableEvent)
	require.NoError(t, err)
	assert.Len(t, events, 3, "the start, the page and the end of what the visitor does now")
	assert.Contains(t, c.log.String(), "the clocks are believed again")
}

// B36: by command it need not wait.
func TestB36AcceptAfterALongDowntime(t *testing.T) {
	c := newClocked(t)
	anna := c.browser("anna")
	anna.open()
	c.run(0)
	c.restart(50*24*time.Hour, 0)
	require.NotEmpty(t, c.caution())
	c.service.clock.Accept()
	assert.Empty(t, c.caution())
	c.run(0)
	profiles, err := c.scanAll(tableProfile)
	require.NoError(t, err)
	assert.Empty(t, profiles)
	assert.Equal(t, c.now, c.noted())
	c.restart(time.Minute, 0)
	assert.Empty(t, c.caution(), "and it is not asked again")
}

// B36: a clock behind the time at which the store was in use is wrong. Nothing
// ends by it; set right, all goes on at once.
func TestB36StartWithAPastClock(t *testing.T) {
	c := newClocked(t)
	anna := c.browser("anna")
	anna.open()
	c.run(0)
	c.restart(40*time.Minute, -365*24*time.Hour)
	assert.Contains(t, c.doubt(), "the clock is 8759h20m0s behind the time at which the store was last in use (since 2025-11-22T10:40:")
	assert.Equal(t, c.doubt(), c.caution())
	assert.False(t, anna.profile().open.id.zero())
	c.set = -10 * time.Minute
	c.run(0)
	assert.Empty(t, c.doubt(), "it may be no more than this that has gone by")
	assert.True(t, anna.profile().open.id.zero())
}

// B36: a clock that is behind for good is followed after an hour, and then the
// store tells its time.
func TestB36StoreThatWasInUseInTheFuture(t *testing.T) {
	c := newClocked(t)
	c.browser("anna").open()
	c.run(0)
	c.restart(0, -3*time.Hour)
	require.NotEmpty(t, c.doubt())
	c.run(61 * time.Minute)
	assert.Empty(t, c.doubt())
	assert.Equal(t, c.now.Add(c.set), c.noted())
	c.restart(time.Minute, c.set)
	assert.Empty(t, c.doubt())
}

// B36: an ordinary restart is none of this, and the store is written to once a
// minute, whatever number of proxies it has.
func TestB36OrdinaryRestart(t *testing.T) {
	c := newClocked(t)
	c.run(0)
	for _, after := range []time.Duration{0, time.Minute, 23 * time.Hour} {
		c.restart(after, 0)
		assert.Empty(t, c.caution())
	}
	noted := c.noted()
	require.Equal(t, c.now, noted)
	c.now = c.now.Add(aliveEvery - time.Millisecond)
	c.run(0)
	assert.Equal(t, noted, c.noted())
	c.now = c.now.Add(time.Millisecond)
	c.run(0)
	assert.Equal(t, c.now, c.noted())

	noted = c.noted()
	c.restart(0, -4*time.Minute) // another proxy, whose clock is behind
	assert.Empty(t, c.caution())
	assert.Equal(t, noted, c.noted())
}

// B36: a reload does not begin the hour anew.
func TestB36ReloadKeepsTheHour(t *testing.T) {
	c := newClocked(t)
	c.run(0)
	c.restart(48*time.Hour, 0)
	c.run(40 * time.Minute)
	require.NotEmpty(t, c.caution())
	var err error
	c.service, err = New(c.store, c.config) // the same clock
	require.NoError(t, err)
	c.run(19 * time.Minute)
	assert.NotEmpty(t, c.caution())
	c.run(2 * time.Minute)
	assert.Empty(t, c.caution())
}
