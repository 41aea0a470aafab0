package tracker

import (
	"errors"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// The error codes of the specification. 2015 and 4001 are raised by the SDK
// in the page; they stand here so that all seven are in one place.
const (
	CodeNotInitialized       = 2015 // init() was not called on the instance
	CodeTrack                = 2016 // track() is refused
	CodeUpdatePerson         = 2017 // updatePerson() is refused
	CodeMissingAuthorization = 2018 // the browser keeps no cookie (B25)
	CodeAppendToList         = 2019 // appendToList() is refused
	CodePersonState          = 2020 // who is calling cannot be settled: key, origin, token, older epoch
	CodeInitRequired         = 4001 // Live Chat is not initialised
)

// callErrors holds names and messages word for word as the specification
// prints them. A message that ends in "Cause: " is completed with the cause.
var callErrors = map[int]struct{ name, message string }{
	CodeNotInitialized:       {"NotInitializedPeopleTrackingError", "People tracking SDK is not initialized. Call init() first"},
	CodeTrack:                {"SdkTrackError", "Error when calling track(). Cause: "},
	CodeUpdatePerson:         {"PeopleUpdateError", "Error when calling updatePerson(). Cause: "},
	CodeMissingAuthorization: {"MissingAuthorizationTokenError", "Missing authorization token. Make sure a registration exists."},
	CodeAppendToList:         {"AppendToListError", "Error when calling appendToList(). Cause: "},
	CodePersonState:          {"PersonStateError", "Person synchronization failed. Cause: "},
	CodeInitRequired:         {"InitRequiredError", "Live Chat is not initialized"},
}

// codeOf is the code under which a call of a method is refused for what it asks.
func codeOf(method string) int {
	switch method {
	case MethodTrack:
		return CodeTrack
	case MethodUpdatePerson:
		return CodeUpdatePerson
	case MethodAppendToList:
		return CodeAppendToList
	}
	return CodePersonState
}

// takesCause says whether the specification gives the code's message a cause.
func takesCause(code int) bool {
	switch code {
	case CodeTrack, CodeUpdatePerson, CodeAppendToList, CodePersonState:
		return true
	}
	return false
}

// NewCallError returns the error of the specification with this code. cause
// completes the messages of 2016, 2017, 2019 and 2020; the other three have a
// fixed message and ignore it. The cause reaches the page: it names rules and
// property names, never keys, tokens or cookies.
//
// A code that is none of the seven becomes 2020, because a wrong code must
// neither end the process inside a transaction nor reach the page unnamed.
func NewCallError(code int, cause string) *CallError {
	entry, known := callErrors[code]
	if !known {
		code = CodePersonState
		entry = callErrors[code]
	}
	if takesCause(code) {
		entry.message += cause
	}
	return &CallError{Code: code, Name: entry.name, Message: entry.message}
}

// by names the rule that refused a call where it is not that of its method.
func (e *CallError) by(rule string) *CallError {
	e.rule = rule
	return e
}

// Unavailable says whether err, returned by a method of Service, means that
// the store cannot answer at present: nothing was recorded that the caller
// could rely on, and the same request may succeed later (B34, B35).
func Unavailable(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrClosed)
}

// The errors of queries.
var (
	// ErrNotFound is the answer for a visitor, an unknown id and a malformed
	// one alike, so that none can be told from the other (B16).
	ErrNotFound = errors.New("tracker: no such person")
	// ErrBadCursor is returned for a cursor that no query has given out.
	ErrBadCursor = errors.New("tracker: not a cursor of this list")
)
