package livechat

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	widgetID = "85ea1938-f457-496d-8532-8fa489beea63"
	subject  = "Ann.Secret@Example.com"
	hs256    = `{"alg":"HS256","typ":"JWT"}`
)

var (
	issued = time.Unix(1_800_000_000, 0)
	keyA   = bytes.Repeat([]byte("a"), 32)
	keyB   = bytes.Repeat([]byte("b"), 40)
)

func testVerifier(t testing.TB) *Verifier {
	t.Helper()
	v, err := NewVerifier([]Widget{
		{ID: widgetID, Secrets: []Secret{{ID: "k1", Key: keyA}}},
		{ID: "two-keys", Secrets: []Secret{{ID: "k1", Key: keyA}, {ID: "k2", Key: keyB}}, KeepAuthenticatedAsLeads: true},
		{ID: "no-key"},
	}, Options{})
	require.NoError(t, err)
	return v
}

func part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// sign makes a token of any header and claims, without the library under test.
func sign(newHash func() hash.Hash, key []byte, header, claims string) string {
	text := part(header) + "." + part(claims)
	mac := hmac.New(newHash, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func hs(claims string) string { return sign(sha256.New, keyA, hs256, claims) }

// claimsWith is a good set of claims with some replaced, or removed when nil.
func claimsWith(t testing.TB, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": widgetID, "sub": subject, "stp": "email", "jti": "t-1", "sid": "s-1", "ski": "k1",
		"iat": issued.Unix(), "exp": issued.Unix() + 60,
	}
	for name, value := range changes {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	text, err := json.Marshal(claims)
	require.NoError(t, err)
	return string(text)
}

// requireRefused also proves that the reason gives nothing away.
func requireRefused(t *testing.T, v *Verifier, token string, now time.Time, reason string) {
	t.Helper()
	claims, err := v.Verify(token, now)
	require.EqualError(t, err, reason)
	assert.Zero(t, claims)
	assert.NotContains(t, strings.ToLower(err.Error()), "ann")
}
