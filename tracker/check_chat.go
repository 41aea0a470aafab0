package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// chatEntry: a Live Chat session of a person, with its cookies, and in the
// queue for its end or, after it, to be forgotten.
func (c *checker) chatEntry(e store.Entry) error {
	if !c.sized(e.Key, idKeySize) {
		return nil
	}
	a, i := keyAccount(e.Key), keyID(e.Key, 3)
	chat, err := decodeChat(a, i, e.Value)
	if !c.decoded(err) {
		return nil
	}
	p, err := c.profile(a, chat.profile)
	if err != nil {
		return err
	}
	if p == nil || p.kind == kindVisitor || !p.mergedInto.zero() && chat.ended == 0 {
		c.wrong("a Live Chat session of nobody")
	}
	if err := c.must(referenceKey(a, chat.profile, tableChat, i[:]), "a Live Chat session that is not referenced by profile %s", chat.profile); err != nil {
		return err
	}
	for _, cookie := range chat.cookies {
		record, err := look(c, hashKey(tableCookie, a, cookie.hash), decodeCookieRecord)
		if err != nil {
			return err
		}
		if record == nil || record.chat != i || (record.ended != 0) != (chat.ended != 0) {
			c.wrong("a Live Chat session one of whose cookies says something else")
		}
	}
	if chat.ended != 0 {
		c.endedSeen++
		return c.buried(chat)
	}
	lifetime := c.opts.ChatSessionTTL
	if chat.auth {
		lifetime = c.opts.AuthSessionTTL
	}
	if lifetime != 0 {
		c.onTime(chat.queued, chat.until+lifetime.Milliseconds(), "Live Chat session")
	}
	return c.must(queueKey(chat.queued, dueChat, idRef(a, i)), "a Live Chat session that is not in the queue")
}

func decodeCookieRecord(value []byte) (*cookieRecord, error) {
	record, err := decodeCookie(value)
	return &record, err
}

// buried: an ended session is forgotten 400 days after its end was found out,
// which may be later than it ended. Records of earlier versions do not say when.
func (c *checker) buried(ended *chat) error {
	if ended.grave != 0 {
		return c.must(chatGraveKey(ended), "an ended Live Chat session that is not forgotten 400 days later")
	}
	ref := append(idRef(ended.account, ended.id), ended.id[:]...)
	from, to := queueRange(shardOf(ref), ended.ended+tombstoneLife.Milliseconds(), max(c.now, ended.ended)+tombstoneLife.Milliseconds()+1)
	for {
		page, err := c.Scan(store.Range{From: from, To: to, Limit: checkPage, KeysOnly: true})
		if err != nil {
			return err
		}
		for _, e := range page {
			if _, kind, of, err := parseQueueKey(e.Key); err == nil && kind == dueGrave && string(of) == string(ref) {
				return nil
			}
		}
		if len(page) < checkPage {
			c.wrong("an ended Live Chat session that is not forgotten 400 days later")
			return nil
		}
		from = append(page[len(page)-1].Key, 0)
	}
}

// cookieEntry: a cookie value stands for a session that knows it, or for none
// any more until it is forgotten.
func (c *checker) cookieEntry(e store.Entry) error {
	if !c.sized(e.Key, 3+len(digest{})) {
		return nil
	}
	record, err := decodeCookie(e.Value)
	if !c.decoded(err) {
		return nil
	}
	a, hash := keyAccount(e.Key), digest(e.Key[3:])
	if record.ended != 0 {
		ref := append(idRef(a, record.chat), hash[:]...)
		return c.must(queueKey(record.ended+tombstoneLife.Milliseconds(), dueGrave, ref), "an ended cookie that is not forgotten 400 days later")
	}
	of, err := c.chat(a, record.chat)
	if err != nil {
		return err
	}
	switch {
	case of == nil:
		c.wrong("a cookie of Live Chat session %s, which is not there", record.chat)
	case !slices.ContainsFunc(of.cookies, func(k chatCookie) bool { return k.hash == hash }):
		c.wrong("a cookie of Live Chat session %s, which does not know it", record.chat)
	}
	return nil
}
