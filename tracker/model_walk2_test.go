package tracker

import (
	"encoding/json"
	"slices"
	"strings"
)

// walkQueue: one deadline for each thing that has one, and no other.
func (k *walk) walkQueue() {
	want := map[string]string{}
	late := func(queued, end int64, what string) {
		if queued > end && queued > k.now {
			k.failf("%s is queued for %d, after its deadline %d", what, queued, end)
		}
		if k.swept && queued <= k.now {
			k.failf("%s was due at %d, and the sweeper ran at %d", what, queued, k.now)
		}
	}
	for i, p := range k.profiles {
		ref := idRef(DefaultAccount, i)
		if p.kind == kindVisitor && p.mergedInto.zero() {
			want[string(queueKey(p.expiry, dueVisitor, ref))] = "visitor " + i.String()
		}
		if !p.open.id.zero() {
			want[string(queueKey(p.open.queued, dueSession, ref))] = "open session of " + i.String()
			late(p.open.queued, p.open.last+k.timeout, "the open session of "+i.String())
		}
	}
	for i, s := range k.sessions {
		if s.late && s.end == 0 {
			want[string(queueKey(s.queued, dueLate, lateRef(s)))] = "late session " + i.String()
			late(s.queued, s.due, "late session "+i.String())
		}
	}
	for i, c := range k.chats {
		ref := idRef(DefaultAccount, i)
		if c.ended == 0 {
			lasts := oLeadLasts
			if c.auth {
				lasts = oAuthLasts
			}
			want[string(queueKey(c.queued, dueChat, ref))] = "chat " + i.String()
			late(c.queued, c.until+lasts, "chat "+i.String())
		} else {
			want[k.grave(c.ended, append(ref, i[:]...))] = "ended chat " + i.String()
		}
	}
	for key, value := range k.keys[tableCookie] {
		record, err := decodeCookie(value)
		if err != nil {
			k.failf("cookie: %v", err)
		} else if record.ended != 0 {
			want[k.grave(record.ended, append(idRef(DefaultAccount, record.chat), key[3:]...))] = "ended cookie"
		}
	}
	k.same(tableQueue, want)
}

// grave is the one entry of the queue for what ended, 400 days after that was
// found out.
func (k *walk) grave(ended int64, ref []byte) string {
	found := ""
	for key := range k.keys[tableQueue] {
		deadline, kind, of, err := parseQueueKey([]byte(key))
		if err == nil && kind == dueGrave && string(of) == string(ref) && deadline >= ended+400*oDay && deadline <= k.now+400*oDay {
			found = key
		}
	}
	if found == "" {
		k.failf("what ended at %d (%x) is not forgotten 400 days later", ended, ref)
		return string(queueKey(ended+400*oDay, dueGrave, ref))
	}
	return found
}

// walkDevices: cookies and boots lead to devices, devices to profiles.
func (k *walk) walkDevices() {
	tokens := map[string]string{}
	for i, d := range k.devices {
		for _, token := range d.tokens {
			tokens[string(hashKey(tableToken, DefaultAccount, token))] = "device " + i.String()
		}
		current := d.current()
		if current == nil || k.profiles[current.profile] == nil {
			k.failf("device %s has no profile", i)
			continue
		}
		if !d.successor.zero() {
			if k.devices[d.successor] == nil && !k.profiles[current.profile].mergedInto.zero() {
				k.failf("device %s leads to none", i)
			}
			continue
		}
		person := k.profiles[current.profile].kind != kindVisitor
		if chat := k.chats[d.chat]; person && chat == nil {
			k.failf("device %s is a person's without a Live Chat session", i)
		} else if !person && !d.chat.zero() {
			k.failf("device %s is a visitor's in a Live Chat session", i)
		} else if person && chat.ended == 0 && chat.profile != current.profile && !chat.auth {
			k.failf("device %s is not the profile of its session", i) // unless another device authenticated it
		}
		if !person && k.profiles[current.profile].device != i {
			k.failf("the visitor of device %s has another", i)
		}
		for n, ep := range d.epochs {
			if last := n == len(d.epochs)-1; last != (ep.to == 0) || (!last && d.epochs[n+1].from != ep.to) {
				k.failf("epochs of device %s leave a gap", i)
			}
		}
	}
	k.same(tableToken, tokens)
	for _, table := range []byte{tableToken, tableBoot} {
		for key, value := range k.keys[table] {
			if i, _, err := decodeDeviceReference(value); err != nil || k.devices[i] == nil {
				k.failf("table %c: %x leads to no device", table, key)
			}
		}
	}
}

// walkChats: cookies and Live Chat sessions know each other.
func (k *walk) walkChats() {
	known := map[string]bool{}
	for i, c := range k.chats {
		if p := k.profiles[c.profile]; p == nil || !p.person() {
			k.failf("chat %s is nobody's", i)
		}
		for _, cookie := range c.cookies {
			key := string(hashKey(tableCookie, DefaultAccount, cookie.hash))
			known[key] = true
			record, err := decodeCookie(k.keys[tableCookie][key])
			if err != nil || record.chat != i || (record.ended != 0) != (c.ended != 0) {
				k.failf("a cookie of chat %s says something else: %+v %v", i, record, err)
			}
		}
	}
	for key, value := range k.keys[tableCookie] {
		if record, err := decodeCookie(value); err != nil || (record.ended == 0 && !known[key]) {
			k.failf("cookie %x leads to chat %s, which does not know it", key, record.chat)
		}
	}
}

// walkSubjects: one person for each subject, and no other (B4).
func (k *walk) walkSubjects() {
	want := map[string]string{}
	for i, p := range k.profiles {
		if p.kind != kindAuthenticated {
			continue
		}
		key := string(subjectKey(DefaultAccount, p.subjectType, p.subject))
		if want[key] != "" {
			k.failf("subject %s has two persons", p.subject)
		}
		want[key] = "person " + i.String()
		if !strings.HasSuffix(string(k.keys[tableSubject][key]), string(i[:])) {
			k.failf("subject %s leads to another person", p.subject)
		}
		if k.keys[tableReference][string(referenceKey(DefaultAccount, i, tableSubject, []byte(key[3:])))] == nil {
			k.failf("the subject of %s is not referenced", i)
		}
	}
	k.same(tableSubject, want)
}

// walkSearch: the index holds the words of what is stored, and no others.
func (k *walk) walkSearch() {
	want := map[string]string{}
	add := func(p id, field byte, tokens ...string) {
		for _, token := range tokens {
			want[string(searchKey(DefaultAccount, field, token, p))] = "a property of " + p.String()
		}
	}
	email := func(p id, field byte, address string) {
		at := strings.Index(address, "@")
		add(p, field, address, address[:at], address[at+1:])
	}
	for key, value := range k.keys[tableAttribute] {
		var p id
		copy(p[:], key[3:])
		var text string
		var list []string
		if json.Unmarshal(value, &text) != nil {
			_ = json.Unmarshal(value, &list)
		}
		switch key[19:] {
		case "firstName":
			add(p, 'f', strings.Fields(strings.ToLower(text))...)
		case "tags":
			add(p, 't', list...)
		case "contactInformation.email":
			for _, address := range list {
				email(p, 'e', address)
			}
		}
	}
	for i, p := range k.profiles {
		switch p.subjectType {
		case "email":
			email(i, 'x', p.subject)
		case "msisdn":
			backwards := []byte(p.subject)
			slices.Reverse(backwards)
			add(i, 'x', p.subject)
			add(i, 'y', string(backwards))
		case "externalPersonId":
			add(i, 'x', p.subject)
		}
	}
	k.same(tableSearch, want)
}

// walkDefinitions: what is remembered of definitions stands under its own name.
func (k *walk) walkDefinitions() {
	for key, value := range k.keys[tableSchema] {
		shape, err := decodeShape(key[3] == 'e', value)
		if err != nil || key != string(definitionKey(DefaultAccount, shape)) {
			k.failf("definition %x reads %v, %v", key, shape, err)
		}
	}
}
