package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of one updatePerson call. Together with maxAttributes they keep what
// it writes below what a store transaction takes.
const (
	maxPersonBytes    = 64 << 10
	maxContacts       = 100 // e-mails, and phones
	maxTags           = 128
	maxTagChars       = 256
	maxAttributeChars = 4096
	// maxListsCleared: a list has up to 128 items (B24), each stored by itself.
	maxListsCleared = 4
	// maxWarnings bounds what is said of ignored names: there may be thousands.
	maxWarnings = 32
)

var errItemTooLarge = fmt.Errorf("the item is longer than %d characters of JSON", maxAttributeChars)

// PersonUpdate is a checked updatePerson call (B23). What is absent is kept.
type PersonUpdate struct {
	// Set holds new values of scalar properties under the specification's
	// names, each a canonical JSON string.
	Set map[string]json.RawMessage
	// Clear names scalar properties given as null or as an empty string.
	Clear []string

	Tags      []string // to append, without duplicates
	ClearTags bool

	Emails      []string // to append, trimmed, without duplicates by EmailKey
	Phones      []string // to append, digits, without duplicates
	ClearEmails bool
	ClearPhones bool

	// Attributes holds new values of custom attributes, none of them lists, as
	// canonical JSON by the name they were defined under.
	Attributes map[string]json.RawMessage
	// ClearAttributes names custom attributes, lists among them, under the name
	// they were defined under.
	ClearAttributes []string
}

// ParsePerson judges an updatePerson call (B23). The error's text is the
// reason for the SDK's message and names the first property at fault.
func (s *Schema) ParsePerson(dto json.RawMessage) (*PersonUpdate, []Warning, error) {
	if len(dto) == 0 {
		return nil, nil, errors.New("the person is missing")
	}
	if len(dto) > maxPersonBytes {
		return nil, nil, fmt.Errorf("the person is larger than %d bytes", maxPersonBytes)
	}
	p := &personParser{
		schema: s,
		dec:    newDecoder(dto),
		update: &PersonUpdate{Set: map[string]json.RawMessage{}, Attributes: map[string]json.RawMessage{}},
	}
	err := eachMember(p.dec, func(name string) error { return within(p.property(name), name) })
	if err == nil {
		err = atEnd(p.dec)
	}
	if err != nil {
		return nil, nil, rooted(err, "the person")
	}
	return p.update, p.warnings.list(), nil
}

type personParser struct {
	schema   *Schema
	dec      *jsontext.Decoder
	update   *PersonUpdate
	warnings warnings

	listsCleared int
}

func (p *personParser) property(name string) error {
	if check, ok := scalars[name]; ok {
		return p.scalar(name, check)
	}
	switch name {
	case "tags":
		return p.orNull(func() { p.update.ClearTags = true }, p.tags)
	case "contactInformation":
		return p.orNull(func() { p.update.ClearEmails, p.update.ClearPhones = true, true }, p.contacts)
	case "customAttributes":
		if p.isNull() {
			return p.clearAllAttributes()
		}
		return eachMember(p.dec, func(attr string) error { return within(p.attribute(attr), attr) })
	}
	return p.ignore(name)
}

func (p *personParser) scalar(name string, check func(string) (string, error)) error {
	if p.isNull() {
		p.update.Clear = append(p.update.Clear, name)
		return p.skip()
	}
	text, err := readString(p.dec, "a string")
	if err != nil {
		return err
	}
	if text == "" { // what an emptied form field sends
		p.update.Clear = append(p.update.Clear, name)
		return nil
	}
	if text, err = check(text); err != nil {
		return err
	}
	p.update.Set[name], err = jsontext.AppendQuote(nil, text)
	return err
}

func (p *personParser) tags() error {
	return eachElement(p.dec, func(i int) error {
		if i == maxTags {
			return faultf("is one too many, at most %d tags are possible in a call", maxTags)
		}
		tag, err := readString(p.dec, "a string")
		if err != nil {
			return err
		}
		if tag == "" {
			return faultf("is empty")
		}
		if _, err := atMost(maxTagChars)(tag); err != nil {
			return err
		}
		if !slices.Contains(p.update.Tags, tag) {
			p.update.Tags = append(p.update.Tags, tag)
		}
		return nil
	})
}

func (p *personParser) contacts() error {
	return eachMember(p.dec, func(name string) error {
		var err error
		switch name {
		case "email":
			err = p.orNull(func() { p.update.ClearEmails = true }, func() error {
				p.update.Emails, err = p.contactList("email", "address", canonicalEmail, EmailKey)
				return err
			})
		case "phone":
			err = p.orNull(func() { p.update.ClearPhones = true }, func() error {
				p.update.Phones, err = p.contactList("phone", "number", canonicalPhone, PhoneKey)
				return err
			})
		default:
			err = p.ignore("contactInformation." + name)
		}
		return within(err, name)
	})
}

// contactList reads an array of objects with one member of interest.
func (p *personParser) contactList(kind, member string, canonical func(string) (string, error), key func(string) string) ([]string, error) {
	var contacts []string
	seen := map[string]struct{}{}
	err := eachElement(p.dec, func(i int) error {
		if i == maxContacts {
			return faultf("is one too many, at most %d are possible in a call", maxContacts)
		}
		contact := ""
		err := eachMember(p.dec, func(name string) error {
			if name != member {
				return p.ignore("contactInformation." + kind + index(i) + "." + name)
			}
			text, err := readString(p.dec, "a string")
			if err == nil {
				contact, err = canonical(text)
			}
			return within(err, name)
		})
		if err != nil {
			return err
		}
		if contact == "" {
			return faultf("has no %s", member)
		}
		if _, twice := seen[key(contact)]; !twice {
			seen[key(contact)] = struct{}{}
			contacts = append(contacts, contact)
		}
		return nil
	})
	return contacts, err
}

// orNull calls onNull for null, else read.
func (p *personParser) orNull(onNull func(), read func() error) error {
	if !p.isNull() {
		return read()
	}
	onNull()
	return p.skip()
}

func (p *personParser) isNull() bool { return p.dec.PeekKind() == jsontext.KindNull }

func (p *personParser) skip() error {
	if err := p.dec.SkipValue(); err != nil {
		return syntaxError(err)
	}
	return nil
}

// ignore passes over a property that pages may not update.
func (p *personParser) ignore(path string) error {
	p.warnings.add(Warning{Code: WarnIgnoredProperty, Message: "property " + quoted(path) + " cannot be updated and was ignored"})
	return p.skip()
}

// warnings keeps the first few and counts the rest.
type warnings struct {
	kept []Warning
	more int
}

func (w *warnings) add(warning Warning) {
	if len(w.kept) == maxWarnings {
		w.more++
		return
	}
	w.kept = append(w.kept, warning)
}

func (w *warnings) list() []Warning {
	if w.more == 0 {
		return w.kept
	}
	message := fmt.Sprintf("%d more properties were ignored", w.more)
	return append(w.kept, Warning{Code: WarnIgnoredProperty, Message: message})
}
