package livechat

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzVerify changes whole tokens: none passes but one with the right
// signature, judged here without the library.
func FuzzVerify(f *testing.F) {
	valid := hs(claimsWith(f, nil))
	f.Add(valid)
	f.Add(valid + "\n")
	f.Add(sign(sha256.New, keyA, `{"alg":"none"}`, claimsWith(f, nil)))
	f.Add("..")
	v := testVerifier(f)
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := v.Verify(token, issued); err != nil {
			require.True(t, utf8.ValidString(err.Error()))
			require.Less(t, len(err.Error()), 200)
			return
		}
		end := strings.LastIndexByte(token, '.')
		mac := hmac.New(sha256.New, keyA)
		mac.Write([]byte(token[:end]))
		require.Equal(t, base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), token[end+1:])
		require.True(t, LooksLikeToken(token))
	})
}

// FuzzVerifySigned gives any header and claims the right signature: what
// passes says HS256, and its claims hold what B4 asks for.
func FuzzVerifySigned(f *testing.F) {
	f.Add(hs256, claimsWith(f, nil))
	f.Add(`{"alg":"HS256","alg":"none"}`, claimsWith(f, map[string]any{"stp": "msisdn", "sub": "+421905123450"}))
	f.Add(`{"alg":"HS256","crit":[]}`, claimsWith(f, map[string]any{"stp": "externalPersonId", "exp": nil}))
	f.Add(`{"alg":"HS256","kid":"x"}`, `{"iss":"two-keys","iat":1e9,"exp":1.5e0,"sub":null}`)
	v := testVerifier(f)
	f.Fuzz(func(t *testing.T, header, claims string) {
		c, err := v.Verify(sign(sha256.New, keyA, header, claims), issued)
		if err != nil {
			require.Zero(t, c)
			return
		}
		var head map[string]any
		require.NoError(t, json.Unmarshal([]byte(header), &head))
		require.Equal(t, "HS256", head["alg"])
		require.NotEmpty(t, c.Subject)
		require.Contains(t, []string{SubjectEmail, SubjectMSISDN, SubjectExternalID}, c.SubjectType)
		require.LessOrEqual(t, utf8.RuneCountInString(c.TokenID), 50)
		require.LessOrEqual(t, utf8.RuneCountInString(c.SessionID), 50)
		require.Positive(t, c.ExpiresAt.Sub(c.IssuedAt))
		require.LessOrEqual(t, c.ExpiresAt.Sub(c.IssuedAt), time.Hour)
		again, err := normalise(c.SubjectType, c.Subject)
		require.NoError(t, err)
		require.Equal(t, c.Subject, again)
	})
}
