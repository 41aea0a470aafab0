package tracker

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// damage is one thing that goes wrong with a store in which something of
// everything has happened, and how the check has to report it.
type damage struct {
	plant func(*world)
	table byte
	text  string // a part of what is said
}

// Each case plants one damage, and the report has to name it.
func TestCheckFindsDamage(t *testing.T) {
	for group, damages := range map[string]map[string]damage{
		"accounts": damagedAccounts(), "people": damagedPeople(), "properties": damagedProperties(),
		"timelines": damagedTimelines(), "merges": damagedMerges(), "devices": damagedDevices(),
		"removals": damagedRemovals(), "chats": damagedChats(), "queue": damagedQueue(),
	} {
		for name, c := range damages {
			t.Run(group+"/"+name, func(t *testing.T) {
				w := lived(t)
				c.plant(w)
				var found []string
				result, err := Check(t.Context(), w.store, CheckOptions{Now: w.now}, func(p Problem) {
					found = append(found, fmt.Sprintf("%c %s", p.Table, p.Text))
					assert.NotContains(t, p.String(), "secret-name", "no person's data is shown")
				})
				require.NoError(t, err)
				assert.EqualValues(t, len(found), result.Problems)
				assert.True(t, slices.ContainsFunc(found, func(line string) bool { return line[0] == c.table && strings.Contains(line, c.text) }),
					"%c … %s … is not among:\n%s", c.table, c.text, strings.Join(found, "\n"))
			})
		}
	}
}

// profileDamage changes the first profile that is meant. The others here do the
// same with records of other tables.
func profileDamage(meant func(*profile) bool, change func(*profile)) func(*world) {
	return func(w *world) {
		p := w.firstProfile(meant)
		change(p)
		w.putProfile(p)
	}
}

func deviceDamage(meant func(*device) bool, change func(*device)) func(*world) {
	return func(w *world) {
		e := w.first(tableDevice, func(e store.Entry) bool { return meant(w.deviceAtEntry(e)) })
		d := w.deviceAtEntry(e)
		change(d)
		w.change(store.Entry{Key: e.Key, Value: d.encode()})
	}
}

func chatDamage(meant func(*chat) bool, change func(*chat)) func(*world) {
	return func(w *world) {
		e := w.first(tableChat, func(e store.Entry) bool { return meant(w.chatAt(e)) })
		c := w.chatAt(e)
		change(c)
		w.change(store.Entry{Key: e.Key, Value: c.encode()})
	}
}

func sessionDamage(meant func(*session) bool, change func(*session)) func(*world) {
	return func(w *world) {
		e := w.first(tableSession, func(e store.Entry) bool { return meant(w.sessionAt(e)) })
		s := w.sessionAt(e)
		change(s)
		w.change(drop(e), store.Entry{Key: s.key(), Value: s.encode()})
	}
}

func eventDamage(definition string, change func(*event)) func(*world) {
	return func(w *world) {
		e := w.first(tableEvent, func(e store.Entry) bool { return w.eventAt(e).definition == definition })
		ev := w.eventAt(e)
		change(ev)
		w.change(store.Entry{Key: e.Key, Value: ev.encode()})
	}
}

// strayKeys adds keys that belong nowhere.
func strayKeys(keys ...[]byte) func(*world) {
	return func(w *world) {
		for _, key := range keys {
			w.change(store.Entry{Key: key, Value: present})
		}
	}
}

// lost deletes the first entry that is meant.
func lost(table byte, meant func(store.Entry) bool) func(*world) {
	return func(w *world) { w.change(drop(w.first(table, meant))) }
}

// nobody is the id of no record.
var nobody = pattern(0xee)

func goingOn(s *session) bool   { return s.end == 0 && !s.late }
func over(s *session) bool      { return s.end != 0 && !s.late }
func lateOpen(s *session) bool  { return s.late && s.end == 0 }
func lateEnded(s *session) bool { return s.late && s.end != 0 }
func liveChat(c *chat) bool     { return c.ended == 0 && len(c.cookies) > 0 }

func dueFor(kind byte) func(store.Entry) bool {
	return func(e store.Entry) bool { return e.Key[10] == kind }
}
