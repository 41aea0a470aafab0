package console

import (
	"hash/fnv"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

const tints = 8 // colours of initials in the style sheet

// profile is a person as the pages show it.
type profile struct {
	ID, Path     string // Path is the id as a segment of an address
	Name         string // the best there is, never ""
	Named        bool   // false: Name is a stand-in
	Initials     string // "" when there is no name to take them from
	Tint         int
	Type         string // Lead or Customer
	Customer     bool
	Active       bool
	Contacts     []string // those of the list's second line
	Place        string
	Tags         []string
	LastActivity *moment
	Since        moment // Created, the day alone
	Created      moment
	Modified     moment

	Identity   *field // how the person authenticated
	Properties []field
	Emails     []string
	Phones     []string
	Picture    *field
	Attributes []field
	Lists      []table
	Links      []link
}

type link struct {
	ID, Path, Reason string
	At               moment
}

func (c clock) profile(p tracker.Person) profile {
	view := profile{
		ID: p.ID, Path: url.PathEscape(p.ID), Type: "Lead", Customer: p.Type == tracker.TypeCustomer, Active: p.Active,
		Tint: tint(p.ID), Place: join(", ", p.City, p.Country), Tags: p.Tags,
		Since: c.date(p.CreatedAt), Created: c.at(p.CreatedAt), Modified: c.at(p.ModifiedAt),
	}
	if view.Customer {
		view.Type = "Customer"
	}
	if p.LastActivityAt != nil {
		last := c.ago(*p.LastActivityAt)
		view.LastActivity = &last
	}
	if p.ContactInformation != nil {
		for _, email := range p.ContactInformation.Email {
			view.Emails = append(view.Emails, email.Address)
		}
		for _, phone := range p.ContactInformation.Phone {
			view.Phones = append(view.Phones, phone.Number)
		}
	}
	if p.Subject != "" {
		view.Identity = &field{Name: identityName(p.SubjectType), Value: p.Subject}
	}
	view.Properties = properties(p)
	if p.ProfilePicture != "" {
		picture := textField("Profile picture", p.ProfilePicture)
		view.Picture = &picture
	}
	view.Attributes, view.Lists = attributes(p.CustomAttributes)
	for _, l := range p.Links {
		view.Links = append(view.Links, link{l.PersonID, url.PathEscape(l.PersonID), l.Reason, c.at(l.At)})
	}
	view.name(p)
	return view
}

// name picks what the person is called: the name, else the identity, else a
// contact, which then need not stand in the second line again.
func (v *profile) name(p tracker.Person) {
	v.Name = join(" ", p.FirstName, p.MiddleName, p.LastName)
	v.Named = v.Name != ""
	contacts := []string{p.Subject}
	if len(v.Emails) > 0 {
		contacts = append(contacts, v.Emails[0])
	}
	if len(v.Phones) > 0 {
		contacts = append(contacts, v.Phones[0])
	}
	for _, contact := range contacts {
		if contact == "" {
			continue
		}
		if v.Name == "" {
			v.Name = contact
		}
		if contact != v.Name && !contains(v.Contacts, contact) {
			v.Contacts = append(v.Contacts, contact)
		}
	}
	if v.Named {
		v.Initials = initials(p.FirstName) + initials(p.LastName)
	}
	if v.Name == "" {
		v.Name = "Unnamed " + strings.ToLower(v.Type)
	}
}

// contains compares as e-mail addresses are compared: the identity is often
// given as a contact too.
func contains(list []string, value string) bool {
	for _, have := range list {
		if strings.EqualFold(have, value) {
			return true
		}
	}
	return false
}

func identityName(subjectType string) string {
	switch subjectType {
	case "email":
		return "E-mail"
	case "msisdn":
		return "Phone"
	case "externalPersonId":
		return "External id"
	}
	return subjectType
}

func properties(p tracker.Person) []field {
	all := []field{
		{Name: "First name", Value: p.FirstName},
		{Name: "Middle name", Value: p.MiddleName},
		{Name: "Last name", Value: p.LastName},
		{Name: "Address", Value: p.Address},
		{Name: "City", Value: p.City},
		{Name: "Country", Value: p.Country},
		{Name: "Birth date", Value: p.BirthDate},
		{Name: "Gender", Value: p.Gender},
		{Name: "Language", Value: p.PreferredLanguage},
	}
	given := all[:0]
	for _, f := range all {
		if f.Value != "" {
			given = append(given, f)
		}
	}
	return given
}

// initials returns the first letter of a name, "" for one that starts with
// something else.
func initials(name string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimSpace(name))
	if !unicode.IsLetter(first) {
		return ""
	}
	return string(unicode.ToUpper(first))
}

// tint gives each id a colour that stays the same.
func tint(id string) int {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(id))
	return int(hash.Sum32() % tints)
}

// short is the beginning of an id, enough to tell it from its neighbours.
func short(id string) string {
	if len(id) > 8 {
		return id[:8]
	}
	return id
}

// join joins what is not empty.
func join(separator string, parts ...string) string {
	given := parts[:0:0]
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" {
			given = append(given, part)
		}
	}
	return strings.Join(given, separator)
}
