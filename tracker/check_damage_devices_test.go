package tracker

import (
	"bytes"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// damagedDevices are those of devices and the cookies that lead to them.
func damagedDevices() map[string]damage {
	const a = DefaultAccount
	return map[string]damage{
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
		"device's cookie":            {lost(tableToken, nil), 'O', "one of whose cookies leads nowhere"},
		"device not referenced":      {lost(tableReference, func(e store.Entry) bool { return e.Key[19] == tableDevice }), 'O', "not referenced by profile"},
		"device of nobody":           {deviceDamage(anyDevice, func(d *device) { d.epochs = nil }), 'O', "never was anybody's"},
		"device of no profile":       {deviceDamage(anyDevice, func(d *device) { d.current().profile = nobody }), 'O', "is not there"},
		"device's epochs":            {deviceDamage(anyDevice, func(d *device) { d.current().to = 5 }), 'O', "leave a gap"},
		"device's successor":         {deviceDamage(func(d *device) bool { return len(d.epochs) > 1 }, func(d *device) { d.successor, d.current().profile = nobody, d.epochs[0].profile }), 'O', "which is not there"},
		"visitor in a chat":          {deviceDamage(func(d *device) bool { return d.chat.zero() }, func(d *device) { d.chat = nobody }), 'O', "a visitor's device in a Live Chat session"},
		"visitor stands elsewhere":   {func(w *world) { w.placeVisitor(nobody) }, 'O', "of a visitor who stands elsewhere"},
		"visitor who is a lead":      {deviceDamage(func(d *device) bool { return d.visitor != nil }, func(d *device) { d.visitor.kind = kindLead }), 'O', "of a visitor it is not"},
		"visitor's other device":     {func(w *world) { w.strayVisitor() }, 'O', "a device whose visitor has another"},
		"device of a merged":         {deviceDamage(func(d *device) bool { return len(d.epochs) > 1 }, func(d *device) { d.chat, d.current().profile = id{}, d.epochs[0].profile }), 'O', "whose visitor was merged"},
		"person without a chat":      {deviceDamage(inAChat, func(d *device) { d.chat = id{} }), 'O', "without a Live Chat session"},
		"person's chat that is gone": {deviceDamage(inAChat, func(d *device) { d.chat = nobody }), 'O', "without a Live Chat session"},
		"person in another's chat":   {func(w *world) { w.strangersChat() }, 'O', "in the Live Chat session of somebody else"},
	}
}

// damagedChats are those of Live Chat sessions and their cookies.
func damagedChats() map[string]damage {
	const a = DefaultAccount
	return map[string]damage{
		"chat without a reference": {lost(tableReference, func(e store.Entry) bool { return e.Key[19] == tableChat }), 'W', "is not referenced by"},
		"chat of nobody":           {chatDamage(liveChat, func(c *chat) { c.profile = nobody }), 'W', "a Live Chat session of nobody"},
		"chat's cookie":            {lost(tableCookie, func(e store.Entry) bool { r, err := decodeCookie(e.Value); return err == nil && r.ended == 0 }), 'W', "one of whose cookies says something else"},
		"chat not queued":          {lost(tableQueue, dueFor(dueChat)), 'W', "that is not in the queue"},
		"chat without a grave":     {lost(tableQueue, func(e store.Entry) bool { return e.Key[10] == dueGrave && len(e.Key) == queueSuffix+34 }), 'W', "not forgotten 400 days later"},
		"cookie without a grave":   {lost(tableQueue, func(e store.Entry) bool { return e.Key[10] == dueGrave && len(e.Key) != queueSuffix+34 }), 'C', "not forgotten 400 days later"},
		"cookie of no chat": {func(w *world) {
			w.change(store.Entry{Key: hashKey(tableCookie, a, digestOf("x")), Value: cookieRecord{chat: nobody}.encode()})
		}, 'C', "which is not there"},
		"cookie its chat ignores": {chatDamage(liveChat, func(c *chat) { c.cookies = nil }), 'C', "does not know it"},
	}
}

// damagedRemovals are those of what was erased, and of what removes it.
func damagedRemovals() map[string]damage {
	const a = DefaultAccount
	return map[string]damage{
		"tombstone without an end": {lost(tableQueue, dueFor(dueTomb)), 'V', "a tombstone that is not forgotten"},
		"end of no tombstone":      {strayKeys(queueKey(5, dueTomb, tombRef(a, tableToken, digestOf("x")))), 'Q', "of which its record does not know"},
		"end of what is no tomb":   {strayKeys(queueKey(5, dueTomb, tombRef(a, tableCookie, digestOf("x")))), 'Q', "a tombstone is malformed"},
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
		"job of an unknown kind":   {strayKeys(jobKey('!', a, nobody)), 'J', "of an unknown kind"},
		"erased and never removed": {lost(tableJob, nil), 'P', "that nobody removes"},
	}
}

// damagedQueue are those of deadlines.
func damagedQueue() map[string]damage {
	const a = DefaultAccount
	return map[string]damage{
		"deadline in another shard": {func(w *world) {
			e := w.first(tableQueue, nil)
			key := slices.Clone(e.Key)
			key[1] = (key[1] + 1) % queueShards
			strayKeys(key)(w)
		}, 'Q', "in a shard that is not its own"},
		"deadline of an unknown kind": {strayKeys(queueKey(5, '!', idRef(a, nobody))), 'Q', "of an unknown kind"},
		"deadline's reference":        {strayKeys(queueKey(5, dueChat, lateRef(&session{account: a}))), 'Q', "the reference of a deadline"},
		"deadline of nothing":         {strayKeys(queueKey(5, dueSession, idRef(a, nobody))), 'Q', "of which its record does not know"},
		"late deadline of nothing":    {strayKeys(queueKey(5, dueLate, lateRef(&session{account: a}))), 'Q', "of which its record does not know"},
		"second deadline":             {func(w *world) { strayKeys(queueKey(5, dueVisitor, idRef(a, w.firstProfile(aVisitor).id)))(w) }, 'Q', "of which its record does not know"},
		"grave of no chat":            {strayKeys(queueKey(5, dueGrave, append(idRef(a, nobody), nobody[:]...))), 'Q', "of which its record does not know"},
		"second grave of a chat":      {func(w *world) { w.secondGrave() }, 'Q', "are to be forgotten"},
		"grave of no cookie":          {strayKeys(queueKey(5, dueGrave, append(idRef(a, nobody), bytes.Repeat([]byte{1}, 32)...))), 'Q', "does not lie in it"},
	}
}

// strangersChat puts a device into the session of another lead.
func (w *world) strangersChat() {
	e := w.first(tableDevice, func(e store.Entry) bool { return inAChat(w.deviceAtEntry(e)) })
	d := w.deviceAtEntry(e)
	chat := w.chatAt(w.first(tableChat, func(e store.Entry) bool {
		c := w.chatAt(e)
		return c.ended == 0 && !c.auth && c.id != d.chat
	}))
	d.chat = chat.id
	w.change(store.Entry{Key: e.Key, Value: d.encode()})
}

// secondGrave digs another for an ended Live Chat session.
func (w *world) secondGrave() {
	e := w.first(tableQueue, func(e store.Entry) bool { return e.Key[10] == dueGrave && len(e.Key) == queueSuffix+2+16+16 })
	deadline, kind, ref, err := parseQueueKey(e.Key)
	require.NoError(w.t, err)
	w.change(store.Entry{Key: queueKey(deadline+1, kind, ref), Value: present})
}
