package livechat

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxTokenBytes is above any honest token and as much as a cookie can hold.
const maxTokenBytes = 4096

// The reasons of a refusal that concern the token as a whole. They and all
// others hold nothing of the token, the secret or the subject.
var (
	errTooLong       = fmt.Errorf("the token is longer than %d bytes", maxTokenBytes)
	errMalformed     = errors.New("the token is malformed")
	errAlgorithm     = errors.New("the token's algorithm is not HS256")
	errType          = errors.New("the token's type is not JWT")
	errUnknownWidget = errors.New("the token's widget (iss) is not known here")
	errNoSecret      = errors.New("the token's widget has no secret key here")
	errMissingKeyID  = errors.New("the token names no secret key (ski) and its widget has several")
	errUnknownKey    = errors.New("the token's secret key (ski) is not known here")
	errSignature     = errors.New("the token's signature is wrong")
)

// Verifier checks tokens of the widgets it knows.
type Verifier struct {
	widgets map[string]Widget
	opts    Options
	parser  *jwt.Parser
}

// NewVerifier checks the widgets: ids are unique, and every key has at least
// 32 bytes.
func NewVerifier(widgets []Widget, opts Options) (*Verifier, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		widgets: make(map[string]Widget, len(widgets)),
		opts:    opts,
		// Claims are judged here: the parser reads them leniently.
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation()),
	}
	for _, w := range widgets {
		if err := checkWidget(w); err != nil {
			return nil, err
		}
		if _, twice := v.widgets[w.ID]; twice {
			return nil, fmt.Errorf("widget %q is given twice", w.ID)
		}
		w.Secrets = slices.Clone(w.Secrets)
		for i := range w.Secrets {
			w.Secrets[i].Key = bytes.Clone(w.Secrets[i].Key)
		}
		v.widgets[w.ID] = w
	}
	return v, nil
}

// Widget finds a widget by its id. Its Secrets are the verifier's own and not
// to be changed.
func (v *Verifier) Widget(id string) (Widget, bool) {
	w, ok := v.widgets[id]
	return w, ok
}

// Verify returns what a valid token says. The error's text is the reason and
// holds nothing of the token, the secret or the subject.
//
// Everything the decision rests on is read strictly here; the library, which
// takes the last of two equal members, confirms algorithm and signature of the
// same bytes. What an unproven token says is used for nothing but to find the
// key, and never to choose the algorithm.
func (v *Verifier) Verify(token string, now time.Time) (Claims, error) {
	header, claims, err := decode(token)
	if err != nil {
		return Claims{}, err
	}
	if err := checkHeader(header); err != nil {
		return Claims{}, err
	}
	widget, key, err := v.key(claims)
	if err != nil {
		return Claims{}, err
	}
	if _, err := v.parser.Parse(token, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		if errors.Is(err, jwt.ErrTokenSignatureInvalid) {
			return Claims{}, errSignature
		}
		return Claims{}, errMalformed
	}
	return v.judge(claims, widget, now)
}

// key finds the widget that issued the token and the key that signed it.
func (v *Verifier) key(claims members) (Widget, []byte, error) {
	issuer, err := claims.text("iss", 0)
	if err != nil {
		return Widget{}, nil, err
	}
	keyID, err := claims.text("ski", 0)
	if err != nil {
		return Widget{}, nil, err
	}
	widget, ok := v.widgets[issuer]
	if !ok {
		return Widget{}, nil, errUnknownWidget
	}
	switch {
	case len(widget.Secrets) == 0:
		return Widget{}, nil, errNoSecret
	case keyID == "" && len(widget.Secrets) == 1:
		return widget, widget.Secrets[0].Key, nil
	case keyID == "":
		return Widget{}, nil, errMissingKeyID
	}
	for _, secret := range widget.Secrets {
		if secret.ID == keyID {
			return widget, secret.Key, nil
		}
	}
	return Widget{}, nil, errUnknownKey
}
