package tracker

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// The fields a property stands under besides the scalar ones, which have the
// names of the specification.
const (
	fieldTags   = "tags"
	fieldEmail  = "contactInformation.email"
	fieldPhone  = "contactInformation.phone"
	customField = "customAttributes." // followed by the attribute's name
)

// Bounds of what a person can collect, per list.
const (
	maxTags     = 128
	maxContacts = 100
	maxItems    = 128
	// maxListBytes keeps a list of tags or contacts within one value.
	maxListBytes = 60_000
)

const (
	onlyLeads       = "only profiles of type LEAD can be changed"
	visitorsCannot  = onlyLeads + "; this profile is a visitor's until a chat has started"
	customersCannot = onlyLeads + "; this one is an authenticated customer's"
)

// leadOf is the present profile of the call if the SDK may change it (B23, B24).
func (w *work) leadOf(call *Call, code int) (*profile, *CallError, error) {
	p, refusal, err := w.presentProfile(call)
	switch {
	case refusal != nil || err != nil:
		return nil, refusal, err
	case !p.person():
		return nil, NewCallError(code, visitorsCannot), nil
	case !p.updatable():
		return nil, NewCallError(code, customersCannot), nil
	}
	return p, nil, nil
}

// updatePerson changes properties of a lead: absent is kept, null is cleared,
// tags and contacts are appended without duplicates (B23). Nothing of a
// refused call is written.
func (w *work) updatePerson(call *Call) ([]Warning, *CallError, error) {
	update, ignored, err := w.account.Schema.ParsePerson(call.Params)
	if err != nil {
		return nil, NewCallError(CodeUpdatePerson, err.Error()), nil
	}
	p, refusal, err := w.leadOf(call, CodeUpdatePerson)
	if refusal != nil || err != nil {
		return nil, refusal, err
	}
	plan := &change{work: w, profile: p}
	if err := plan.collect(update); err != nil || plan.refusal != "" {
		if err != nil {
			return nil, nil, err
		}
		return nil, NewCallError(CodeUpdatePerson, plan.refusal), nil
	}
	if err := plan.write(); err != nil {
		return nil, nil, err
	}
	p.modified, p.dirty = millis(w.now), true
	return warningsOf(ignored), nil, nil
}

func warningsOf(ignored []schema.Warning) []Warning {
	warnings := make([]Warning, len(ignored))
	for i, warning := range ignored {
		warnings[i] = Warning(warning)
	}
	return warnings
}

// change gathers what an update writes, so that nothing is written before all
// of it has been found right.
type change struct {
	*work
	profile *profile
	puts    []put
	deletes [][]byte
	refusal string
}

type put struct{ key, value []byte }

func (c *change) collect(u *schema.PersonUpdate) error {
	for _, name := range sortedKeys(u.Set) {
		if err := c.scalar(name, u.Set[name]); err != nil {
			return err
		}
	}
	for _, name := range u.Clear {
		if err := c.scalar(name, nil); err != nil {
			return err
		}
	}
	lists := []listChange{
		{fieldTags, u.ClearTags, u.Tags, func(s string) string { return s }, maxTags, tagEntries},
		{fieldEmail, u.ClearEmails, u.Emails, schema.EmailKey, maxContacts, emailEntries},
		{fieldPhone, u.ClearPhones, u.Phones, schema.PhoneKey, maxContacts, phoneEntries},
	}
	for _, l := range lists {
		if !l.clear && len(l.add) == 0 {
			continue
		}
		if err := c.list(l); err != nil || c.refusal != "" {
			return err
		}
	}
	return c.attributes(u)
}

func (c *change) attributes(u *schema.PersonUpdate) error {
	for _, name := range sortedKeys(u.Attributes) {
		c.set(customField+name, u.Attributes[name])
	}
	for _, name := range u.ClearAttributes {
		c.set(customField+name, nil)
		items, err := c.tx.Scan(prefixKeys(itemPrefix(c.profile.account, c.profile.id, name), maxItems))
		if err != nil {
			return err
		}
		for _, item := range items {
			c.deletes = append(c.deletes, item.Key)
		}
	}
	return nil
}

func prefixKeys(prefix []byte, limit int) store.Range {
	r := prefixRange(prefix, limit)
	r.KeysOnly = true
	return r
}

// set puts one property, or deletes it when value is nil.
func (c *change) set(field string, value []byte) {
	key := attributeKey(c.profile.account, c.profile.id, field)
	if value == nil {
		c.deletes = append(c.deletes, key)
		c.hide(field)
		return
	}
	c.puts = append(c.puts, put{key, value})
}

// hide keeps what an absorbed lead says of a property from taking the place of
// what was cleared.
func (c *change) hide(field string) {
	if c.profile.absorbed > 0 {
		c.puts = append(c.puts, put{attributeKey(c.profile.account, c.profile.id, hiddenField+field), []byte("true")})
	}
}

// scalar sets or clears a property and, for names, its words in the search.
func (c *change) scalar(name string, value json.RawMessage) error {
	if field, searched := nameFields[name]; searched {
		before, err := c.read(name)
		if err != nil {
			return err
		}
		c.unindex(nameEntries(field, before))
		c.index(nameEntries(field, value))
	}
	c.set(name, value)
	return nil
}

func nameEntries(field byte, value []byte) []entry {
	var text string
	if len(value) == 0 || json.Unmarshal(value, &text) != nil {
		return nil
	}
	return entries(field, words(text))
}

func (c *change) read(field string) ([]byte, error) {
	return c.tx.Get(attributeKey(c.profile.account, c.profile.id, field))
}

func (c *change) index(found []entry) {
	for _, e := range found {
		c.puts = append(c.puts, put{e.key(c.profile.account, c.profile.id), present})
	}
}

func (c *change) unindex(found []entry) {
	for _, e := range found {
		c.deletes = append(c.deletes, e.key(c.profile.account, c.profile.id))
	}
}

// listChange is what an update says about tags, e-mails or phones.
type listChange struct {
	field string
	clear bool
	add   []string
	same  func(string) string // what makes two values the same
	most  int
	found func(string) []entry
}

// list appends what is not there yet, after clearing the list where the
// update says null.
func (c *change) list(l listChange) error {
	have, err := c.strings(l.field)
	if err != nil {
		return err
	}
	if l.clear {
		for _, v := range have {
			c.unindex(l.found(v))
		}
		have = nil
		c.hide(l.field)
	}
	for _, v := range l.add {
		if slices.ContainsFunc(have, func(h string) bool { return l.same(h) == l.same(v) }) {
			continue
		}
		have = append(have, v)
		c.index(l.found(v))
	}
	if len(have) == 0 {
		c.set(l.field, nil)
		return nil
	}
	encoded, err := json.Marshal(have)
	if err != nil {
		return fmt.Errorf("writing %s: %w", l.field, err)
	}
	if len(have) > l.most {
		c.refusal = fmt.Sprintf("%s: a person has at most %d", l.field, l.most)
	} else if len(encoded) > maxListBytes {
		c.refusal = fmt.Sprintf("%s: together longer than %d bytes", l.field, maxListBytes)
	}
	c.set(l.field, encoded)
	return nil
}

func (c *change) strings(field string) (have []string, err error) {
	value, err := c.read(field)
	if err != nil || len(value) == 0 {
		return nil, err
	}
	if err := json.Unmarshal(value, &have); err != nil {
		return nil, fmt.Errorf("reading %s: %w", field, err)
	}
	return have, nil
}

// write deletes first: a name that keeps a word has its token in both lists.
func (c *change) write() error {
	if err := c.remove(c.deletes...); err != nil {
		return err
	}
	for _, put := range c.puts {
		if err := c.tx.Put(put.key, put.value); err != nil {
			return err
		}
	}
	return nil
}

// appendToList adds an item to a list attribute of a lead (B24).
func (w *work) appendToList(call *Call) ([]Warning, *CallError, error) {
	var params struct {
		Attribute string          `json:"attributeName"`
		Value     json.RawMessage `json:"value"`
	}
	if err := strictly(call.Params, &params); err != nil {
		return nil, NewCallError(CodeAppendToList, "attributeName must be a string and value an object"), nil
	}
	item, err := w.account.Schema.CheckListItem(params.Attribute, params.Value)
	if err != nil {
		return nil, NewCallError(CodeAppendToList, err.Error()), nil
	}
	p, refusal, err := w.leadOf(call, CodeAppendToList)
	if refusal != nil || err != nil {
		return nil, refusal, err
	}
	attribute, _ := w.account.Schema.Attribute(params.Attribute)
	items, err := w.tx.Scan(prefixKeys(itemPrefix(p.account, p.id, attribute.Name), maxItems))
	if err != nil {
		return nil, nil, err
	}
	if len(items) >= maxItems {
		return nil, NewCallError(CodeAppendToList, fmt.Sprintf("%s: a list has at most %d items", attribute.Name, maxItems)), nil
	}
	if err := w.tx.Put(w.itemKey(p, attribute.Name, items), item); err != nil {
		return nil, nil, err
	}
	p.extras |= extraItems
	p.modified, p.dirty = millis(w.now), true
	return nil, nil, nil
}

// itemKey puts an item behind the ones that are there, also behind those of
// the same millisecond and of a clock that was ahead.
func (w *work) itemKey(p *profile, attribute string, items []store.Entry) []byte {
	at := millis(w.now)
	if len(items) > 0 {
		last := items[len(items)-1].Key
		at = max(at, timeOfItem(last)+1)
	}
	return itemKey(p.account, p.id, attribute, at, w.ids.id())
}

func sortedKeys(m map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
