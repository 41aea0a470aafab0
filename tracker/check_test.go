package tracker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// lived is a store in which something of everything has happened.
func lived(t *testing.T) *world {
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	w := newWorldOn(t, st, func(c *Config) {
		c.Accounts["other"] = c.Accounts[DefaultAccountName]
		c.EventRetention = 30 * 24 * time.Hour
		c.Random = &safeReader{from: rand.NewChaCha8([32]byte{1})}
	})
	w.now = w.now.Add(-4 * time.Hour)

	anna := w.browser("anna")
	anna.open()
	anna.startChat()
	anna.must(MethodUpdatePerson, example)
	anna.must(MethodAppendToList, m{"attributeName": "category", "value": m{"name": "shoes"}})
	epoch := anna.epoch
	own := anna.call(MethodTrack, m{"eventId": "action"})
	own.ID = "of_another_form"
	require.Nil(t, anna.send(anna.request(own)).Results[0].Err)
	require.NoError(t, Prepare(context.Background(), w.store))
	bob := w.browser("bob")
	bob.open()
	bob.startChat()
	bob.authenticate(w.token("email", "bob@example.com", withSID("s1")))
	carl := w.browser("carl")
	carl.open()
	carl.authenticate(w.token("msisdn", "420777123456"))
	dora := w.browser("dora").with(siteCookieValue)
	dora.open()
	w.pass(4 * time.Hour)

	dora.logout()
	require.NoError(t, w.service.InvalidateSession(context.Background(), DefaultAccount, widgetID, "s1"))
	anna.track("again")
	carl.track("again")
	first := anna.at(6*time.Hour, "late")
	second := anna.at(6*time.Hour-10*time.Minute, "later")
	first.Epoch, second.Epoch = epoch, epoch
	for _, result := range anna.send(anna.request(first, second)).Results {
		require.Nil(t, result.Err)
	}
	w.pass(time.Hour) // the late session has ended
	anna.track("once more")
	open := anna.at(3*time.Hour, "late again") // this one goes on
	open.Epoch = epoch
	require.Nil(t, anna.send(anna.request(open)).Results[0].Err)
	vera := w.browser("vera")
	vera.open()
	for tab := range 2 * maxWindows {
		vera.tab, vera.n = string(rune('a'+tab)), 0
		vera.track("another tab")
	}
	gone := w.browser("gone")
	gone.open()
	gone.startChat()
	w.erase(gone.person().ID)
	w.pass(0)
	going := w.browser("going")
	going.open()
	going.startChat()
	w.erase(going.person().ID) // and is not removed yet
	require.Empty(t, w.problems())
	entries := map[byte]bool{}
	for _, e := range w.everything() {
		entries[e.Key[0]] = true
	}
	for table := range tableChecks {
		require.True(t, entries[table], "nothing in table %q", table)
	}
	return w
}

func (w *world) everything() (all []store.Entry) {
	w.t.Helper()
	require.NoError(w.t, w.store.View(context.Background(), func(r store.Reader) error {
		c := &checker{Reader: r}
		all = nil
		return c.each(store.Range{}, func(e store.Entry) error {
			all = append(all, e)
			return nil
		})
	}))
	return all
}

// change puts keys, or deletes those whose value is nil.
func (w *world) change(entries ...store.Entry) {
	w.t.Helper()
	require.NoError(w.t, w.store.Update(context.Background(), func(tx store.Tx) error {
		for _, e := range entries {
			var err error
			if e.Value == nil {
				err = tx.Delete(e.Key)
			} else {
				err = tx.Put(e.Key, e.Value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// removing are the entries of what was erased and is not removed yet.
func (w *world) removing() map[string]bool {
	w.t.Helper()
	all, removing := w.everything(), map[string]bool{}
	require.NoError(w.t, w.store.View(context.Background(), func(r store.Reader) error {
		c := &checker{Reader: r}
		for _, e := range all {
			removed, err := c.beingRemoved(e)
			if err != nil {
				return err
			}
			removing[string(e.Key)] = removed
		}
		return nil
	}))
	return removing
}

// first is the first entry of a table that is meant, of somebody who is there.
func (w *world) first(table byte, meant func(store.Entry) bool) store.Entry {
	w.t.Helper()
	removing := w.removing()
	for _, e := range w.everything() {
		if e.Key[0] == table && !removing[string(e.Key)] && (meant == nil || meant(e)) {
			return e
		}
	}
	require.Failf(w.t, "no such entry", "in table %q", table)
	return store.Entry{}
}

// Profiles by what they are.
func (w *world) firstProfile(meant func(*profile) bool) *profile {
	w.t.Helper()
	e := w.first(tableProfile, func(e store.Entry) bool { return meant(w.profileAt(e)) })
	return w.profileAt(e)
}

func (w *world) profileAt(e store.Entry) *profile {
	p, err := decodeProfile(keyAccount(e.Key), lastID(e.Key), e.Value)
	require.NoError(w.t, err)
	return p
}

func (w *world) putProfile(p *profile) {
	w.change(store.Entry{Key: idKey(tableProfile, p.account, p.id), Value: p.encode()})
}

func aVisitor(p *profile) bool       { return p.kind == kindVisitor && p.mergedInto.zero() }
func aMerged(p *profile) bool        { return !p.mergedInto.zero() }
func aLead(p *profile) bool          { return p.kind == kindLead }
func authenticated(p *profile) bool  { return p.kind == kindAuthenticated }
func withASession(p *profile) bool   { return !p.open.id.zero() }
func drop(e store.Entry) store.Entry { return store.Entry{Key: e.Key} }

// Each case plants one damage, and the report has to name it.
func TestCheckFindsDamage(t *testing.T) {
	present := slices.Clone(present)
	profileCase := func(meant func(*profile) bool, change func(*profile)) func(*world) {
		return func(w *world) {
			p := w.firstProfile(meant)
			change(p)
			w.putProfile(p)
		}
	}
	deviceCase := func(meant func(*device) bool, change func(*device)) func(*world) {
		return func(w *world) {
			e := w.first(tableDevice, func(e store.Entry) bool { return meant(w.deviceAtEntry(e)) })
			d := w.deviceAtEntry(e)
			change(d)
			w.change(store.Entry{Key: e.Key, Value: d.encode()})
		}
	}
	chatCase := func(meant func(*chat) bool, change func(*chat)) func(*world) {
		return func(w *world) {
			e := w.first(tableChat, func(e store.Entry) bool { return meant(w.chatAt(e)) })
			c := w.chatAt(e)
			change(c)
			w.change(store.Entry{Key: e.Key, Value: c.encode()})
		}
	}
	sessionCase := func(meant func(*session) bool, change func(*session)) func(*world) {
		return func(w *world) {
			e := w.first(tableSession, func(e store.Entry) bool { return meant(w.sessionAt(e)) })
			s := w.sessionAt(e)
			change(s)
			w.change(drop(e), store.Entry{Key: s.key(), Value: s.encode()})
		}
	}
	eventCase := func(definition string, change func(*event)) func(*world) {
		return func(w *world) {
			e := w.first(tableEvent, func(e store.Entry) bool { return w.eventAt(e).definition == definition })
			ev := w.eventAt(e)
			change(ev)
			w.change(store.Entry{Key: e.Key, Value: ev.encode()})
		}
	}
	put := func(keys ...[]byte) func(*world) {
		return func(w *world) {
			for _, key := range keys {
				w.change(store.Entry{Key: key, Value: present})
			}
		}
	}
	dropOf := func(table byte, meant func(store.Entry) bool) func(*world) {
		return func(w *world) { w.change(drop(w.first(table, meant))) }
	}
	const a = DefaultAccount
	nobody := pattern(0xee)
	open := func(s *session) bool { return s.end == 0 && !s.late }
	ended := func(s *session) bool { return s.end != 0 && !s.late }
	lateOpen := func(s *session) bool { return s.late && s.end == 0 }
	lateEnded := func(s *session) bool { return s.late && s.end != 0 }
	liveChat := func(c *chat) bool { return c.ended == 0 && len(c.cookies) > 0 }
	queued := func(kind byte) func(store.Entry) bool {
		return func(e store.Entry) bool { return e.Key[10] == kind }
	}
	for name, c := range map[string]struct {
		damage func(*world)
		table  byte
		text   string
	}{
		"unknown table": {put([]byte("!x")), '!', "no table of this version"},
		"layout's key":  {put([]byte("Zz")), 'Z', "2 bytes instead of 1"},

		"number given twice": {func(w *world) { w.change(store.Entry{Key: accountNameKey("third"), Value: encodeNumber(2)}) }, 'a', "of another"},
		"name lost":          {func(w *world) { w.change(store.Entry{Key: accountNameKey("other")}) }, 'a', "known by name"},
		"number not given":   {func(w *world) { w.change(store.Entry{Key: accountNameKey("third"), Value: encodeNumber(3)}) }, 'a', "was the last given out"},
		"definition of another name": {func(w *world) {
			e := w.first(tableSchema, nil)
			key := slices.Clone(e.Key)
			key[9]++
			w.change(store.Entry{Key: key, Value: e.Value})
		}, 'S', "under another name"},

		"unreadable version": {func(w *world) { w.change(store.Entry{Key: layoutKey, Value: []byte{9}}) }, 'Z', "malformed"},

		"kind of a profile":             {profileCase(aLead, func(p *profile) { p.kind = 7 }), 'P', "no known kind"},
		"listed visitor":                {profileCase(aVisitor, func(p *profile) { p.listed = listedIdle }), 'P', "a visitor that stands in the list"},
		"merged person":                 {profileCase(authenticated, func(p *profile) { p.mergedInto = nobody }), 'P', "a person who authenticated and was merged"},
		"visitor without a device":      {profileCase(aVisitor, func(p *profile) { p.device = nobody }), 'P', "a visitor without a device"},
		"visitor of another's device":   {func(w *world) { w.strayVisitor() }, 'P', "the device of this visitor is somebody else's"},
		"visitor that never expires":    {profileCase(aVisitor, func(p *profile) { p.expiry = 0 }), 'P', "never expires"},
		"visitor's deadline":            {dropOf(tableQueue, queued(dueVisitor)), 'P', "a visitor whose deadline is not in the queue"},
		"merged into nobody":            {profileCase(aMerged, func(p *profile) { p.mergedInto = nobody }), 'P', "who is no person"},
		"merged with a deadline":        {profileCase(aMerged, func(p *profile) { p.expiry = 5 }), 'P', "a merged visitor with a deadline"},
		"merged and unknown":            {dropOf(tableMember, nil), 'P', "a merged visitor of whom"},
		"listed elsewhere":              {profileCase(aLead, func(p *profile) { p.listing++ }), 'P', "a person listed in state"},
		"not listed":                    {dropOf(tableListing, nil), 'P', "a person who is missing in the list"},
		"subject of somebody else":      {profileCase(authenticated, func(p *profile) { p.subject = "other@example.com" }), 'P', "whose subject leads elsewhere"},
		"subject without a reference":   {dropOf(tableReference, func(e store.Entry) bool { return e.Key[19] == tableSubject }), 'P', "without the reference to the subject"},
		"subject not indexed":           {dropOf(tableSearch, func(e store.Entry) bool { return e.Key[3] == searchSubject }), 'P', "not found by field 'x'"},
		"open session without a record": {profileCase(withASession, func(p *profile) { p.open.id = nobody }), 'P', "has no record"},
		"open session of a stranger":    {profileCase(withASession, func(p *profile) { p.open.home = nobody }), 'P', "who has nothing to do with it"},
		"open session not in the queue": {dropOf(tableQueue, queued(dueSession)), 'P', "is not in the queue"},
		"open session that has ended":   {sessionCase(open, func(s *session) { s.end = s.last }), 'P', "has ended"},

		"property of nobody": {func(w *world) { w.change(store.Entry{Key: attributeKey(a, nobody, "city"), Value: []byte(`"x"`)}) }, 'A', "stands under no person"},
		"property that is no JSON": {func(w *world) {
			e := w.first(tableAttribute, nil)
			w.change(store.Entry{Key: e.Key, Value: []byte("{")})
		}, 'A', "is no JSON"},
		"property of another type": {func(w *world) {
			w.change(store.Entry{Key: attributeKey(a, w.firstProfile(aLead).id, "city"), Value: []byte(`7`)})
		}, 'A', "not of its type"},
		"property without a name": {put(idKey(tableAttribute, a, nobody)), 'A', "before the name"},
		"property not indexed":    {dropOf(tableSearch, func(e store.Entry) bool { return e.Key[3] == searchTag }), 'A', "not found by field 't'"},
		"item of nobody": {func(w *world) {
			w.change(store.Entry{Key: itemKey(a, nobody, "category", 1, nobody), Value: []byte(`{}`)})
		}, 'I', "stands under no person"},
		"item that is no object":  {func(w *world) { e := w.first(tableItem, nil); w.change(store.Entry{Key: e.Key, Value: []byte("5")}) }, 'I', "no JSON object"},
		"item's key":              {put(idKey(tableItem, a, nobody)), 'I', "malformed"},
		"link of one side":        {dropOf(tableLink, nil), 'K', "does not know"},
		"link of nobody":          {put(pairKey(tableLink, a, nobody, pattern(1))), 'K', "stands under no person"},
		"reference of nobody":     {put(referenceKey(a, nobody, tableDevice, nobody[:])), 'X', "a reference of no profile"},
		"reference to nothing":    {func(w *world) { put(referenceKey(a, w.firstProfile(aLead).id, tableDevice, nobody[:]))(w) }, 'X', "that is not there"},
		"reference to a stranger": {func(w *world) { w.strayReference() }, 'X', "does not name the profile"},
		"subject of nobody": {func(w *world) {
			e := w.first(tableSubject, nil)
			w.change(store.Entry{Key: subjectKey(a, "email", "x"), Value: e.Value})
		}, 'U', "who did not authenticate as it"},
		"listed and gone":            {put(listingKey(a, TypeLead, listedIdle, 5, nobody)), 'L', "no person's entry"},
		"listed twice":               {func(w *world) { put(listingKey(a, TypeLead, listedIdle, 5, w.firstProfile(aLead).id))(w) }, 'L', "in another place"},
		"index of nobody":            {put(searchKey(a, searchFirst, "x", nobody)), 'N', "no person's index entry"},
		"index of what is not there": {func(w *world) { put(searchKey(a, searchLast, "secret-name", w.firstProfile(aLead).id))(w) }, 'N', "does not have"},
		"index of an unknown field":  {put(searchKey(a, '!', "x", nobody)), 'N', "unknown field"},
		"invalidation's key":         {put(accountKey(tableInvalid, a, 0)), 'Y', "malformed"},
		"client id's key":            {put([]byte{tableDedupe, 0, 1, 0, 1}), 'D', "before the client id"},

		"event of nobody": {func(w *world) {
			e := w.first(tableEvent, nil)
			w.change(store.Entry{Key: eventKey(a, nobody, 5, seqOf(e.Key), nobody), Value: e.Value})
		}, 'E', "an event of no profile"},
		"event in a wrong place": {func(w *world) {
			e := w.first(tableEvent, nil)
			w.change(store.Entry{Key: eventKey(a, keyID(e.Key, 3), 5, 9, nobody), Value: e.Value})
		}, 'E', "stands in the place 9"},
		"end that does not say of what": {eventCase("sessionEnded", func(ev *event) { ev.span = nil }), 'E', "does not say what it is about"},
		"merge told of":                 {eventCase("personMerged", func(ev *event) { ev.merge.person = nobody }), 'E', "did not happen"},
		"event in no session":           {eventCase("pageView", func(ev *event) { ev.session = nobody }), 'P', "is in no session of theirs"},
		"activity lost": {dropOf(tableEvent, func(e store.Entry) bool {
			return seqOf(e.Key) == seqActivity && bytes.Contains(e.Value, []byte("another tab"))
		}), 'P', "activities and has"},
		"start lost":                  {dropOf(tableEvent, func(e store.Entry) bool { return seqOf(e.Key) == seqStarted }), 'P', "started 0 times"},
		"end lost":                    {dropOf(tableEvent, func(e store.Entry) bool { return seqOf(e.Key) == seqEnded }), 'P', "ended 0 times"},
		"start told twice":            {func(w *world) { w.again(seqStarted, 0) }, 'P', "started 2 times"},
		"end told twice":              {func(w *world) { w.again(seqEnded, 0) }, 'P', "ended 2 times"},
		"start at another time":       {func(w *world) { w.again(seqStarted, 7) }, 'P', "is said to start at"},
		"end at another time":         {func(w *world) { w.again(seqEnded, 7) }, 'P', "is said to end at"},
		"last activity of an end":     {sessionCase(ended, func(s *session) { s.last-- }), 'P', "is said to end at"},
		"activity behind the end":     {sessionCase(ended, func(s *session) { s.end = s.start - 1 }), 'P', "which ended at"},
		"count":                       {sessionCase(ended, func(s *session) { s.count++ }), 'P', "activities and has"},
		"session of nobody":           {sessionCase(ended, func(s *session) { s.home = nobody }), 'H', "a session of no profile"},
		"session ends before it ends": {sessionCase(ended, func(s *session) { s.end = s.last - 1 }), 'H', "was last active at"},
		"sessions overlap":            {func(w *world) { w.overlapping() }, 'H', "goes on when"},
		"session nobody has open":     {profileCase(withASession, func(p *profile) { p.open = openSession{} }), 'P', "is open in no profile"},
		"session open twice":          {func(w *world) { w.openTwice() }, 'P', "is open in two profiles"},
		"two records":                 {func(w *world) { w.recordTwice() }, 'P', "has two records"},
		"late session not queued":     {dropOf(tableQueue, queued(dueLate)), 'H', "is not in the queue"},
		"late session queued late":    {sessionCase(lateOpen, func(s *session) { s.queued = s.due + oDay }), 'H', "after its end"},
		"late session's activity":     {sessionCase(lateEnded, func(s *session) { s.last-- }), 'P', "was last active at"},
		"late session not cut":        {func(w *world) { w.uncut(lateEnded) }, 'P', "goes on at"},

		"member of nobody": {func(w *world) {
			e := w.first(tableMember, nil)
			w.change(store.Entry{Key: memberKey(a, keyID(e.Key, 3), 5, nobody), Value: e.Value})
		}, 'M', "does not say so"},
		"member twice": {func(w *world) {
			e := w.first(tableMember, nil)
			w.change(store.Entry{Key: memberKey(a, keyID(e.Key, 3), 5, lastID(e.Key)), Value: e.Value})
		}, 'M', "belongs to the person twice"},
		"member by another merge": {func(w *world) { w.remember(func(m *merge) { m.visitor = nobody }) }, 'M', "by a merge of others"},
		"member without a merge":  {func(w *world) { w.remember(func(m *merge) { m.id = nobody }) }, 'M', "by a merge without a record"},
		"merged twice":            {func(w *world) { w.mergedTwice() }, 'G', "was merged twice"},
		"merge not found":         {dropOf(tableMergeOf, nil), 'G', "does not know"},
		"merge under another id": {func(w *world) {
			e := w.first(tableMerge, nil)
			w.change(store.Entry{Key: idKey(tableMerge, a, nobody), Value: e.Value})
		}, 'G', "the record of merge"},
		"merge of no visitor":     {profileCase(aMerged, func(p *profile) { p.mergedInto = id{} }), 'G', "who was not merged"},
		"merge not told of":       {dropOf(tableEvent, func(e store.Entry) bool { return bytes.Contains(e.Value, []byte("personMerged")) }), 'G', "told of 0 times"},
		"merge of another person": {put(pairKey(tableMergeOf, a, nobody, nobody)), 'g', "which is not the person's"},
		"merge lost":              {dropOf(tableMerge, nil), 'g', "which is not the person's"},
		"cookie to no device": {func(w *world) {
			w.change(store.Entry{Key: hashKey(tableToken, a, digestOf("x")), Value: deviceReference(nobody, 1)})
		}, 'V', "which is not there"},
		"cookie not its device's": {func(w *world) {
			e := w.first(tableToken, nil)
			w.change(store.Entry{Key: hashKey(tableToken, a, digestOf("x")), Value: e.Value})
		}, 'V', "does not know it"},
		"boot to no device": {func(w *world) {
			w.change(store.Entry{Key: hashKey(tableBoot, a, digestOf("x")), Value: deviceReference(nobody, 1)})
		}, 'B', "which is not there"},
		"boot not its device's": {func(w *world) {
			e := w.first(tableBoot, nil)
			w.change(store.Entry{Key: hashKey(tableBoot, a, digestOf("x")), Value: e.Value})
		}, 'B', "does not know it"},
		"device's cookie":          {dropOf(tableToken, nil), 'O', "one of whose cookies leads nowhere"},
		"device not referenced":    {dropOf(tableReference, func(e store.Entry) bool { return e.Key[19] == tableDevice }), 'O', "not referenced by profile"},
		"device of nobody":         {deviceCase(anyDevice, func(d *device) { d.epochs = nil }), 'O', "never was anybody's"},
		"device of no profile":     {deviceCase(anyDevice, func(d *device) { d.current().profile = nobody }), 'O', "is not there"},
		"device's epochs":          {deviceCase(anyDevice, func(d *device) { d.current().to = 5 }), 'O', "leave a gap"},
		"device's successor":       {deviceCase(func(d *device) bool { return len(d.epochs) > 1 }, func(d *device) { d.successor, d.current().profile = nobody, d.epochs[0].profile }), 'O', "which is not there"},
		"visitor in a chat":        {deviceCase(func(d *device) bool { return d.chat.zero() }, func(d *device) { d.chat = nobody }), 'O', "a visitor's device in a Live Chat session"},
		"visitor's other device":   {func(w *world) { w.strayVisitor() }, 'O', "a device whose visitor has another"},
		"device of a merged":       {deviceCase(func(d *device) bool { return len(d.epochs) > 1 }, func(d *device) { d.chat, d.current().profile = id{}, d.epochs[0].profile }), 'O', "whose visitor was merged"},
		"person without a chat":    {deviceCase(inAChat, func(d *device) { d.chat = id{} }), 'O', "without a Live Chat session"},
		"person in another's chat": {func(w *world) { w.strangersChat() }, 'O', "in the Live Chat session of somebody else"},

		"chat without a reference": {dropOf(tableReference, func(e store.Entry) bool { return e.Key[19] == tableChat }), 'W', "is not referenced by"},
		"tombstone without an end": {dropOf(tableQueue, queued(dueTomb)), 'V', "a tombstone that is not forgotten"},
		"end of no tombstone":      {put(queueKey(5, dueTomb, tombRef(a, tableToken, digestOf("x")))), 'Q', "of which its record does not know"},
		"end of what is no tomb":   {put(queueKey(5, dueTomb, tombRef(a, tableCookie, digestOf("x")))), 'Q', "a tombstone is malformed"},
		"erasure at no time": {func(w *world) {
			w.change(store.Entry{Key: erasedKey(digestOf("x")), Value: tombstone{until: 1}.encode()})
		}, 'e', "at no time"},
		"removal of the living": {func(w *world) {
			w.change(store.Entry{Key: jobKey(jobProfile, a, w.firstProfile(aLead).id), Value: job{at: 1}.encode()})
		}, 'J', "that was not erased"},
		"removal of a device in use": {func(w *world) {
			i := lastID(w.first(tableDevice, nil).Key)
			w.change(store.Entry{Key: jobKey(jobDevice, a, i), Value: job{at: 1}.encode()})
		}, 'J', "in use"},
		"job of an unknown kind":   {put(jobKey('!', a, nobody)), 'J', "of an unknown kind"},
		"erased and never removed": {dropOf(tableJob, nil), 'P', "that nobody removes"},

		"chat of nobody":         {chatCase(liveChat, func(c *chat) { c.profile = nobody }), 'W', "a Live Chat session of nobody"},
		"chat's cookie":          {dropOf(tableCookie, func(e store.Entry) bool { r, err := decodeCookie(e.Value); return err == nil && r.ended == 0 }), 'W', "one of whose cookies says something else"},
		"chat not queued":        {dropOf(tableQueue, queued(dueChat)), 'W', "that is not in the queue"},
		"chat without a grave":   {dropOf(tableQueue, func(e store.Entry) bool { return e.Key[10] == dueGrave && len(e.Key) == queueSuffix+34 }), 'W', "not forgotten 400 days later"},
		"cookie without a grave": {dropOf(tableQueue, func(e store.Entry) bool { return e.Key[10] == dueGrave && len(e.Key) != queueSuffix+34 }), 'C', "not forgotten 400 days later"},
		"cookie of no chat": {func(w *world) {
			w.change(store.Entry{Key: hashKey(tableCookie, a, digestOf("x")), Value: cookieRecord{chat: nobody}.encode()})
		}, 'C', "which is not there"},
		"cookie its chat ignores": {chatCase(liveChat, func(c *chat) { c.cookies = nil }), 'C', "does not know it"},
		"deadline in another shard": {func(w *world) {
			e := w.first(tableQueue, nil)
			key := slices.Clone(e.Key)
			key[1] = (key[1] + 1) % queueShards
			put(key)(w)
		}, 'Q', "in a shard that is not its own"},
		"deadline of an unknown kind": {put(queueKey(5, '!', idRef(a, nobody))), 'Q', "of an unknown kind"},
		"deadline's reference":        {put(queueKey(5, dueChat, lateRef(&session{account: a}))), 'Q', "the reference of a deadline"},
		"deadline of nothing":         {put(queueKey(5, dueSession, idRef(a, nobody))), 'Q', "of which its record does not know"},
		"late deadline of nothing":    {put(queueKey(5, dueLate, lateRef(&session{account: a}))), 'Q', "of which its record does not know"},
		"second deadline":             {func(w *world) { put(queueKey(5, dueVisitor, idRef(a, w.firstProfile(aVisitor).id)))(w) }, 'Q', "of which its record does not know"},
		"grave of no chat":            {put(queueKey(5, dueGrave, append(idRef(a, nobody), nobody[:]...))), 'Q', "of which its record does not know"},
		"second grave of a chat":      {func(w *world) { w.secondGrave() }, 'Q', "are to be forgotten"},
		"grave of no cookie":          {put(queueKey(5, dueGrave, append(idRef(a, nobody), bytes.Repeat([]byte{1}, 32)...))), 'Q', "does not lie in it"},
	} {
		t.Run(name, func(t *testing.T) {
			w := lived(t)
			c.damage(w)
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

// Whatever single entry is lost, cannot be read or belongs to another account,
// the check notices; but for those that may be missing.
func TestCheckNoticesEveryEntry(t *testing.T) {
	w := lived(t)
	removing := w.removing() // what is left of it may be incomplete
	mayBeMissing := func(e store.Entry) bool {
		switch e.Key[0] {
		case tableItem, tableInvalid, tableDedupe, tableSchema, tableLayout, tableErased, tableRetention:
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
		if cut := e.Key[:len(e.Key)-1]; !strings.ContainsRune("AYDaZf", rune(e.Key[0])) {
			w.change(store.Entry{Key: cut, Value: e.Value})
			assert.NotEmpty(t, w.problems(), "%q has a part of it beside it", e.Key)
			w.change(store.Entry{Key: cut})
		}
		if !strings.ContainsRune("YDQSaZef", rune(e.Key[0])) {
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
	require.Len(t, w.everything(), 1)
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
