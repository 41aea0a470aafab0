package tracker

import "github.com/livechat-people/caddy-people-tracking/store"

// removal deletes an erased profile, one piece of at most maxExpire writes at
// a time. Every step deletes what it finds, so that the next piece begins where
// this one ended, whoever does it.
type removal struct {
	*work
	at   int64 // when the profile was erased
	left int   // writes that this piece may still do
}

// spend says whether n further writes fit into this piece. The first ones
// always do: nothing that is deleted in one go is larger than a piece may be.
func (r *removal) spend(n int) bool {
	if n > r.left && r.left < maxExpire {
		r.left = 0
		return false
	}
	r.left -= n
	return r.left >= 0 || n > maxExpire
}

// person removes a profile with everything that was merged into it; again says
// that another piece is needed. The record of the person goes last: it is what
// hides the others.
func (r *removal) person(i id) (again bool, err error) {
	p, err := r.load(i)
	if err != nil || p == nil {
		return false, err
	}
	m, entry, err := r.innermost(p.id)
	if err != nil {
		return false, err
	}
	if m == nil {
		done, err := r.profile(p)
		return !done, err
	}
	member, err := r.load(m.visitor)
	if err != nil {
		return false, err
	}
	if member != nil {
		if done, err := r.profile(member); err != nil || !done {
			return true, err
		}
	}
	a := p.account
	return true, r.remove(entry, idKey(tableMerge, a, m.id), pairKey(tableMergeOf, a, m.person, m.id))
}

// innermost is a merge of a person whose member has none itself: a lead that
// was absorbed brought members of its own. It is nil when there is no member;
// entry is its key among the members.
func (r *removal) innermost(person id) (found *merge, entry []byte, err error) {
	for {
		members, err := r.tx.Scan(prefixRange(idKey(tableMember, r.req.Account, person), 1))
		if err != nil || len(members) == 0 {
			return found, entry, err
		}
		if found, err = decodeMerge(members[0].Value); err != nil {
			return nil, nil, err
		}
		person, entry = found.visitor, members[0].Key
	}
}

// profile removes one profile, its own record last.
func (r *removal) profile(p *profile) (done bool, err error) {
	for _, step := range []func(*profile) (bool, error){
		r.references, r.properties, r.links, r.merges, r.timeline,
	} {
		if done, err := step(p); err != nil || !done {
			return false, err
		}
	}
	for _, e := range subjectEntries(p) {
		if err := r.tx.Delete(e.key(p.account, p.id)); err != nil {
			return false, err
		}
	}
	if !p.open.id.zero() {
		if err := r.tx.Delete(queueKey(p.open.queued, dueSession, idRef(p.account, p.id))); err != nil {
			return false, err
		}
	}
	return true, r.removeProfile(p)
}

// references removes what names the profile elsewhere: devices, Live Chat
// sessions and the subject somebody authenticated as.
func (r *removal) references(p *profile) (done bool, err error) {
	const most = 64
	for {
		entries, err := r.tx.Scan(prefixKeys(idKey(tableReference, p.account, p.id), most))
		if err != nil || len(entries) == 0 {
			return err == nil, err
		}
		for _, entry := range entries {
			if done, err := r.reference(p, entry.Key); err != nil || !done {
				return false, err
			}
			if err := r.tx.Delete(entry.Key); err != nil {
				return false, err
			}
		}
	}
}

func (r *removal) reference(p *profile, key []byte) (done bool, err error) {
	const kindAt = 3 + 16
	table, rest := key[kindAt], key[kindAt+1:]
	switch table {
	case tableDevice:
		return r.device(p, lastID(key))
	case tableChat:
		return r.chat(p, lastID(key))
	case tableSubject:
		return r.subject(p, append(accountKey(tableSubject, p.account, len(rest)), rest...))
	}
	return true, nil
}

// chat removes a Live Chat session; its cookies stay ended.
func (r *removal) chat(p *profile, i id) (done bool, err error) {
	c, err := r.loadChat(i)
	if err != nil || c == nil || c.profile != p.id {
		return true, err
	}
	if !r.spend(2*len(c.cookies) + 6) {
		return false, nil
	}
	for _, k := range c.cookies {
		if err := r.bury(c, k.hash); err != nil {
			return false, err
		}
	}
	ref := idRef(c.account, c.id)
	keys := [][]byte{idKey(tableChat, c.account, c.id), queueKey(c.queued, dueChat, ref), chatGraveKey(c)}
	if c.sid != "" {
		// The site's own name of the session. A token it invalidated is good for
		// an hour at most.
		if err := dropInvalidation(r.tx, invalidationKey(c.account, c.widget, c.sid)); err != nil {
			return false, err
		}
	}
	delete(r.chats, i)
	return true, r.remove(keys...)
}

// subject removes the index of an authenticated person, unless it leads to
// somebody who authenticated after the erasure.
func (r *removal) subject(p *profile, key []byte) (done bool, err error) {
	value, err := r.tx.Get(key)
	if err != nil || len(value) == 0 {
		return err == nil, err
	}
	var at id
	if err := decodeValue(value, func(f field) { at = f.id() }); err != nil {
		return false, err
	}
	if at != p.id {
		return true, nil
	}
	if !r.spend(2) {
		return false, nil
	}
	return true, r.tx.Delete(key)
}

// properties removes each property with its words in the search.
func (r *removal) properties(p *profile) (done bool, err error) {
	const most = 64
	prefix := idKey(tableAttribute, p.account, p.id)
	for {
		properties, err := r.tx.Scan(prefixRange(prefix, most))
		if err != nil || len(properties) == 0 {
			return err == nil, err
		}
		for _, property := range properties {
			found := attributeEntries(string(property.Key[len(prefix):]), property.Value)
			if !r.spend(len(found) + 1) {
				return false, nil
			}
			for _, e := range found {
				if err := r.tx.Delete(e.key(p.account, p.id)); err != nil {
					return false, err
				}
			}
			if err := r.tx.Delete(property.Key); err != nil {
				return false, err
			}
		}
	}
}

// rows removes every key that begins with prefix.
func (r *removal) rows(prefix []byte) (done bool, err error) {
	return r.each(prefixKeys(prefix, maxExpire), 1, func(e store.Entry) error { return r.tx.Delete(e.Key) })
}

// each calls fn, which does cost writes, for the entries of a range as long as
// they fit into this piece.
func (r *removal) each(of store.Range, cost int, fn func(store.Entry) error) (done bool, err error) {
	if r.left <= 0 {
		return false, nil
	}
	of.Limit = min(of.Limit, r.left/cost+1)
	entries, err := r.tx.Scan(of)
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		if !r.spend(cost) {
			return false, nil
		}
		if err := fn(entry); err != nil {
			return false, err
		}
	}
	return len(entries) < of.Limit, nil
}
