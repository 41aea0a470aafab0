package tracker

import (
	"encoding/json"
	"time"
)

// Request is one batch of SDK calls as the collector hands it over: decoded,
// bounded, with an accepted origin and key, and not yet trusted in any claim
// about who is calling (B1).
type Request struct {
	Account    Account
	ID         string    // request id, recorded with merges
	ReceivedAt time.Time // server clock, read once per request
	SentAt     time.Time // the browser's clock when it sent the batch

	// DeviceTokens and ChatTokens are all values the request carried for our
	// two cookies; more than one distinct value of a name counts as none.
	DeviceTokens []string
	ChatTokens   []string
	// SiteCookies are the site's own Live Chat session cookies that the
	// operator named with session_cookie, present in this request, by name.
	// SiteCookieNames lists all configured names, present or not.
	SiteCookies     []SiteCookie
	SiteCookieNames []string

	// Consent is what is known about the visitor's consent without looking at
	// the calls (B30).
	Consent Consent
	// OptedOut says that ConsentRefused is the browser's word, by Sec-GPC or
	// DNT (B31).
	OptedOut bool

	Boot  string // 32 hex digits the browser keeps, on first calls only (B2); empty otherwise
	Agent Agent
	Pages []Page
	Calls []Call

	// Warnings concern the request as a whole (a key with further scopes, B28)
	// and are put on the results of its init calls.
	Warnings []Warning
}

// SiteCookie is a cookie of the site's own.
type SiteCookie struct{ Name, Value string }

// Agent is what the User-Agent header tells (B29).
type Agent struct {
	DeviceType     string // unknown, mobile, tablet, desktop, spider, TV, console
	BrowserName    string
	BrowserVersion string
	BrowserOS      string
}

// Page is where a call was made.
type Page struct {
	URL             string
	Title           string
	Referrer        string
	Language        string // the browser's, BCP 47
	WebsiteLanguage string // the page's, BCP 47
}

// The methods of the wire protocol.
const (
	MethodInit         = "init"
	MethodPage         = "page"
	MethodTrack        = "track"
	MethodChat         = "chat"
	MethodUpdatePerson = "updatePerson"
	MethodAppendToList = "appendToList"
	MethodConsent      = "consent"
)

// Call is one SDK call.
type Call struct {
	ID     string    // client id, 1–36 of A-Za-z0-9_- (B26)
	At     time.Time // the browser's clock when the call was made
	Epoch  string    // the epoch the page knew then, "" when none (B8)
	Page   int       // index into Request.Pages; -1 when the call names none
	Method string
	Params json.RawMessage
	// Fault says why the call cannot be carried out whatever its params are, ""
	// when it can: it is refused with this reason.
	Fault string
}

// Response answers a Request: the results in the order of its calls, and the
// cookies that changed.
type Response struct {
	Epoch   string
	Results []Result
	Device  CookieChange // our cookie _people
	Chat    CookieChange // our cookie _people_chat

	asides []aside // to the results, for the live view; those at the end may be missing
}

// CookieChange says what to do with one of our cookies.
type CookieChange struct {
	Set    bool
	Delete bool
	Value  string
	MaxAge time.Duration // 0 with Set: a cookie that ends with the browser
}

// Result is the outcome of one call: Err is nil on success.
type Result struct {
	ID       string
	Warnings []Warning
	Err      *CallError
}

// Warning is an entry of data.warnings (B27).
type Warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// CallError is a refused call, with the code of the specification. Message is
// the whole message, cause included.
type CallError struct {
	Code    int
	Name    string
	Message string

	rule string // that refused it, "" for that of its method
}

func (e *CallError) Error() string { return e.Message }
