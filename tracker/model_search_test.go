package tracker

import (
	"encoding/json"
	"slices"
	"strings"
)

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
