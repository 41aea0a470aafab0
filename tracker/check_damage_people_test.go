package tracker

import (
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// damagedAccounts are those of the tables about the store itself and its accounts.
func damagedAccounts() map[string]damage {
	return map[string]damage{
		"unknown table": {strayKeys([]byte("!x")), '!', "no table of this version"},
		"layout's key":  {strayKeys([]byte("Zz")), 'Z', "2 bytes instead of 1"},

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
	}
}

// damagedPeople are those of profiles.
func damagedPeople() map[string]damage {
	return map[string]damage{
		"kind of a profile":             {profileDamage(aLead, func(p *profile) { p.kind = 7 }), 'P', "no known kind"},
		"listed visitor":                {profileDamage(aVisitor, func(p *profile) { p.listed = listedIdle }), 'P', "a visitor that stands in the list"},
		"merged person":                 {profileDamage(authenticated, func(p *profile) { p.mergedInto = nobody }), 'P', "a person who authenticated and was merged"},
		"visitor without a device":      {profileDamage(aVisitor, func(p *profile) { p.device, p.within = nobody, nil }), 'P', "a visitor without a device"},
		"visitor's record is nowhere":   {func(w *world) { w.placeVisitor(nobody) }, 'P', "whose record is not with device"},
		"visitor of another's device":   {func(w *world) { w.strayVisitor() }, 'P', "the device of this visitor is somebody else's"},
		"visitor that never expires":    {profileDamage(aVisitor, func(p *profile) { p.expiry = 0 }), 'P', "never expires"},
		"visitor's deadline":            {lost(tableQueue, dueFor(dueVisitor)), 'P', "a visitor whose deadline is not in the queue"},
		"merged into nobody":            {profileDamage(aMerged, func(p *profile) { p.mergedInto = nobody }), 'P', "who is no person"},
		"merged with a deadline":        {profileDamage(aMerged, func(p *profile) { p.expiry = 5 }), 'P', "a merged visitor with a deadline"},
		"merged and unknown":            {lost(tableMember, nil), 'P', "a merged visitor of whom"},
		"listed elsewhere":              {profileDamage(aLead, func(p *profile) { p.listing++ }), 'P', "a person listed in state"},
		"not listed":                    {lost(tableListing, nil), 'P', "a person who is missing in the list"},
		"subject of somebody else":      {profileDamage(authenticated, func(p *profile) { p.subject = "other@example.com" }), 'P', "whose subject leads elsewhere"},
		"subject without a reference":   {lost(tableReference, func(e store.Entry) bool { return e.Key[19] == tableSubject }), 'P', "without the reference to the subject"},
		"subject not indexed":           {lost(tableSearch, func(e store.Entry) bool { return e.Key[3] == searchSubject }), 'P', "not found by field 'x'"},
		"open session without a record": {profileDamage(withASession, func(p *profile) { p.open.id = nobody }), 'P', "has no record"},
		"open session of a stranger":    {profileDamage(withASession, func(p *profile) { p.open.home = nobody }), 'P', "who has nothing to do with it"},
		"open session not in the queue": {lost(tableQueue, dueFor(dueSession)), 'P', "is not in the queue"},
		"open session that has ended":   {sessionDamage(goingOn, func(s *session) { s.end = s.last }), 'P', "has ended"},
		"open session with a campaign":  {sessionDamage(goingOn, func(s *session) { s.utm.source = "news" }), 'P', "holds more than its profile knows of"},
	}
}

// damagedProperties are those of what is known of a person, and of what leads to it.
func damagedProperties() map[string]damage {
	const a = DefaultAccount
	return map[string]damage{
		"property of nobody": {func(w *world) { w.change(store.Entry{Key: attributeKey(a, nobody, "city"), Value: []byte(`"x"`)}) }, 'A', "stands under no person"},
		"property that is no JSON": {func(w *world) {
			e := w.first(tableAttribute, nil)
			w.change(store.Entry{Key: e.Key, Value: []byte("{")})
		}, 'A', "is no JSON"},
		"property of another type": {func(w *world) {
			w.change(store.Entry{Key: attributeKey(a, w.firstProfile(aLead).id, "city"), Value: []byte(`7`)})
		}, 'A', "not of its type"},
		"property without a name": {strayKeys(idKey(tableAttribute, a, nobody)), 'A', "before the name"},
		"property not indexed":    {lost(tableSearch, func(e store.Entry) bool { return e.Key[3] == searchTag }), 'A', "not found by field 't'"},
		"item of nobody": {func(w *world) {
			w.change(store.Entry{Key: itemKey(a, nobody, "category", 1, nobody), Value: []byte(`{}`)})
		}, 'I', "stands under no person"},
		"item that is no object":  {func(w *world) { e := w.first(tableItem, nil); w.change(store.Entry{Key: e.Key, Value: []byte("5")}) }, 'I', "no JSON object"},
		"item's key":              {strayKeys(idKey(tableItem, a, nobody)), 'I', "malformed"},
		"item unknown":            {noExtras(tableItem), 'I', "of which the person does not know"},
		"link unknown":            {noExtras(tableLink), 'K', "a link of which"},
		"link of one side":        {lost(tableLink, nil), 'K', "does not know"},
		"link of nobody":          {strayKeys(pairKey(tableLink, a, nobody, pattern(1))), 'K', "stands under no person"},
		"reference of nobody":     {strayKeys(referenceKey(a, nobody, tableDevice, nobody[:])), 'X', "a reference of no profile"},
		"reference to nothing":    {func(w *world) { strayKeys(referenceKey(a, w.firstProfile(aLead).id, tableDevice, nobody[:]))(w) }, 'X', "that is not there"},
		"reference to a stranger": {func(w *world) { w.strayReference() }, 'X', "does not name the profile"},
		"subject of nobody": {func(w *world) {
			e := w.first(tableSubject, nil)
			w.change(store.Entry{Key: subjectKey(a, "email", "x"), Value: e.Value})
		}, 'U', "who did not authenticate as it"},
		"listed and gone":            {strayKeys(listingKey(a, TypeLead, listedIdle, 5, nobody)), 'L', "no person's entry"},
		"listed twice":               {func(w *world) { strayKeys(listingKey(a, TypeLead, listedIdle, 5, w.firstProfile(aLead).id))(w) }, 'L', "in another place"},
		"index of nobody":            {strayKeys(searchKey(a, searchFirst, "x", nobody)), 'N', "no person's index entry"},
		"index of what is not there": {func(w *world) { strayKeys(searchKey(a, searchLast, "secret-name", w.firstProfile(aLead).id))(w) }, 'N', "does not have"},
		"index of another word": {func(w *world) {
			e := w.first(tableSearch, func(e store.Entry) bool { return e.Key[3] == searchTag })
			w.change(store.Entry{Key: e.Key}, store.Entry{Key: searchKey(a, searchTag, "other", lastID(e.Key)), Value: present})
		}, 'N', "does not have"}, // as many as there should be
		"index of an unknown field": {strayKeys(searchKey(a, '!', "x", nobody)), 'N', "unknown field"},
		"invalidation's key":        {strayKeys(accountKey(tableInvalid, a, 0)), 'Y', "malformed"},
		"client id's key":           {strayKeys([]byte{tableDedupe, 0, 1, 0, 1}), 'D', "before the client id"},
	}
}

// strayVisitor gives a visitor's device to another visitor, in the record of
// the other.
func (w *world) strayVisitor() {
	one := w.firstProfile(aVisitor)
	other := w.firstProfile(func(p *profile) bool { return aVisitor(p) && p.id != one.id })
	other.device, other.within = one.device, nil
	w.putProfile(other)
}

// placeVisitor says that a visitor's record is with another device.
func (w *world) placeVisitor(device id) {
	v := w.firstProfile(aVisitor)
	w.change(store.Entry{Key: idKey(tableProfile, v.account, v.id), Value: visitorPlace(device)})
}

// strayReference lets a profile refer to a device that never was its.
func (w *world) strayReference() {
	lead := w.firstProfile(aLead)
	e := w.first(tableDevice, func(e store.Entry) bool {
		return !slices.ContainsFunc(w.deviceAtEntry(e).epochs, func(ep epoch) bool { return ep.profile == lead.id })
	})
	i := lastID(e.Key)
	w.change(store.Entry{Key: referenceKey(lead.account, lead.id, tableDevice, i[:]), Value: present})
}

// noExtras makes the person of the first entry of a table deny that there is any.
func noExtras(table byte) func(*world) {
	return func(w *world) {
		of := keyID(w.first(table, nil).Key, 3)
		p := w.firstProfile(func(p *profile) bool { return p.id == of })
		p.extras = extrasNoted
		w.putProfile(p)
	}
}
