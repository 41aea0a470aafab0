package tracker

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// What is stored today must be read for as long as somebody has it. The files
// in testdata hold the bytes still: a line is written once, when its key or
// record is new, and never changed afterwards.
var goldenWrite = flag.Bool("golden.write", false, "add lines that are missing in testdata/*.golden")

// golden compares named bytes with a file.
func golden(t *testing.T, file string, names []string, got map[string][]byte) map[string][]byte {
	t.Helper()
	path := filepath.Join("testdata", file)
	want := map[string][]byte{}
	if stored, err := os.ReadFile(path); err == nil {
		lines := bufio.NewScanner(bytes.NewReader(stored))
		for lines.Scan() {
			name, digits, ok := strings.Cut(lines.Text(), "\t")
			require.True(t, ok, "%s: %q", path, lines.Text())
			want[name], err = hex.DecodeString(digits)
			require.NoError(t, err)
		}
	}
	var missing strings.Builder
	for _, name := range names {
		if want[name] == nil {
			fmt.Fprintf(&missing, "%s\t%x\n", name, got[name])
			continue
		}
		assert.Equal(t, hex.EncodeToString(want[name]), hex.EncodeToString(got[name]), "%s: %s has other bytes than are stored everywhere", path, name)
	}
	assert.Len(t, want, len(names)-strings.Count(missing.String(), "\n"), "%s holds lines nobody builds", path)
	if missing.Len() == 0 {
		return want
	}
	if !*goldenWrite {
		t.Fatalf("%s lacks lines; if they are new, run with -golden.write:\n%s", path, missing.String())
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	_, err = f.WriteString(missing.String())
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return got
}

// pattern is an id of one byte again and again.
func pattern(b byte) (i id) { return id(bytes.Repeat([]byte{b}, len(i))) }

func patternDigest(b byte) (d digest) { return digest(bytes.Repeat([]byte{b}, len(d))) }

const goldenTime = int64(1_795_344_000_123) // 2026-11-22T10:40:00.123Z

func TestGoldenKeys(t *testing.T) {
	const a = Account(0x0102)
	p, o := pattern(0x11), pattern(0x22)
	late := &session{account: a, home: p, start: goldenTime, id: o}
	tests := []struct {
		name string
		key  []byte
	}{
		{"P profile", idKey(tableProfile, a, p)},
		{"A attribute", attributeKey(a, p, customField+"car")},
		{"I item", itemKey(a, p, "category", goldenTime, o)},
		{"I items", itemPrefix(a, p, "category")},
		{"E started", eventKey(a, p, goldenTime, seqStarted, o)},
		{"E activity", eventKey(a, p, goldenTime, seqActivity, o)},
		{"E ended", eventKey(a, p, goldenTime, seqEnded, o)},
		{"H session", sessionKey(a, p, goldenTime, o)},
		{"M member", memberKey(a, p, goldenTime, o)},
		{"G merge", idKey(tableMerge, a, p)},
		{"g merge of a person", pairKey(tableMergeOf, a, p, o)},
		{"K link", pairKey(tableLink, a, p, o)},
		{"X reference", referenceKey(a, p, tableDevice, o[:])},
		{"V token", hashKey(tableToken, a, digestOf("a cookie"))},
		{"B boot", hashKey(tableBoot, a, digestOf("boot 00"))},
		{"O device", idKey(tableDevice, a, p)},
		{"C cookie", hashKey(tableCookie, a, patternDigest(0x33))},
		{"W chat", idKey(tableChat, a, p)},
		{"Y invalidation", invalidationKey(a, "widget", "sid")},
		{"U subject", subjectKey(a, "email", "anna@example.com")},
		{"D client id", dedupeKey(0x5170, a, p, "own_id")},
		{"D own id", ownIDKey(&device{account: a, id: p}, "own_id")},
		{"D spilled window", spillKey(&device{account: a, id: p}, "tab")},
		{"D holes", holesKey(&device{account: a, id: p}, "tab", 130)},
		{"Q session", queueKey(goldenTime, dueSession, idRef(a, p))},
		{"Q late session", queueKey(goldenTime, dueLate, lateRef(late))},
		{"Q visitor", queueKey(goldenTime, dueVisitor, idRef(a, p))},
		{"Q chat", queueKey(goldenTime, dueChat, idRef(a, p))},
		{"Q tombstone", queueKey(goldenTime, dueTomb, tombRef(a, tableToken, patternDigest(0x33)))},
		{"f forgotten events", retentionKey},
		{"z in use", aliveKey},
		{"J erased profile", jobKey(jobProfile, a, p)},
		{"e erasure", erasedKey(erasureHash(a, p))},
		{"Q invalidation", invalidationDeadline(invalidationKey(a, "widget", "sid"), goldenTime)},
		{"Q grave", queueKey(goldenTime, dueGrave, append(idRef(a, p), o[:]...))},
		{"L live lead", listingKey(a, TypeLead, listedLive, goldenTime, p)},
		{"L idle customer", listingKey(a, TypeCustomer, listedIdle, goldenTime, p)},
		{"N name", searchKey(a, searchFirst, "anna", p)},
		{"a name of an account", accountNameKey("shop")},
		{"a count of accounts", accountCountKey},
		{"S event", definitionKey(a, schema.Shape{Event: true, Name: "action"})},
		{"S attribute", definitionKey(a, schema.Shape{Name: "Shoe size", Type: schema.TypeInteger})},
		{"Z layout", layoutKey},
	}
	var names []string
	got := map[string][]byte{}
	for _, tt := range tests {
		names = append(names, tt.name)
		got[tt.name] = tt.key
		assert.Equal(t, tt.name[0], tt.key[0], "%s stands in its table", tt.name)
	}
	golden(t, "keys.golden", names, got)
}

// goldenRecord is a record with all fields set, and how it is read again.
type goldenRecord struct {
	name   string
	record any
	encode []byte
	decode func([]byte) (any, error)
}

func goldenRecords() []goldenRecord {
	const a = DefaultAccount
	p, o, third := pattern(0x11), pattern(0x22), pattern(0x33)
	visitor := &profile{
		id: p, account: a, kind: kindVisitor, mergedInto: o, mergePoint: goldenTime + 1, created: goldenTime + 2, modified: goldenTime + 3,
		activity: goldenTime + 4, device: third, expiry: goldenTime + 5,
	}
	person := &profile{
		id: p, account: a, kind: kindAuthenticated, customer: true, created: goldenTime, listed: listedLive, listing: goldenTime + 6,
		subjectType: "email", subject: "anna@example.com",
		open: openSession{id: o, home: third, start: goldenTime + 7, last: goldenTime + 8, queued: goldenTime + 9, count: 300},
	}
	dev := &device{
		id: p, account: a, tokens: []digest{patternDigest(1), patternDigest(2)}, boots: []digest{patternDigest(3)}, successor: o, chat: third,
		chatHash: patternDigest(4), chatSeen: goldenTime, chatIssued: goldenTime + 1, seen: goldenTime + 2,
		sites: []siteSeen{{name: "chat_session", value: patternDigest(5), sent: goldenTime + 3}},
		epochs: []epoch{
			{name: "abcdefghijkl", profile: o, from: goldenTime, to: goldenTime + 4, cause: ""},
			{name: "mnopqrstuvwx", profile: third, from: goldenTime + 4, cause: "tab-7"},
		},
		windows: []tabWindow{{tab: "tab", high: 70, bits: 1<<63 | 5}},
	}
	kept := retention{began: goldenTime, cutoff: goldenTime - 1, from: idKey(tableProfile, a, p)}
	tomb := tombstone{at: goldenTime, until: goldenTime + 1}
	linked := &profile{id: p, account: a, kind: kindLead, created: goldenTime, extras: extrasNoted | extraItems | extraLinks}
	erased := &profile{id: p, account: a, kind: kindLead, created: goldenTime, erasing: goldenTime + 1}
	asked := &device{id: p, account: a, tokens: []digest{patternDigest(1)}, consent: goldenTime, notBefore: goldenTime + 1, gone: goldenTime + 2}
	at := &device{id: p, account: a, tokens: []digest{patternDigest(1)}, epochs: []epoch{{name: "abcdefghijkl", profile: o, from: goldenTime}}}
	at.visitor = &profile{
		id: o, account: a, kind: kindVisitor, created: goldenTime, activity: goldenTime + 1, device: p, expiry: goldenTime + 2, within: at,
		open: openSession{id: third, home: o, start: goldenTime + 3, last: goldenTime + 4, queued: goldenTime + 5, count: 2},
	}
	over := &chat{id: p, account: a, profile: o, ended: goldenTime, grave: goldenTime + 1}
	live := &chat{
		id: p, account: a, profile: o, auth: true, widget: widgetID, sid: "sid-1", issued: goldenTime, started: goldenTime + 1, until: goldenTime + 2,
		queued: goldenTime + 3, ended: goldenTime + 4, signal: true, cookies: []chatCookie{{hash: patternDigest(6)}, {hash: patternDigest(7), site: true}},
		seenDay: 20779, seenDevices: []id{third},
	}
	campaign := utm{source: "news", medium: "mail", campaign: "autumn", term: "shoes", content: "top"}
	late := &session{
		account: a, home: p, start: goldenTime, id: o, last: goldenTime + 1, end: goldenTime + 2, count: 3, utm: campaign,
		late: true, due: goldenTime + 4, queued: goldenTime + 5,
	}
	merged := &merge{id: p, visitor: o, person: third, at: goldenTime, reason: reasonChat, request: "request"}
	undone := &merge{
		id: p, visitor: o, person: third, at: goldenTime, reason: reasonAuth, request: "request", lead: true,
		turns: []turn{{undone: true, at: goldenTime + 1, by: "operator", reason: "two people"}, {at: goldenTime + 2, by: "API key"}},
	}
	absorbing := &profile{id: p, account: a, kind: kindAuthenticated, created: goldenTime, subjectType: "msisdn", subject: "421905123450", absorbed: 2}
	bare := &profile{
		id: p, account: a, kind: kindVisitor, created: goldenTime, device: third,
		open: openSession{id: o, home: p, start: goldenTime, last: goldenTime + 1, queued: goldenTime + 2, count: 1, bare: true},
	}
	part := &session{account: a, home: p, start: goldenTime, id: o, last: goldenTime, count: 1, part: partTwin}
	view := &event{definition: schema.EventPageView, session: o, received: goldenTime, claimed: goldenTime - 5, page: &pageView{
		page:  Page{URL: "https://shop.example/?id=7", Title: "Shop", Referrer: "https://other.example/", Language: "en-GB", WebsiteLanguage: "en"},
		agent: Agent{DeviceType: "desktop", BrowserName: "Chrome", BrowserVersion: "142", BrowserOS: "Linux"},
	}}
	ended := &event{
		definition: schema.EventSessionEnded, session: o, received: goldenTime, utm: &campaign,
		span: &span{start: goldenTime - 9, end: goldenTime, last: goldenTime - 1},
	}
	custom := &event{definition: "action", session: o, received: goldenTime, claimed: goldenTime, properties: []byte(`{"label":"x"}`)}
	told := &event{definition: schema.EventPersonMerged, session: o, received: goldenTime, merge: merged}
	readEvent := func(b []byte) (any, error) { return decodeEvent(b) }
	readProfile := func(b []byte) (any, error) { return decodeProfile(a, p, b) }
	cookie := cookieRecord{chat: p, ended: goldenTime}
	return []goldenRecord{
		{"P merged visitor", visitor, visitor.encode(), readProfile},
		{"P person", person, person.encode(), readProfile},
		{"O device", dev, dev.encode(), func(b []byte) (any, error) { return decodeDevice(a, p, b) }},
		{"W chat", live, live.encode(), func(b []byte) (any, error) { return decodeChat(a, p, b) }},
		{"C cookie", cookie, cookie.encode(), func(b []byte) (any, error) { return decodeCookie(b) }},
		{"H session", late, late.encode(), func(b []byte) (any, error) { return decodeSession(a, late.key(), b) }},
		{"G merge", merged, merged.encode(), func(b []byte) (any, error) { return decodeMerge(b) }},
		{"G undone merge", undone, undone.encode(), func(b []byte) (any, error) { return decodeMerge(b) }},
		{"P person who absorbed leads", absorbing, absorbing.encode(), readProfile},
		{"H part of a session", part, part.encode(), func(b []byte) (any, error) { return decodeSession(a, part.key(), b) }},
		{"K undone merge", personLink{reasonUndone, goldenTime, o}, personLink{reasonUndone, goldenTime, o}.encode(), func(b []byte) (any, error) { return decodeLink(b) }},
		{"P visitor with a bare session", bare, bare.encode(), readProfile},
		{"z in use", inUse{goldenTime}, inUse{goldenTime}.encode(), func(b []byte) (any, error) { return decodeInUse(b) }},
		{"E page view", view, view.encode(), readEvent},
		{"E session ended", ended, ended.encode(), readEvent},
		{"E custom", custom, custom.encode(), readEvent},
		{"E merged", told, told.encode(), readEvent},
		{"P person with extras", linked, linked.encode(), readProfile},
		{"P erased person", erased, erased.encode(), readProfile},
		{"O device that consented", asked, asked.encode(), func(b []byte) (any, error) { return decodeDevice(a, p, b) }},
		{"O device with its visitor", at, at.encode(), func(b []byte) (any, error) { return decodeDevice(a, p, b) }},
		{"P place of a visitor", o, visitorPlace(o), func(b []byte) (any, error) { return placeOf(b) }},
		{"W ended chat", over, over.encode(), func(b []byte) (any, error) { return decodeChat(a, p, b) }},
		{"C tombstone", cookieRecord{ended: goldenTime}, cookieRecord{ended: goldenTime}.encode(), func(b []byte) (any, error) { return decodeCookie(b) }},
		{"Y invalidation", invalidation{goldenTime, goldenTime + 1}, invalidation{goldenTime, goldenTime + 1}.encode(), func(b []byte) (any, error) { return decodeInvalidation(b) }},
		{"V tombstone", tomb, tomb.encode(), func(b []byte) (any, error) { return decodeTombstone(b) }},
		{"f forgotten events", kept, kept.encode(), func(b []byte) (any, error) { return decodeRetention(b) }},
		{"J job", job{goldenTime, true}, job{goldenTime, true}.encode(), func(b []byte) (any, error) { return decodeJob(b) }},
		{"V token", goldenTime, deviceReference(p, goldenTime), func(b []byte) (any, error) {
			_, since, err := decodeDeviceReference(b)
			return since, err
		}},
		{"D spilled window", dev.windows[0], encodedWindow(dev.windows[0]), func(b []byte) (any, error) { return decodeSpill(b) }},
		{"D holes", uint64(5), encodeHoles(5, goldenTime), func(b []byte) (any, error) { return decodeHoles(b) }},
		{"a number", Account(0x0102), encodeNumber(0x0102), func(b []byte) (any, error) { return decodeNumber(b) }},
		{"S event", goldenShape, encodeShape(goldenShape), func(b []byte) (any, error) { return decodeShape(true, b) }},
		{"any presence", present, present, func(b []byte) (any, error) { return b, decodeValue(b, func(field) {}) }},
	}
}

var goldenShape = schema.Shape{Event: true, Name: "purchase", Fields: []schema.Field{
	{Name: "total", Type: schema.TypeDecimal},
	{Name: "items", Type: schema.TypeList, Fields: []schema.Field{{Name: "id", Type: schema.TypeString}}},
}}

func encodedWindow(w tabWindow) []byte {
	e := newEncoder(16)
	w.encode(e)
	return e.b
}

func TestGoldenRecords(t *testing.T) {
	var names []string
	got := map[string][]byte{}
	for _, r := range goldenRecords() {
		names, got[r.name] = append(names, r.name), r.encode
	}
	stored := golden(t, "records.golden", names, got)
	for _, r := range goldenRecords() {
		t.Run(r.name, func(t *testing.T) {
			bytes := stored[r.name]
			require.NotEmpty(t, bytes)
			assert.Equal(t, byte(valueVersion), bytes[0], "the version comes first")
			record, err := r.decode(bytes)
			require.NoError(t, err)
			assert.Equal(t, r.record, record)

			later := append(append([]byte(nil), bytes...), 0xfa, 0x07, 2, 'h', 'i', 0xf0, 0x07, 5) // fields 127 and 126
			record, err = r.decode(later)
			require.NoError(t, err, "a later program's fields are skipped")
			if r.name != "any presence" {
				assert.Equal(t, r.record, record)
			}
			_, err = r.decode(append([]byte{valueVersion + 1}, bytes[1:]...))
			assert.ErrorIs(t, err, errMalformed, "a later version is refused")
			_, err = r.decode(nil)
			assert.ErrorIs(t, err, errMalformed)
			if len(bytes) > 1 {
				_, err = r.decode(bytes[:len(bytes)-1])
				assert.ErrorIs(t, err, errMalformed, "a cut record is refused")
			}
		})
	}
}
