package tracker

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// held is what is known of a person: properties by their field, and the items
// of list attributes.
type held struct {
	fields map[string][]byte
	items  map[string][]json.RawMessage
}

// hiddenField marks a property that was cleared while the person had absorbed
// leads: theirs is not to take its place.
const hiddenField = "!"

// propertiesOf reads a person's own properties, and behind them those of the
// leads that are part of it, the latest first: what the person does not say of
// itself they say, and tags, contacts and list items come together. Nothing is
// copied, so that each of them has its own again when the merge is undone (B18).
func (r *reading) propertiesOf(p *profile) (held, error) {
	h := held{fields: map[string][]byte{}, items: map[string][]json.RawMessage{}}
	parts, err := r.partsOf(p)
	if err != nil {
		return h, err
	}
	for _, part := range parts {
		cleared, err := r.addProperties(h, part)
		if err == nil && (part != p.id || p.extras.may(extraItems)) {
			err = r.addItems(h, part, cleared)
		}
		if err != nil {
			return h, err
		}
	}
	return h, nil
}

// partsOf are a person and the leads that are part of it, the latest first, who
// have properties of their own.
func (r *reading) partsOf(p *profile) ([]id, error) {
	parts := []id{p.id}
	if p.absorbed == 0 {
		return parts, nil
	}
	members, err := membersOf(r, p.account, p.id, 0)
	for _, m := range members {
		if m.lead {
			parts = append(parts, m.visitor)
		}
	}
	return parts, err
}

// addProperties returns what was cleared by those who were read before.
func (r *reading) addProperties(h held, of id) (cleared map[string]bool, err error) {
	prefix := idKey(tableAttribute, r.account, of)
	entries, err := r.scanAll(prefix)
	if err != nil {
		return nil, err
	}
	for name := range h.fields {
		if name[0] == hiddenField[0] {
			if cleared == nil {
				cleared = map[string]bool{}
			}
			cleared[name] = true
		}
	}
	for _, entry := range entries {
		name := string(entry.Key[len(prefix):])
		if cleared[hiddenField+name] {
			continue
		}
		if h.fields[name], err = joined(name, h.fields[name], entry.Value); err != nil {
			return nil, fmt.Errorf("reading property %s: %w", name, err)
		}
	}
	return cleared, nil
}

func (r *reading) addItems(h held, of id, cleared map[string]bool) error {
	prefix := idKey(tableItem, r.account, of)
	items, err := r.scanAll(prefix)
	if err != nil {
		return err
	}
	for _, item := range items {
		rest := item.Key[len(prefix):]
		const tail = 1 + 8 + 16
		if len(rest) < tail {
			return fmt.Errorf("list item: %w", errMalformed)
		}
		name := string(rest[:len(rest)-tail])
		if !cleared[hiddenField+customField+name] {
			h.items[name] = append(h.items[name], withID(lastID(item.Key), item.Value))
		}
	}
	return nil
}

// sameValue says by what two values of a list property are told apart, nil for
// any other property.
func sameValue(name string) func(string) string {
	switch name {
	case fieldTags:
		return func(s string) string { return s }
	case fieldEmail:
		return schema.EmailKey
	case fieldPhone:
		return schema.PhoneKey
	}
	return nil
}

// joined is one property of two: the first, or both where it is a list.
func joined(name string, first, second []byte) ([]byte, error) {
	if first == nil {
		return second, nil
	}
	same := sameValue(name)
	if same == nil {
		return first, nil
	}
	var have, more []string
	if err := json.Unmarshal(first, &have); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(second, &more); err != nil {
		return nil, err
	}
	for _, v := range more {
		if !slices.ContainsFunc(have, func(h string) bool { return same(h) == same(v) }) {
			have = append(have, v)
		}
	}
	return json.Marshal(have)
}
