package tracker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// The sizes of a page of persons.
const (
	defaultPersons = 50
	mostPersons    = 100
	// maxLive bounds how many persons with an open session are sorted by their
	// last activity, those first who began or were looked at by the sweeper last.
	// Others are listed when their session is over.
	maxLive = 5 * store.MaxScan
)

// reading is one query's view of the store.
type reading struct {
	*Service
	store.Reader
	account Account
}

// title is the display name of an event.
func (r *reading) title(definition string) string {
	config, ok := r.configOf(r.account)
	if !ok {
		return definition
	}
	return config.Schema.Title(definition)
}

func (s *Service) read(ctx context.Context, a Account, fn func(*reading) error) error {
	return s.store.View(ctx, func(r store.Reader) error {
		return fn(&reading{Service: s, Reader: r, account: a})
	})
}

// Person is a lead or authenticated person with all properties.
func (s *Service) Person(ctx context.Context, a Account, personID string) (person Person, err error) {
	err = s.read(ctx, a, func(r *reading) error {
		p, err := r.person(personID)
		if err != nil {
			return err
		}
		if err := r.expectPortraits([]*profile{p}); err != nil {
			return err
		}
		person, err = r.portray(p)
		return err
	})
	return person, err
}

// person finds a live person's hot record; a visitor is none (B16).
func (r *reading) person(personID string) (*profile, error) {
	i, ok := parseID(personID)
	if !ok {
		return nil, ErrNotFound
	}
	p, err := r.hot(i)
	if err != nil {
		return nil, err
	}
	if p == nil || !p.person() {
		return nil, ErrNotFound
	}
	return p, nil
}

func (r *reading) hot(i id) (*profile, error) {
	return readProfile(r, r.account, i)
}

// portray fills in everything that is known of a person.
func (r *reading) portray(p *profile) (Person, error) {
	person := Person{
		ID: p.id.String(), Type: p.platformType(),
		CreatedAt: fromMillis(p.created), ModifiedAt: fromMillis(p.modified),
		SubjectType: p.subjectType, Subject: p.subject,
		Active: !p.open.id.zero() && p.open.last+r.timeout > millis(r.now()),
	}
	if p.activity != 0 {
		last := fromMillis(p.activity)
		person.LastActivityAt = &last
	}
	if p.subjectType == "externalPersonId" {
		person.ExternalID = p.subject
	}
	held, err := r.propertiesOf(p)
	if err != nil {
		return Person{}, err
	}
	for name, value := range held.fields {
		if err := person.take(name, value); err != nil {
			return Person{}, err
		}
	}
	if err := person.takeLists(held.items); err != nil {
		return Person{}, err
	}
	person.Links, err = r.links(p)
	return person, err
}

// scanAll reads everything under a prefix that is bounded by its nature.
func (r *reading) scanAll(prefix []byte) ([]store.Entry, error) { return scanSome(r, prefix, 0) }

// take puts one stored property where it belongs.
func (p *Person) take(name string, value []byte) error {
	if attribute, custom := strings.CutPrefix(name, customField); custom {
		if p.CustomAttributes == nil {
			p.CustomAttributes = map[string]json.RawMessage{}
		}
		p.CustomAttributes[attribute] = value
		return nil
	}
	var err error
	switch into := p.scalar(name); {
	case into != nil:
		err = json.Unmarshal(value, into)
	case name == fieldTags:
		err = json.Unmarshal(value, &p.Tags)
	case name == fieldEmail || name == fieldPhone:
		err = p.takeContacts(name, value)
	}
	if err != nil {
		return fmt.Errorf("reading property %s: %w", name, err)
	}
	return nil
}

// scalar is where a property of one text belongs, nil for any other.
func (p *Person) scalar(name string) *string {
	switch name {
	case "firstName":
		return &p.FirstName
	case "middleName":
		return &p.MiddleName
	case "lastName":
		return &p.LastName
	case "address":
		return &p.Address
	case "city":
		return &p.City
	case "country":
		return &p.Country
	case "birthDate":
		return &p.BirthDate
	case "gender":
		return &p.Gender
	case "preferredLanguage":
		return &p.PreferredLanguage
	case "profilePicture":
		return &p.ProfilePicture
	}
	return nil
}

func (p *Person) takeContacts(name string, value []byte) error {
	var contacts []string
	if err := json.Unmarshal(value, &contacts); err != nil {
		return err
	}
	if p.ContactInformation == nil {
		p.ContactInformation = &ContactInformation{}
	}
	for _, c := range contacts {
		if name == fieldEmail {
			p.ContactInformation.Email = append(p.ContactInformation.Email, EmailContact{Address: c})
		} else {
			p.ContactInformation.Phone = append(p.ContactInformation.Phone, PhoneContact{Number: c})
		}
	}
	return nil
}

// takeLists takes the list attributes, each item with its id, in order.
func (p *Person) takeLists(items map[string][]json.RawMessage) error {
	for name, group := range items {
		value, err := json.Marshal(group)
		if err != nil {
			return fmt.Errorf("reading list %s: %w", name, err)
		}
		if p.CustomAttributes == nil {
			p.CustomAttributes = map[string]json.RawMessage{}
		}
		p.CustomAttributes[name] = value
	}
	return nil
}

// withID puts the item's id first into its JSON object.
func withID(i id, object []byte) json.RawMessage {
	out := fmt.Appendf(nil, `{"__id":%q`, i.String())
	if len(object) > 2 {
		out = append(out, ',')
		return append(out, object[1:]...)
	}
	return append(out, '}')
}

// hidden says that a profile, or whom it became part of, was erased (B33).
func (r *reading) hidden(i id) (bool, error) {
	for !i.zero() {
		p, err := r.hot(i)
		if err != nil || p == nil || p.erasing != 0 {
			return true, err
		}
		i = p.mergedInto
	}
	return false, nil
}

func (r *reading) links(p *profile) ([]Link, error) {
	if !p.extras.may(extraLinks) {
		return []Link{}, nil
	}
	entries, err := r.scanAll(idKey(tableLink, p.account, p.id))
	if err != nil {
		return nil, err
	}
	links := make([]Link, 0, len(entries))
	for _, entry := range entries {
		l, err := decodeLink(entry.Value)
		if err != nil {
			return nil, err
		}
		if hidden, err := r.hidden(lastID(entry.Key)); err != nil {
			return nil, err
		} else if hidden {
			continue
		}
		link := Link{PersonID: lastID(entry.Key).String(), Reason: l.reason, At: fromMillis(l.at)}
		if !l.merge.zero() {
			link.MergeID = l.merge.String()
		}
		links = append(links, link)
	}
	return links, nil
}

// Persons lists persons, newest activity first, or searches them.
func (s *Service) Persons(ctx context.Context, a Account, q PersonQuery) (found PersonPage, err error) {
	if q.Limit <= 0 || q.Limit > mostPersons {
		q.Limit = defaultPersons
	}
	err = s.read(ctx, a, func(r *reading) error {
		found = PersonPage{}
		var profiles []*profile
		var err error
		if text := searchWords(q.Text); len(text) > 0 {
			profiles, found.Next, found.Partial, err = r.search(text, q, usualEffort)
		} else {
			profiles, found.Next, err = r.list(q)
		}
		if err != nil {
			return err
		}
		if err := r.expectPortraits(profiles); err != nil {
			return err
		}
		for _, p := range profiles {
			person, err := r.portray(p)
			if err != nil {
				return err
			}
			found.Persons = append(found.Persons, person)
		}
		return nil
	})
	return found, err
}
