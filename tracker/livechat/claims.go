package livechat

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The values of Claims.SubjectType.
const (
	SubjectEmail      = "email"
	SubjectMSISDN     = "msisdn"
	SubjectExternalID = "externalPersonId"
)

// Limits of claims.
const (
	maxIDChars        = 50  // jti and sid
	maxEmailBytes     = 255 // octets, as mail counts them
	maxExternalChars  = 256
	minMSISDN         = 5 // digits
	maxMSISDN         = 15
	maxMSISDNAsSigned = 50 // bytes, separators included
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
	ExpiresAt   time.Time // iat and the default lifetime when exp is absent
	KeepAsLead  bool      // the widget's KeepAuthenticatedAsLeads
}

// judge reads the claims of a token whose signature is right.
func (v *Verifier) judge(claims members, widget Widget, now time.Time) (Claims, error) {
	c := Claims{WidgetID: widget.ID, KeepAsLead: widget.KeepAuthenticatedAsLeads}
	if _, given := claims["aud"]; given {
		// RFC 7519 4.1.3: a token for somebody else. Live Chat's have none.
		return Claims{}, errors.New("the token is meant for another audience (aud)")
	}
	if err := v.times(claims, now, &c); err != nil {
		return Claims{}, err
	}
	var err error
	if c.TokenID, err = claims.text("jti", maxIDChars); err != nil {
		return Claims{}, err
	}
	if c.SessionID, err = claims.text("sid", maxIDChars); err != nil {
		return Claims{}, err
	}
	if c.SubjectType, err = claims.text("stp", 0); err != nil {
		return Claims{}, err
	}
	if c.RawSubject, err = claims.text("sub", 0); err != nil {
		return Claims{}, err
	}
	if c.Subject, err = normalise(c.SubjectType, c.RawSubject); err != nil {
		return Claims{}, err
	}
	return c, nil
}

// times judges iat, exp and nbf. A moment exactly Skew off is still good
// for iat and nbf, which include their moment, and too late for exp, which
// excludes it (RFC 7519 4.1.4).
func (v *Verifier) times(claims members, now time.Time, c *Claims) error {
	issued, given, err := claims.seconds("iat")
	if err != nil {
		return err
	}
	if !given {
		return errors.New("the token's claim iat is missing")
	}
	expires, given, err := claims.seconds("exp")
	if err != nil {
		return err
	}
	if !given {
		expires = issued.Add(v.opts.DefaultLifetime)
	}
	notBefore, _, err := claims.seconds("nbf")
	switch {
	case err != nil:
		return err
	case !expires.After(issued):
		return errors.New("the token expires (exp) before it was issued (iat)")
	case expires.Sub(issued) > v.opts.MaxLifetime:
		return fmt.Errorf("the token lives longer (exp − iat) than %s", v.opts.MaxLifetime)
	case issued.After(now.Add(v.opts.Skew)):
		return errors.New("the token was issued (iat) in the future")
	case notBefore.After(now.Add(v.opts.Skew)):
		return errors.New("the token is not valid yet (nbf)")
	case !now.Before(expires.Add(v.opts.Skew)):
		return errors.New("the token has expired (exp)")
	}
	c.IssuedAt, c.ExpiresAt = issued, expires
	return nil
}

// normalise returns the form of a subject under which its person is found.
func normalise(subjectType, subject string) (string, error) {
	if strings.TrimSpace(subject) == "" {
		return "", errors.New("the token's claim sub is missing")
	}
	switch subjectType {
	case SubjectEmail:
		return normaliseEmail(subject)
	case SubjectMSISDN:
		return normaliseMSISDN(subject)
	case SubjectExternalID:
		if utf8.RuneCountInString(subject) > maxExternalChars {
			return "", fmt.Errorf("the token's claim sub is longer than %d characters", maxExternalChars)
		}
		return subject, nil
	case "":
		return "", errors.New("the token's claim stp is missing")
	}
	return "", fmt.Errorf("the token's claim stp is none of %s, %s and %s", SubjectEmail, SubjectMSISDN, SubjectExternalID)
}

// normaliseEmail folds case, but no letter outside ASCII into ASCII: whoever
// registers at the site with a Kelvin sign for a k would otherwise become
// somebody else here.
func normaliseEmail(subject string) (string, error) {
	subject = strings.TrimSpace(subject)
	at := strings.LastIndexByte(subject, '@')
	if len(subject) > maxEmailBytes || at < 1 || at == len(subject)-1 ||
		strings.ContainsFunc(subject, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", errors.New("the token's claim sub is not an e-mail address")
	}
	return strings.Map(func(r rune) rune {
		lower := unicode.ToLower(r)
		if r >= utf8.RuneSelf && lower < utf8.RuneSelf {
			return r
		}
		return lower
	}, subject), nil
}

// normaliseMSISDN keeps the digits of an international number, which may be
// written with a plus sign and the usual separators.
func normaliseMSISDN(subject string) (string, error) {
	subject = strings.TrimSpace(subject)
	digits := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, subject)
	rest := strings.Trim(strings.TrimPrefix(subject, "+"), "0123456789 -./()")
	if len(subject) > maxMSISDNAsSigned || rest != "" || len(digits) < minMSISDN || len(digits) > maxMSISDN || digits[0] == '0' {
		return "", errors.New("the token's claim sub is not a phone number in international form")
	}
	return digits, nil
}
