package tracker

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// The keys of the store, all of them. The first byte is the table; every table
// but the queue, the names and the version goes on with the account. Times are milliseconds since 1970 in
// eight big-endian bytes, inverted where the newest comes first. The same
// bytes are kept by every engine, and golden tests hold them still.
const (
	tableProfile   = 'P' // account profile → hot record and guard
	tableAttribute = 'A' // account profile field → one property or custom attribute
	tableItem      = 'I' // account profile attribute NUL time item → one list item
	tableEvent     = 'E' // account profile time seq event → event
	tableSession   = 'H' // account profile start session → session
	tableMember    = 'M' // account person ~last member → timelines of a person
	tableMerge     = 'G' // account merge → merge
	tableMergeOf   = 'g' // account person merge → index
	tableLink      = 'K' // account person other → link between persons
	tableReference = 'X' // account profile kind key → keys elsewhere that name the profile
	tableToken     = 'V' // account hash(token) → device
	tableBoot      = 'B' // account hash(boot) → device
	tableDevice    = 'O' // account device → device record and guard
	tableCookie    = 'C' // account hash(cookie) → chat, or when it ended
	tableChat      = 'W' // account chat → Live Chat session record and guard
	tableInvalid   = 'Y' // account widget NUL sid → time of invalidation
	tableSubject   = 'U' // account type NUL subject → profile
	tableDedupe    = 'D' // 0 account device client → recorded; day … client → to be forgotten
	tableQueue     = 'Q' // shard deadline kind account id… → deadline
	tableListing   = 'L' // account type state ~time profile → persons by activity, or by the deadline of an open session
	tableSearch    = 'N' // account field token NUL profile → search
	tableRetention = 'f' // no more: how far old events are forgotten
	tableJob       = 'J' // kind account id → what is being removed, in chunks
	tableErased    = 'e' // hash(account profile) → when it was erased, for ever
	tableName      = 'a' // name → number of the account; no name → the last number given out
	tableSchema    = 'S' // account kind hash(name) → definition that values were stored by
	tableLayout    = 'Z' // version of all this
	tableAlive     = 'z' // no more: a time at which the store was in use
)

var (
	layoutKey    = []byte{tableLayout}
	retentionKey = []byte{tableRetention}
	aliveKey     = []byte{tableAlive}
)

// accountCountKey holds the last number given to an account.
var accountCountKey = []byte{tableName}

func accountNameKey(name string) []byte { return append([]byte{tableName}, name...) }

// definitionKey hashes the name, which may be longer than a key may be.
func definitionKey(a Account, s schema.Shape) []byte {
	kind := byte('a')
	if s.Event {
		kind = 'e'
	}
	d := digestOf(s.Key())
	return append(append(accountKey(tableSchema, a, 1+len(d)), kind), d[:]...)
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func accountKey(table byte, a Account, size int) []byte {
	k := make([]byte, 3, 3+size)
	k[0] = table
	binary.BigEndian.PutUint16(k[1:], uint16(a))
	return k
}

func appendTime(k []byte, ms int64) []byte { return binary.BigEndian.AppendUint64(k, uint64(ms)) }

func appendNewest(k []byte, ms int64) []byte { return binary.BigEndian.AppendUint64(k, ^uint64(ms)) }

func idKey(table byte, a Account, i id) []byte { return append(accountKey(table, a, 16), i[:]...) }

func hashKey(table byte, a Account, d digest) []byte {
	return append(accountKey(table, a, len(d)), d[:]...)
}

func attributeKey(a Account, p id, field string) []byte {
	return append(idKey(tableAttribute, a, p), field...)
}

func itemPrefix(a Account, p id, attribute string) []byte {
	return append(append(idKey(tableItem, a, p), attribute...), 0)
}

func itemKey(a Account, p id, attribute string, ms int64, item id) []byte {
	return append(appendTime(itemPrefix(a, p, attribute), ms), item[:]...)
}

// seq orders what happens at one millisecond: the end of the session before,
// the start of the session, then activities, whose ids are in the order in
// which they came.
type seq uint16

const (
	seqEnded    seq = 0
	seqStarted  seq = 1
	seqActivity seq = 2
)

func eventKey(a Account, p id, ms int64, s seq, event id) []byte {
	k := appendTime(append(accountKey(tableEvent, a, eventKeyLen-3), p[:]...), ms)
	k = binary.BigEndian.AppendUint16(k, uint16(s))
	return append(k, event[:]...)
}

const eventKeyLen = 3 + 16 + 8 + 2 + 16

// eventSuffix is the part of an event's key that orders a timeline across its
// members: time, seq and event id.
func eventSuffix(key []byte) []byte { return key[3+16:] }

func parseEventKey(key []byte) (p id, ms int64, event id, err error) {
	if len(key) != eventKeyLen || key[0] != tableEvent {
		return id{}, 0, id{}, fmt.Errorf("event key of %d bytes is malformed", len(key))
	}
	copy(p[:], key[3:])
	copy(event[:], key[eventKeyLen-16:])
	return p, int64(binary.BigEndian.Uint64(key[19:])), event, nil
}

func sessionKey(a Account, p id, start int64, session id) []byte {
	k := append(accountKey(tableSession, a, sessionKeyLen-3), p[:]...)
	return append(appendTime(k, start), session[:]...)
}

const sessionKeyLen = 3 + 16 + 8 + 16

func parseSessionKey(key []byte) (p id, start int64, session id, err error) {
	if len(key) != sessionKeyLen || key[0] != tableSession {
		return id{}, 0, id{}, fmt.Errorf("session key of %d bytes is malformed", len(key))
	}
	copy(p[:], key[3:])
	copy(session[:], key[sessionKeyLen-16:])
	return p, int64(binary.BigEndian.Uint64(key[19:])), session, nil
}

func memberKey(a Account, person id, last int64, member id) []byte {
	return append(appendNewest(idKey(tableMember, a, person), last), member[:]...)
}

func pairKey(table byte, a Account, one, other id) []byte {
	return append(idKey(table, a, one), other[:]...)
}

func referenceKey(a Account, p id, kind byte, rest []byte) []byte {
	return append(append(idKey(tableReference, a, p), kind), rest...)
}

func invalidationKey(a Account, widget, sid string) []byte {
	return append(append(append(accountKey(tableInvalid, a, len(widget)+1+len(sid)), widget...), 0), sid...)
}

// subjectKey hashes the subject: an external id may be longer than a key may be.
func subjectKey(a Account, subjectType, subject string) []byte {
	d := digestOf(subjectType + "\x00" + subject)
	return hashKey(tableSubject, a, d)
}

// dedupeKey begins with the day, so that a day is dropped as one range.
func dedupeKey(day uint16, a Account, device id, client string) []byte {
	k := make([]byte, 0, 1+2+2+16+len(client))
	k = append(k, tableDedupe)
	k = binary.BigEndian.AppendUint16(k, day)
	k = binary.BigEndian.AppendUint16(k, uint16(a))
	k = append(k, device[:]...)
	return append(k, client...)
}

// queueShards spreads deadlines so that several sweepers seldom meet.
const queueShards = 16

// The kinds of deadline.
const (
	dueSession  = 's' // the open activity session of a profile
	dueLate     = 'l' // a back-dated session, named by its session key
	dueVisitor  = 'v' // a visitor without activity
	dueChat     = 'c' // a Live Chat session without calls
	dueGrave    = 't' // the tombstones of an ended Live Chat session
	dueInvalid  = 'y' // the invalidation of a sid, named by its key
	dueTomb     = 'x' // the tombstone of a removed device's cookie or boot
	queueSuffix = 1 + 1 + 8 + 1
)

// queueKey names a deadline. The reference is account and id, or a whole
// session key for a late session.
func queueKey(deadline int64, kind byte, ref []byte) []byte {
	k := make([]byte, 0, queueSuffix+len(ref))
	k = append(k, tableQueue, shardOf(ref))
	k = appendTime(k, deadline)
	k = append(k, kind)
	return append(k, ref...)
}

// shardOf takes the last byte, which is random in every id.
func shardOf(ref []byte) byte { return ref[len(ref)-1] % queueShards }

func queueRange(shard byte, from, to int64) (low, high []byte) {
	return appendTime([]byte{tableQueue, shard}, from), appendTime([]byte{tableQueue, shard}, to)
}

func parseQueueKey(key []byte) (deadline int64, kind byte, ref []byte, err error) {
	if len(key) < queueSuffix+3 || key[0] != tableQueue {
		return 0, 0, nil, fmt.Errorf("queue key of %d bytes is malformed", len(key))
	}
	return int64(binary.BigEndian.Uint64(key[2:])), key[10], key[queueSuffix:], nil
}

func idRef(a Account, i id) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(a)), i[:]...)
}

func parseIDRef(ref []byte) (a Account, i id, err error) {
	if len(ref) != 18 {
		return 0, id{}, fmt.Errorf("reference of %d bytes is malformed", len(ref))
	}
	copy(i[:], ref[2:])
	return Account(binary.BigEndian.Uint16(ref)), i, nil
}

// jobKey begins with the kind, so that jobs of one kind stand together.
func jobKey(kind byte, a Account, i id) []byte {
	return append([]byte{tableJob, kind}, idRef(a, i)...)
}

func parseJobKey(key []byte) (kind byte, a Account, i id, err error) {
	if len(key) != 2+18 || key[0] != tableJob {
		return 0, 0, id{}, fmt.Errorf("job key of %d bytes is malformed", len(key))
	}
	a, i, err = parseIDRef(key[2:])
	return key[1], a, i, err
}

// erasedKey has no account: the hash is of account and profile.
func erasedKey(hash digest) []byte { return append([]byte{tableErased}, hash[:]...) }

// tombRef names the tombstone of a device's cookie or boot in the queue.
func tombRef(a Account, table byte, hash digest) []byte {
	return append(append(binary.BigEndian.AppendUint16(nil, uint16(a)), table), hash[:]...)
}

func parseTombRef(ref []byte) (table byte, hash digest, err error) {
	if len(ref) != 2+1+len(hash) || ref[2] != tableToken && ref[2] != tableBoot {
		return 0, digest{}, fmt.Errorf("reference of %d bytes to a tombstone is malformed", len(ref))
	}
	copy(hash[:], ref[3:])
	return ref[2], hash, nil
}

// The states of a listing: persons with an open session are few, change
// constantly and are sorted when read, so that they stand at the deadline in the
// queue, behind which no tombstones lie; the others stand at their last activity.
const (
	listedLive = 1
	listedIdle = 2
)

func listingPrefix(a Account, t PersonType, state byte) []byte {
	k := accountKey(tableListing, a, 26)
	if t == TypeCustomer {
		return append(k, 'C', state)
	}
	return append(k, 'L', state)
}

func listingKey(a Account, t PersonType, state byte, ms int64, p id) []byte {
	return append(appendNewest(listingPrefix(a, t, state), ms), p[:]...)
}

// positionOf is where the entry of an idle person stands.
func positionOf(key []byte) position {
	return position{int64(^binary.BigEndian.Uint64(key[len(key)-24:])), lastID(key)}
}

func searchPrefix(a Account, field byte, token string) []byte {
	return append(append(accountKey(tableSearch, a, 1+len(token)+17), field), token...)
}

func searchKey(a Account, field byte, token string, p id) []byte {
	return append(append(searchPrefix(a, field, token), 0), p[:]...)
}

// prefixRange is every key that begins with prefix.
func prefixRange(prefix []byte, limit int) store.Range {
	return store.Range{From: prefix, To: prefixEnd(prefix), Limit: limit}
}

// prefixEnd is the first key behind those that begin with prefix.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

func lastID(key []byte) (i id) {
	copy(i[:], key[len(key)-16:])
	return i
}

// timeOfItem is the time in the key of a list item.
func timeOfItem(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[len(key)-24:])) }
