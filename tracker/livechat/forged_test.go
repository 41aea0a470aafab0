package livechat

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The attacks of RFC 8725 and its kin: each token would pass a careless verifier.
func TestB4ForgedTokens(t *testing.T) {
	t.Parallel()
	v := testVerifier(t)
	good := claimsWith(t, nil)
	valid := hs(good)
	header, rest, _ := strings.Cut(valid, ".")
	claimsPart, signature, _ := strings.Cut(rest, ".")

	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signed := func(method jwt.SigningMethod, key any) string {
		token := jwt.NewWithClaims(method, jwt.MapClaims{"iss": widgetID, "sub": subject, "stp": "email", "ski": "k1", "iat": issued.Unix()})
		text, err := token.SignedString(key)
		require.NoError(t, err)
		return text
	}
	withHeader := func(header string) string { return sign(sha256.New, keyA, header, good) }
	parameter := func(name string) string { return "the token's header parameter " + name + " is not possible" }
	// sameBits ends in a character that differs only in bits no byte is made of.
	sameBits := func(text string) string {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := strings.IndexByte(alphabet, text[len(text)-1])
		return text[:len(text)-1] + alphabet[last^1:last^1+1]
	}

	for name, tc := range map[string]struct{ token, reason string }{
		"alg none":                   {signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), errAlgorithm.Error()},
		"alg none, with signature":   {withHeader(`{"alg":"none"}`), errAlgorithm.Error()},
		"alg nOnE":                   {withHeader(`{"alg":"nOnE"}`), errAlgorithm.Error()},
		"alg missing":                {withHeader(`{"typ":"JWT"}`), errAlgorithm.Error()},
		"alg empty":                  {withHeader(`{"alg":""}`), errAlgorithm.Error()},
		"alg lower case":             {withHeader(`{"alg":"hs256"}`), errAlgorithm.Error()},
		"alg with blank":             {withHeader(`{"alg":"HS256 "}`), errAlgorithm.Error()},
		"alg a list":                 {withHeader(`{"alg":["HS256"]}`), errAlgorithm.Error()},
		"alg null":                   {withHeader(`{"alg":null}`), errAlgorithm.Error()},
		"alg under a capital name":   {withHeader(`{"Alg":"HS256"}`), errAlgorithm.Error()},
		"HS512 with the right key":   {sign(sha512.New, keyA, `{"alg":"HS512"}`, good), errAlgorithm.Error()},
		"HS384 with the right key":   {sign(sha512.New384, keyA, `{"alg":"HS384"}`, good), errAlgorithm.Error()},
		"HS512 called HS256":         {sign(sha512.New, keyA, hs256, good), errSignature.Error()},
		"RS256":                      {signed(jwt.SigningMethodRS256, rsaKey), errAlgorithm.Error()},
		"PS256":                      {signed(jwt.SigningMethodPS256, rsaKey), errAlgorithm.Error()},
		"ES256":                      {signed(jwt.SigningMethodES256, ecKey), errAlgorithm.Error()},
		"RS256 called HS256":         {part(hs256) + strings.TrimPrefix(signed(jwt.SigningMethodRS256, rsaKey), part(`{"alg":"RS256","typ":"JWT"}`)), errSignature.Error()},
		"empty key":                  {sign(sha256.New, nil, hs256, good), errSignature.Error()},
		"key still in Base64":        {sign(sha256.New, []byte(base64.StdEncoding.EncodeToString(keyA)), hs256, good), errSignature.Error()},
		"key id as key":              {sign(sha256.New, []byte("k1"), hs256, good), errSignature.Error()},
		"other widget's key":         {sign(sha256.New, keyB, hs256, good), errSignature.Error()},
		"alg twice":                  {withHeader(`{"alg":"none","alg":"HS256"}`), errMalformed.Error()},
		"alg twice, escaped":         {withHeader(`{"alg":"none","\u0061lg":"HS256"}`), errMalformed.Error()},
		"typ of another kind":        {withHeader(`{"alg":"HS256","typ":"at+jwt"}`), errType.Error()},
		"typ a number":               {withHeader(`{"alg":"HS256","typ":1}`), errType.Error()},
		"crit":                       {withHeader(`{"alg":"HS256","crit":["exp"]}`), parameter("crit")},
		"crit empty":                 {withHeader(`{"alg":"HS256","crit":[]}`), parameter("crit")},
		"b64":                        {withHeader(`{"alg":"HS256","b64":false}`), parameter("b64")},
		"zip":                        {withHeader(`{"alg":"HS256","zip":"DEF"}`), parameter("zip")},
		"encrypted":                  {withHeader(`{"alg":"HS256","enc":"A256GCM"}`), parameter("enc")},
		"nested":                     {sign(sha256.New, keyA, `{"alg":"HS256","cty":"JWT"}`, valid), errMalformed.Error()},
		"nested, claims as object":   {withHeader(`{"alg":"HS256","cty":"JWT"}`), parameter("cty")},
		"key of its own":             {sign(sha256.New, keyB, `{"alg":"HS256","jwk":{"kty":"oct","k":"`+base64.RawURLEncoding.EncodeToString(keyB)+`"}}`, good), parameter("jwk")},
		"key by URL":                 {sign(sha256.New, keyB, `{"alg":"HS256","jku":"http://127.0.0.1/"}`, good), parameter("jku")},
		"certificate":                {withHeader(`{"alg":"HS256","x5c":[]}`), parameter("x5c")},
		"certificate by URL":         {withHeader(`{"alg":"HS256","x5u":"http://127.0.0.1/"}`), parameter("x5u")},
		"signed with an empty key":   {sign(sha256.New, nil, hs256, good), errSignature.Error()},
		"signed with the key's text": {sign(sha256.New, []byte(base64.StdEncoding.EncodeToString(keyA)), hs256, good), errSignature.Error()},
		"kid of another key":         {sign(sha256.New, keyB, `{"alg":"HS256","kid":"k2"}`, good), errSignature.Error()},
		"kid with path":              {sign(sha256.New, nil, `{"alg":"HS256","kid":"../../dev/null"}`, good), errSignature.Error()},
		"claim twice":                {hs(`{"sub":"a@b.c",` + good[1:]), errMalformed.Error()},
		"unknown claim twice":        {hs(`{"x":1,"x":2,` + good[1:]), errMalformed.Error()},
		"claim twice, deep":          {hs(`{"x":{"y":1,"y":2},` + good[1:]), errMalformed.Error()},
		"claim under a capital name": {hs(strings.Replace(good, `"sub"`, `"SUB"`, 1)), "the token's claim sub is missing"},
		"claims not UTF-8":           {hs(strings.Replace(good, "Ann", "\xff", 1)), errMalformed.Error()},
		"claims with NaN":            {hs(strings.Replace(good, "1800000060", "NaN", 1)), errMalformed.Error()},
		"claims null":                {hs(`null`), errMalformed.Error()},
		"claims a list":              {hs(`[` + good + `]`), errMalformed.Error()},
		"claims a string":            {hs(`"x"`), errMalformed.Error()},
		"claims empty":               {hs(``), errMalformed.Error()},
		"claims and more":            {hs(good + `{}`), errMalformed.Error()},
		"header a list":              {withHeader(`["HS256"]`), errMalformed.Error()},
		"header null":                {withHeader(`null`), errMalformed.Error()},
		"no signature":               {header + "." + claimsPart + ".", errSignature.Error()},
		"two parts":                  {header + "." + claimsPart, errMalformed.Error()},
		"four parts":                 {valid + ".x", errMalformed.Error()},
		"five parts (JWE)":           {valid + ".x.y", errMalformed.Error()},
		"empty":                      {"", errMalformed.Error()},
		"only points":                {"..", errMalformed.Error()},
		"bearer":                     {"Bearer " + valid, errMalformed.Error()},
		"line break in signature":    {header + "." + claimsPart + "." + signature[:10] + "\n" + signature[10:], errMalformed.Error()},
		"trailing line break":        {valid + "\n", errMalformed.Error()},
		"line break in header":       {header[:5] + "\r\n" + header[5:] + "." + claimsPart + "." + signature, errMalformed.Error()},
		"padding":                    {valid + "=", errMalformed.Error()},
		"other alphabet":             {strings.Replace(valid, ".", ".+/", 1), errMalformed.Error()},
		"unused bits of signature":   {sameBits(valid), errMalformed.Error()},
		"other claims":               {header + "." + part(claimsWith(t, map[string]any{"sub": "b@b.c"})) + "." + signature, errSignature.Error()},
		"signature cut":              {valid[:len(valid)-3], errSignature.Error()},
		"oversize":                   {hs(strings.Replace(good, "{", `{"x":"`+strings.Repeat("x", 4096)+`",`, 1)), errTooLong.Error()},
		"deep":                       {hs(`{"x":` + strings.Repeat("[", 2000) + `}`), errMalformed.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, v, tc.token, issued, tc.reason)
		})
	}
	longest := valid
	for n := 0; len(longest) < 4096; n++ {
		longest = hs(strings.Replace(good, "{", `{"x":"`+strings.Repeat("x", n)+`",`, 1))
	}
	require.Len(t, []byte(longest), 4096)
	assert.True(t, LooksLikeToken(longest))
	_, err = v.Verify(longest, issued)
	require.NoError(t, err, "as long as a token can be")
	_, err = v.Verify(valid, issued)
	require.NoError(t, err, "what the forgeries are made from is good")
	_, err = v.Verify(withHeader(`{"alg":"HS256","kid":"anything"}`), issued)
	require.NoError(t, err, "a kid is ignored")
	_, err = v.Verify(withHeader(`{"alg":"HS256"}`), issued)
	require.NoError(t, err, "typ is optional")
}
