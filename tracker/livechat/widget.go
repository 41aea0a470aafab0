// Package livechat verifies the tokens by which a site's back end
// authenticates its users in Live Chat (B4). It does no I/O; a Verifier is
// safe for concurrent use.
package livechat

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Widget is a Live Chat widget whose tokens are honoured.
type Widget struct {
	ID string
	// Secrets may be several while keys are being replaced. With none, every
	// token of the widget is refused.
	Secrets []Secret
	// KeepAuthenticatedAsLeads says that authenticated users stay of type LEAD.
	KeepAuthenticatedAsLeads bool
}

// Secret is a widget's secret key: the id that tokens name in ski, and the key
// itself, decoded from Base64, of at least 32 bytes. It formats and marshals
// without the key.
type Secret struct {
	ID  string
	Key []byte `json:"-"`
}

// Format implements fmt.Formatter so that no verb prints the key.
func (s Secret) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, "secret key "+s.ID)
}

// Options of a Verifier. Zero values mean the default.
type Options struct {
	MaxLifetime     time.Duration // longest exp − iat, default 1 h
	DefaultLifetime time.Duration // from iat when exp is absent, default 15 s, or MaxLifetime where that is shorter
	Skew            time.Duration // tolerated difference of clocks, default 30 s
}

// MinKeyBytes is what RFC 7518 3.2 asks for HS256: a shorter key can be guessed
// offline from any token.
const MinKeyBytes = 32

func (o Options) withDefaults() (Options, error) {
	for _, option := range []struct {
		value    *time.Duration
		fallback time.Duration
		name     string
	}{
		{&o.MaxLifetime, time.Hour, "longest lifetime"},
		{&o.DefaultLifetime, 15 * time.Second, "default lifetime"},
		{&o.Skew, 30 * time.Second, "clock skew"},
	} {
		if *option.value < 0 {
			return o, fmt.Errorf("the %s of tokens is negative", option.name)
		}
		if *option.value == 0 {
			*option.value = option.fallback
			if option.value == &o.DefaultLifetime {
				*option.value = min(option.fallback, o.MaxLifetime)
			}
		}
	}
	if o.DefaultLifetime > o.MaxLifetime {
		return o, errors.New("the default lifetime of tokens is above the longest")
	}
	return o, nil
}

// checkWidget names a secret key by its place: where somebody mixed up the two,
// its id is the key.
func checkWidget(w Widget) error {
	if w.ID == "" {
		return errors.New("a widget has no id")
	}
	seen := make(map[string]struct{}, len(w.Secrets))
	for i, secret := range w.Secrets {
		if secret.ID == "" {
			return fmt.Errorf("widget %q: secret key %d has no id", w.ID, i+1)
		}
		if _, twice := seen[secret.ID]; twice {
			return fmt.Errorf("widget %q: secret key %d has the id of one before it", w.ID, i+1)
		}
		seen[secret.ID] = struct{}{}
		if len(secret.Key) < MinKeyBytes {
			return fmt.Errorf("widget %q: secret key %d has %d bytes after decoding from Base64, at least %d are needed",
				w.ID, i+1, len(secret.Key), MinKeyBytes)
		}
	}
	return nil
}
