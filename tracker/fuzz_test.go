package tracker

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzRecords reads any bytes as every record: an error or a record, never a
// panic, and what was read once is written and read again unchanged.
func FuzzRecords(f *testing.F) {
	for _, r := range goldenRecords() {
		f.Add(r.encode)
	}
	const a = DefaultAccount
	p := pattern(0x11)
	key := sessionKey(a, p, goldenTime, p)
	f.Fuzz(func(t *testing.T, value []byte) {
		again := func(name string, decode func([]byte) (interface{ encode() []byte }, error)) {
			record, err := decode(value)
			if err != nil {
				return
			}
			written := record.encode()
			reread, err := decode(written)
			require.NoError(t, err, name)
			assert.Equal(t, written, reread.encode(), name)
		}
		type record = interface{ encode() []byte }
		again("profile", func(b []byte) (record, error) { return decodeProfile(a, p, b) })
		again("device", func(b []byte) (record, error) { return decodeDevice(a, p, b) })
		again("chat", func(b []byte) (record, error) { return decodeChat(a, p, b) })
		again("cookie", func(b []byte) (record, error) { return decodeCookie(b) })
		again("session", func(b []byte) (record, error) { return decodeSession(a, key, b) })
		again("event", func(b []byte) (record, error) { return decodeEvent(b) })
		again("invalidation", func(b []byte) (record, error) { return decodeInvalidation(b) })
		again("merge", func(b []byte) (record, error) { return decodeMerge(b) })
		if i, since, err := decodeDeviceReference(value); err == nil {
			j, again, err := decodeDeviceReference(deviceReference(i, since))
			require.NoError(t, err)
			assert.True(t, i == j && since == again)
		}
		again("in use", func(b []byte) (record, error) { return decodeInUse(b) })
		again("retention", func(b []byte) (record, error) { return decodeRetention(b) })
		again("job", func(b []byte) (record, error) { return decodeJob(b) })
		again("tombstone", func(b []byte) (record, error) { return decodeTombstone(b) })
		if w, err := decodeSpill(value); err == nil {
			again, err := decodeSpill(encodedWindow(w))
			require.NoError(t, err)
			assert.Equal(t, w, again)
		}
		if holes, err := decodeHoles(value); err == nil {
			again, err := decodeHoles(encodeHoles(holes, goldenTime))
			require.NoError(t, err)
			assert.Equal(t, holes, again)
		}
		if shape, err := decodeShape(true, value); err == nil {
			again, err := decodeShape(true, encodeShape(shape))
			require.NoError(t, err)
			assert.True(t, shape.Equal(again))
			_, _ = shape.Extend(shape)
		}
		if number, err := decodeNumber(value); err == nil {
			again, err := decodeNumber(encodeNumber(number))
			require.NoError(t, err)
			assert.Equal(t, number, again)
		}
		if ev, err := decodeEvent(value); err == nil {
			_, _ = ev.readable(goldenTime)
		}
	})
}

// FuzzKeys reads any bytes as the keys that are taken apart.
func FuzzKeys(f *testing.F) {
	f.Add(queueKey(goldenTime, dueSession, idRef(1, pattern(1))))
	f.Add(eventKey(1, pattern(1), goldenTime, seqStarted, pattern(2)))
	f.Add(sessionKey(1, pattern(1), goldenTime, pattern(2)))
	f.Add(jobKey(jobDevice, 1, pattern(1)))
	f.Add(tombRef(1, tableBoot, patternDigest(3)))
	f.Fuzz(func(t *testing.T, key []byte) {
		if p, ms, i, err := parseEventKey(key); err == nil {
			built := eventKey(Account(key[1])<<8|Account(key[2]), p, ms, seq(key[27])<<8|seq(key[28]), i)
			assert.Equal(t, key, built)
		}
		if p, start, i, err := parseSessionKey(key); err == nil {
			assert.Equal(t, key, sessionKey(Account(key[1])<<8|Account(key[2]), p, start, i))
		}
		if kind, a, i, err := parseJobKey(key); err == nil {
			assert.Equal(t, key, jobKey(kind, a, i))
		}
		if table, hash, err := parseTombRef(key); err == nil {
			assert.Equal(t, key, tombRef(Account(key[0])<<8|Account(key[1]), table, hash))
		}
		if deadline, kind, ref, err := parseQueueKey(key); err == nil {
			built := queueKey(deadline, kind, ref)
			assert.Equal(t, key[2:], built[2:], "the shard follows from the reference")
			if a, i, err := parseIDRef(ref); err == nil {
				assert.Equal(t, ref, idRef(a, i))
			}
		}
	})
}

func FuzzCursors(f *testing.F) {
	f.Add(position{goldenTime, pattern(3)}.cursor())
	f.Add(eventCursor(eventKey(1, pattern(1), goldenTime, seqStarted, pattern(2))))
	f.Add("")
	f.Fuzz(func(t *testing.T, cursor string) {
		if p, err := parsePosition(cursor); err == nil {
			again, err := parsePosition(p.cursor())
			require.NoError(t, err)
			assert.Equal(t, p, again)
		} else {
			assert.ErrorIs(t, err, ErrBadCursor)
		}
		if suffix, err := parseEventCursor(cursor); err == nil {
			again, err := parseEventCursor(eventCursor(append(idKey(tableEvent, 1, pattern(1)), suffix...)))
			require.NoError(t, err)
			assert.Equal(t, suffix, again)
		} else {
			assert.ErrorIs(t, err, ErrBadCursor)
		}
		if i, ok := parseID(cursor); ok {
			assert.Equal(t, cursor, i.String())
		}
	})
}

// FuzzB13EventTime: whatever the browser's clock says, a call never happened
// in the future nor more than a day ago.
func FuzzB13EventTime(f *testing.F) {
	f.Add(int64(0), int64(0))
	f.Add(int64(-3_600_000), int64(-3_660_000))
	f.Add(int64(9_000), int64(-86_400_000))
	received := fromMillis(goldenTime)
	f.Fuzz(func(t *testing.T, sent, at int64) {
		const most = int64(1) << 52 // what a parsed time can be, and more
		sent, at = sent%most, at%most
		s, c := fromMillis(goldenTime+sent), fromMillis(goldenTime+at)
		got := eventTime(received, s, c)
		assert.False(t, got.After(received))
		assert.LessOrEqual(t, received.Sub(got), 24*time.Hour)
		made := madeAt(received, s, c)
		assert.False(t, made.After(received))
		if at >= sent {
			assert.Equal(t, received, made)
		}
	})
}

func FuzzUTM(f *testing.F) {
	f.Add("https://shop.example/?utm_source=news&utm_campaign=autumn#top")
	f.Add("?utm_source=%zz&utm_term=" + strings.Repeat("é", 200))
	f.Add("https://[::1/?utm_source=a;b")
	f.Fuzz(func(t *testing.T, address string) {
		got := utmOf(address)
		for _, v := range []string{got.source, got.medium, got.campaign, got.term, got.content} {
			assert.LessOrEqual(t, len(v), 255)
		}
		if !strings.Contains(address, "?") {
			assert.Equal(t, utm{}, got)
		}
		_, path := splitURL(address)
		assert.NotContains(t, path, "?")
	})
}

func FuzzSplitClientID(f *testing.F) {
	for _, id := range []string{"tab-1", "tab-01", "a-b-1", "-1", "tab-999999999999999", "tab-1000000000000000", "0-1"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, client string) {
		tab, n, ok := splitClientID(client)
		if !ok {
			return
		}
		assert.True(t, n > 0 && tab != "" && len(tab) <= 20 && !strings.Contains(tab, "-"))
		digits := client[len(tab)+1:]
		var again uint64
		for _, c := range digits {
			again = 10*again + uint64(c-'0') //nolint:gosec // digits
		}
		assert.Equal(t, again, n)
		assert.Equal(t, "-", client[len(tab):len(tab)+1])
	})
}
