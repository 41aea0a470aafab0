// Package livechat verifies the tokens by which a site's back end
// authenticates its users in Live Chat (B4). It does no I/O; a Verifier is
// safe for concurrent use.
package livechat

import "time"

// Widget is a Live Chat widget whose tokens are honoured.
type Widget struct {
	ID      string
	Secrets []Secret
	// KeepAuthenticatedAsLeads says that authenticated users stay of type LEAD.
	KeepAuthenticatedAsLeads bool
}

// Secret is a widget's secret key: the id that tokens name in ski, and the key
// itself, decoded from Base64.
type Secret struct {
	ID  string
	Key []byte `json:"-"`
}

// Options of a Verifier. Zero values mean the default.
type Options struct {
	MaxLifetime     time.Duration // longest exp − iat, default 1 h
	DefaultLifetime time.Duration // from iat when exp is absent, default 15 s
	Skew            time.Duration // tolerated difference of clocks, default 30 s
}

// The values of Claims.SubjectType.
const (
	SubjectEmail      = "email"
	SubjectMSISDN     = "msisdn"
	SubjectExternalID = "externalPersonId"
)

// Claims is what a verified token says.
type Claims struct {
	WidgetID    string
	SubjectType string // SubjectEmail, SubjectMSISDN or SubjectExternalID
	Subject     string // normalised: e-mail case-folded, msisdn digits, external id exact
	RawSubject  string // as signed
	TokenID     string // jti, "" when absent
	SessionID   string // sid, "" when absent
	IssuedAt    time.Time
	ExpiresAt   time.Time
	KeepAsLead  bool // the widget's KeepAuthenticatedAsLeads
}

// Verifier checks tokens of the widgets it knows.
type Verifier struct{}

// NewVerifier checks the widgets: ids are unique, and every key has at least
// 32 bytes.
func NewVerifier(widgets []Widget, opts Options) (*Verifier, error) { return &Verifier{}, nil }

// Verify returns what a valid token says. The error's text is the reason and
// holds nothing of the token, the secret or the subject.
func (v *Verifier) Verify(token string, now time.Time) (Claims, error) { return Claims{}, nil }

// Widget finds a widget by its id.
func (v *Verifier) Widget(id string) (Widget, bool) { return Widget{}, false }

// LooksLikeToken tells a cookie value that is a JWT from an opaque one.
func LooksLikeToken(value string) bool { return false }
