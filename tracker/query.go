package tracker

import (
	"encoding/json"
	"time"
)

// PersonType is the platform's type of a person.
type PersonType string

// The types a person can have.
const (
	TypeLead     PersonType = "LEAD"
	TypeCustomer PersonType = "CUSTOMER"
)

// Person is a lead or an authenticated profile as the console and the REST API
// show it. The JSON names are the specification's.
type Person struct {
	ID             string     `json:"id"`
	Type           PersonType `json:"type"`
	CreatedAt      time.Time  `json:"createdAt"`
	ModifiedAt     time.Time  `json:"modifiedAt"`
	LastActivityAt *time.Time `json:"lastActivityAt,omitempty"`
	// Identity by which the person authenticated, unset on a lead of a chat:
	// subject type email, msisdn or externalPersonId, and the subject.
	SubjectType string `json:"subjectType,omitempty"`
	Subject     string `json:"subject,omitempty"`
	ExternalID  string `json:"externalId,omitempty"` // the subject when its type is externalPersonId

	FirstName          string                     `json:"firstName,omitempty"`
	MiddleName         string                     `json:"middleName,omitempty"`
	LastName           string                     `json:"lastName,omitempty"`
	Address            string                     `json:"address,omitempty"`
	City               string                     `json:"city,omitempty"`
	Country            string                     `json:"country,omitempty"`
	BirthDate          string                     `json:"birthDate,omitempty"`
	Gender             string                     `json:"gender,omitempty"`
	PreferredLanguage  string                     `json:"preferredLanguage,omitempty"`
	ProfilePicture     string                     `json:"profilePicture,omitempty"`
	Tags               []string                   `json:"tags,omitempty"`
	ContactInformation *ContactInformation        `json:"contactInformation,omitempty"`
	CustomAttributes   map[string]json.RawMessage `json:"customAttributes,omitempty"` // lists as arrays of objects with "__id"
	// Links are other persons this one is connected with: the lead somebody
	// was before he authenticated, or the reverse (B6).
	Links []Link `json:"links,omitempty"`
	// Active says that an activity session is open.
	Active bool `json:"active"`
}

// ContactInformation holds contacts as given: neither unique nor verified (B23).
type ContactInformation struct {
	Email []EmailContact `json:"email,omitempty"`
	Phone []PhoneContact `json:"phone,omitempty"`
}

// EmailContact is an e-mail address of a person.
type EmailContact struct {
	Address string `json:"address"`
}

// PhoneContact is a phone number of a person, in digits.
type PhoneContact struct {
	Number string `json:"number"`
}

// Link names another person and why they are connected.
type Link struct {
	PersonID string    `json:"personId"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
	// MergeID is the merge that was undone, where that is the reason.
	MergeID string `json:"mergeId,omitempty"`
}

// Event is one entry of a timeline.
type Event struct {
	ID           string          `json:"eventId"`
	DefinitionID string          `json:"definitionId"` // pageView, sessionStarted, sessionEnded, or a custom one
	Title        string          `json:"title"`        // display name of the definition, the id when it is no longer defined
	SessionID    string          `json:"sessionId"`
	OccurredTime time.Time       `json:"occurredTime"`
	ReceivedTime time.Time       `json:"receivedTime"`
	Properties   json.RawMessage `json:"properties"` // an object, {} when there are none
	// MergedFrom is set when the event came through a merge (B17): the visitor
	// it happened to and the merge that brought it here.
	MergedFrom *MergedFrom `json:"mergedFrom,omitempty"`
}

// MergedFrom explains why an event stands in this timeline.
type MergedFrom struct {
	MergeID   string `json:"mergeId"`
	ProfileID string `json:"profileId"`
}

// Merge is one recorded merge (B17) with what was decided about it since (B18).
type Merge struct {
	ID        string    `json:"id"`
	VisitorID string    `json:"visitorId"` // the visitor, or the lead that was absorbed; a lead while the merge is undone
	PersonID  string    `json:"personId"`
	At        time.Time `json:"at"`
	Reason    string    `json:"reason"` // "chat started" or "authenticated"
	RequestID string    `json:"requestId"`
	Undone    bool      `json:"undone"`
	// History says how it was undone and redone, oldest first: the last 16 times.
	History []MergeTurn `json:"history,omitempty"`
}

// MergeTurn is one time a merge was undone, or that was undone again.
type MergeTurn struct {
	Undone bool      `json:"undone"` // false: it was redone
	At     time.Time `json:"at"`
	By     string    `json:"by"`               // the operator, or "API key"
	Reason string    `json:"reason,omitempty"` // as given
}

// PersonQuery selects persons, newest activity first.
type PersonQuery struct {
	Text   string     // words of a name, e-mail, phone, external id or tag, all of which must match; "" lists everybody
	Type   PersonType // "" is both
	Cursor string     // of the page before; "" is the first page
	Limit  int        // 1–100, 0 is 50
}

// PersonPage is a page of persons.
type PersonPage struct {
	Persons []Person
	Next    string // cursor of the next page, "" on the last one
	// Partial says that the words are too common to look at everybody who may
	// have them: there may be others, who may have been active later.
	Partial bool
}

// EventQuery selects events of one person, newest first.
type EventQuery struct {
	From, To     time.Time // [From, To), zero is unbounded
	DefinitionID string    // "" is all
	Cursor       string
	Limit        int // 1–200, 0 is 50
}
