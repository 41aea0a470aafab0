package livechat

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
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

func TestB4ValidToken(t *testing.T) {
	t.Parallel()
	v := testVerifier(t)
	claims, err := v.Verify(hs(claimsWith(t, nil)), issued)
	require.NoError(t, err)
	assert.Equal(t, Claims{
		WidgetID: widgetID, SubjectType: SubjectEmail, Subject: "ann.secret@example.com", RawSubject: subject,
		TokenID: "t-1", SessionID: "s-1", IssuedAt: issued, ExpiresAt: issued.Add(time.Minute),
	}, claims)
}

func TestB4TokenOfTheLibrary(t *testing.T) {
	t.Parallel()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": "two-keys", "sub": "+421 905 123 450", "stp": "msisdn", "ski": "k2", "iat": issued.Unix(), "name": "Ann", "roles": []string{"x"},
	})
	text, err := token.SignedString(keyB)
	require.NoError(t, err)
	claims, err := testVerifier(t).Verify(text, issued)
	require.NoError(t, err)
	assert.Equal(t, Claims{
		WidgetID: "two-keys", SubjectType: SubjectMSISDN, Subject: "421905123450", RawSubject: "+421 905 123 450",
		IssuedAt: issued, ExpiresAt: issued.Add(15 * time.Second), KeepAsLead: true,
	}, claims)
}

func TestB4Claims(t *testing.T) {
	t.Parallel()
	v := testVerifier(t)
	type changes = map[string]any
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	notTime := func(name string) string { return "the token's claim " + name + " is not a time in seconds since 1970" }
	for name, tc := range map[string]struct {
		changes changes
		reason  string // "" is none
	}{
		"ok/no jti":            {changes{"jti": nil}, ""},
		"ok/no sid":            {changes{"sid": nil}, ""},
		"ok/no ski, one key":   {changes{"ski": nil}, ""},
		"ok/longest jti":       {changes{"jti": strings.Repeat("ü", 50)}, ""},
		"fail/jti too long":    {changes{"jti": strings.Repeat("j", 51)}, "the token's claim jti is longer than 50 characters"},
		"ok/longest sid":       {changes{"sid": strings.Repeat("ü", 50)}, ""},
		"fail/sid too long":    {changes{"sid": strings.Repeat("s", 51)}, "the token's claim sid is longer than 50 characters"},
		"fail/no iss":          {changes{"iss": nil}, errUnknownWidget.Error()},
		"fail/empty iss":       {changes{"iss": ""}, errUnknownWidget.Error()},
		"fail/unknown iss":     {changes{"iss": "other"}, errUnknownWidget.Error()},
		"fail/iss in capitals": {changes{"iss": strings.ToUpper(widgetID)}, errUnknownWidget.Error()},
		"fail/iss a list":      {changes{"iss": []string{widgetID}}, "the token's claim iss is not a string"},
		"fail/widget no key":   {changes{"iss": "no-key"}, errNoSecret.Error()},
		"fail/unknown ski":     {changes{"ski": "k9"}, errUnknownKey.Error()},
		"fail/ski a number":    {changes{"ski": 1}, "the token's claim ski is not a string"},
		"fail/no ski, many":    {changes{"iss": "two-keys", "ski": nil}, errMissingKeyID.Error()},
		"fail/key of another":  {changes{"iss": "two-keys", "ski": "k2"}, errSignature.Error()},
		"fail/aud":             {changes{"aud": widgetID}, "the token is meant for another audience (aud)"},

		"fail/no sub":         {changes{"sub": nil}, "the token's claim sub is missing"},
		"fail/empty sub":      {changes{"sub": ""}, "the token's claim sub is missing"},
		"fail/blank sub":      {changes{"sub": " \t"}, "the token's claim sub is missing"},
		"fail/sub a number":   {changes{"sub": 421905123450}, "the token's claim sub is not a string"},
		"fail/sub a list":     {changes{"sub": []string{subject}}, "the token's claim sub is not a string"},
		"fail/sub null":       {changes{"sub": raw("null")}, "the token's claim sub is not a string"},
		"fail/no stp":         {changes{"stp": nil}, "the token's claim stp is missing"},
		"fail/unknown stp":    {changes{"stp": "Email"}, "the token's claim stp is none of email, msisdn and externalPersonId"},
		"fail/stp an object":  {changes{"stp": map[string]string{}}, "the token's claim stp is not a string"},
		"fail/jti a number":   {changes{"jti": 7}, "the token's claim jti is not a string"},
		"fail/sid null":       {changes{"sid": raw("null")}, "the token's claim sid is not a string"},
		"fail/not an e-mail":  {changes{"sub": "Ann"}, "the token's claim sub is not an e-mail address"},
		"fail/e-mail invis":   {changes{"sub": "ann\u200b@b.c"}, "the token's claim sub is not an e-mail address"},
		"fail/e-mail long":    {changes{"sub": strings.Repeat("a", 252) + "@b.c"}, "the token's claim sub is not an e-mail address"},
		"fail/not a phone":    {changes{"stp": "msisdn"}, "the token's claim sub is not a phone number in international form"},
		"fail/national phone": {changes{"stp": "msisdn", "sub": "0905123450"}, "the token's claim sub is not a phone number in international form"},
		"fail/long phone":     {changes{"stp": "msisdn", "sub": "1234567890123456"}, "the token's claim sub is not a phone number in international form"},
		"fail/odd phone":      {changes{"stp": "msisdn", "sub": "421+905123450"}, "the token's claim sub is not a phone number in international form"},
		"ok/shortest e-mail":  {changes{"sub": "a@b"}, ""},
		"fail/no local part":  {changes{"sub": "@b.c"}, "the token's claim sub is not an e-mail address"},
		"fail/no domain":      {changes{"sub": "a@"}, "the token's claim sub is not an e-mail address"},
		"ok/longest e-mail":   {changes{"sub": strings.Repeat("a", 251) + "@b.c"}, ""},
		"ok/shortest phone":   {changes{"stp": "msisdn", "sub": "12345"}, ""},
		"fail/short phone":    {changes{"stp": "msisdn", "sub": "1234"}, "the token's claim sub is not a phone number in international form"},
		"ok/longest phone":    {changes{"stp": "msisdn", "sub": "123456789012345" + strings.Repeat(" -", 17) + "."}, ""},
		"fail/phone padded":   {changes{"stp": "msisdn", "sub": "123456789012345" + strings.Repeat(" -", 18)}, "the token's claim sub is not a phone number in international form"},
		"ok/longest external": {changes{"stp": "externalPersonId", "sub": strings.Repeat("ü", 256)}, ""},
		"fail/external long":  {changes{"stp": "externalPersonId", "sub": strings.Repeat("x", 257)}, "the token's claim sub is longer than 256 characters"},

		"fail/no iat":          {changes{"iat": nil}, "the token's claim iat is missing"},
		"fail/iat a string":    {changes{"iat": "1800000000"}, notTime("iat")},
		"fail/iat a list":      {changes{"iat": []int{1800000000}}, notTime("iat")},
		"fail/iat null":        {changes{"iat": raw("null")}, notTime("iat")},
		"fail/iat negative":    {changes{"iat": -1}, notTime("iat")},
		"fail/iat in ms":       {changes{"iat": issued.UnixMilli()}, notTime("iat")},
		"fail/iat long ago":    {changes{"iat": 0, "exp": nil}, "the token has expired (exp)"},
		"fail/iat huge":        {changes{"iat": raw("1e400")}, errMalformed.Error()},
		"fail/exp a string":    {changes{"exp": "1800000060"}, notTime("exp")},
		"fail/exp a boolean":   {changes{"exp": true}, notTime("exp")},
		"fail/exp null":        {changes{"exp": raw("null")}, notTime("exp")},
		"fail/exp huge":        {changes{"exp": raw("1e300")}, notTime("exp")},
		"fail/exp negative":    {changes{"exp": raw("-1e10")}, notTime("exp")},
		"fail/exp as iat":      {changes{"exp": issued.Unix()}, "the token expires (exp) before it was issued (iat)"},
		"fail/exp before iat":  {changes{"exp": issued.Unix() - 1}, "the token expires (exp) before it was issued (iat)"},
		"ok/longest life":      {changes{"exp": issued.Unix() + 3600}, ""},
		"fail/lives too long":  {changes{"exp": issued.Unix() + 3601}, "the token lives longer (exp − iat) than 1h0m0s"},
		"ok/times with digits": {changes{"iat": raw("1800000000.25"), "exp": raw("1.8000000605e9")}, ""},
		"ok/nbf":               {changes{"nbf": issued.Unix()}, ""},
		"fail/nbf a string":    {changes{"nbf": "0"}, notTime("nbf")},
		"fail/nbf":             {changes{"nbf": issued.Unix() + 31}, "the token is not valid yet (nbf)"},
		"ok/nbf within skew":   {changes{"nbf": issued.Unix() + 30}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := hs(claimsWith(t, tc.changes))
			if tc.reason != "" {
				requireRefused(t, v, token, issued, tc.reason)
				return
			}
			_, err := v.Verify(token, issued)
			require.NoError(t, err)
		})
	}
}

func TestB4NormalisedSubjects(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ stp, sub, want string }{
		"e-mail folded":             {"email", " Ann@EXAMPLE.com ", "ann@example.com"},
		"e-mail folded, other":      {"email", "MÜLLER@KÄSE.de", "müller@käse.de"},
		"Kelvin sign is no k":       {"email", "\u212aim@x.de", "\u212aim@x.de"},
		"dotted capital I is no i":  {"email", "\u0130@x.de", "\u0130@x.de"},
		"phone digits":              {"msisdn", "+1 (212) 555-01.00", "12125550100"},
		"phone as it is":            {"msisdn", "421905123450", "421905123450"},
		"external id exact":         {"externalPersonId", " Ann#1 ", " Ann#1 "},
		"external id like an email": {"externalPersonId", "A@B.c", "A@B.c"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims, err := testVerifier(t).Verify(hs(claimsWith(t, map[string]any{"stp": tc.stp, "sub": tc.sub})), issued)
			require.NoError(t, err)
			assert.Equal(t, tc.want, claims.Subject)
			assert.Equal(t, tc.sub, claims.RawSubject)
		})
	}
}

func TestB4ClockSkew(t *testing.T) {
	t.Parallel()
	v := testVerifier(t)
	const expired, early = "the token has expired (exp)", "the token was issued (iat) in the future"
	withExp, withoutExp := hs(claimsWith(t, nil)), hs(claimsWith(t, map[string]any{"exp": nil}))
	for name, tc := range map[string]struct {
		token  string
		after  time.Duration // of iat
		reason string
	}{
		"ok/skew before iat":              {withExp, -30 * time.Second, ""},
		"fail/more than skew before iat":  {withExp, -30*time.Second - 1, early},
		"ok/just before exp and skew":     {withExp, 90*time.Second - 1, ""},
		"fail/at exp and skew":            {withExp, 90 * time.Second, expired},
		"ok/default life and skew":        {withoutExp, 45*time.Second - 1, ""},
		"fail/after default life":         {withoutExp, 45 * time.Second, expired},
		"fail/next day":                   {withExp, 24 * time.Hour, expired},
		"fail/day before":                 {withExp, -24 * time.Hour, early},
		"fail/far future, no exp":         {withoutExp, 50 * 365 * 24 * time.Hour, expired},
		"fail/before the epoch of clocks": {withExp, -100 * 365 * 24 * time.Hour, early},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.reason != "" {
				requireRefused(t, v, tc.token, issued.Add(tc.after), tc.reason)
				return
			}
			_, err := v.Verify(tc.token, issued.Add(tc.after))
			require.NoError(t, err)
		})
	}
}

func TestB4OptionsAreHonoured(t *testing.T) {
	t.Parallel()
	v, err := NewVerifier([]Widget{{ID: widgetID, Secrets: []Secret{{ID: "k1", Key: keyA}}}},
		Options{MaxLifetime: time.Minute, DefaultLifetime: 5 * time.Second, Skew: time.Second})
	require.NoError(t, err)
	requireRefused(t, v, hs(claimsWith(t, map[string]any{"exp": issued.Unix() + 61})), issued, "the token lives longer (exp − iat) than 1m0s")
	requireRefused(t, v, hs(claimsWith(t, nil)), issued.Add(-2*time.Second), "the token was issued (iat) in the future")
	claims, err := v.Verify(hs(claimsWith(t, map[string]any{"exp": nil})), issued)
	require.NoError(t, err)
	assert.Equal(t, issued.Add(5*time.Second), claims.ExpiresAt)
}

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

func TestNewVerifierJudgesWidgets(t *testing.T) {
	t.Parallel()
	key := func(n int) []byte { return bytes.Repeat([]byte("x"), n) }
	for name, tc := range map[string]struct {
		widgets []Widget
		opts    Options
		want    string
	}{
		"ok/none":             {},
		"ok/no secrets":       {widgets: []Widget{{ID: "a"}}},
		"ok/shortest key":     {widgets: []Widget{{ID: "a", Secrets: []Secret{{"k", key(32)}}}}},
		"ok/same key ids":     {widgets: []Widget{{ID: "a", Secrets: []Secret{{"k", key(32)}}}, {ID: "b", Secrets: []Secret{{"k", key(32)}}}}},
		"fail/short key":      {widgets: []Widget{{ID: "a", Secrets: []Secret{{"k", key(31)}}}}, want: `widget "a": secret key "k" has 31 bytes after decoding from Base64, at least 32 are needed`},
		"fail/no key":         {widgets: []Widget{{ID: "a", Secrets: []Secret{{"k", nil}}}}, want: `widget "a": secret key "k" has 0 bytes`},
		"fail/no key id":      {widgets: []Widget{{ID: "a", Secrets: []Secret{{"", key(32)}}}}, want: `widget "a": a secret key has no id`},
		"fail/key id twice":   {widgets: []Widget{{ID: "a", Secrets: []Secret{{"k", key(32)}, {"k", key(33)}}}}, want: `widget "a": secret key "k" is given twice`},
		"fail/no widget id":   {widgets: []Widget{{}}, want: "a widget has no id"},
		"fail/widget twice":   {widgets: []Widget{{ID: "a"}, {ID: "a"}}, want: `widget "a" is given twice`},
		"ok/default is max":   {opts: Options{MaxLifetime: 15 * time.Second}},
		"fail/negative life":  {opts: Options{MaxLifetime: -1}, want: "the longest lifetime of tokens is negative"},
		"fail/negative life2": {opts: Options{DefaultLifetime: -1}, want: "the default lifetime of tokens is negative"},
		"fail/negative skew":  {opts: Options{Skew: -1}, want: "the clock skew of tokens is negative"},
		"fail/default > max":  {opts: Options{MaxLifetime: time.Second, DefaultLifetime: 2 * time.Second}, want: "the default lifetime of tokens is above the longest"},
		"ok/short max":        {opts: Options{MaxLifetime: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewVerifier(tc.widgets, tc.opts)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestVerifierKeepsItsOwnKeys(t *testing.T) {
	t.Parallel()
	key := bytes.Clone(keyA)
	secrets := []Secret{{ID: "k1", Key: key}}
	v, err := NewVerifier([]Widget{{ID: widgetID, Secrets: secrets}}, Options{})
	require.NoError(t, err)
	clear(key)
	secrets[0] = Secret{}
	_, err = v.Verify(hs(claimsWith(t, nil)), issued)
	require.NoError(t, err)
	w, ok := v.Widget(widgetID)
	require.True(t, ok)
	assert.Equal(t, widgetID, w.ID)
	_, ok = v.Widget("other")
	assert.False(t, ok)
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	w := Widget{ID: "w", Secrets: []Secret{{ID: "k1", Key: []byte("0123456789abcdef0123456789abcdef")}}}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", slog.Any("widget", w), slog.Any("secret", w.Secrets[0]))
	slog.New(slog.NewTextHandler(&logged, nil)).Info("m", slog.Any("widget", w), slog.Any("secret", &w.Secrets[0]))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&logged, verb+verb, w, &w.Secrets[0])
	}
	for _, form := range []string{"0123456789", "3031323334", "48 49 50", "0x30, 0x31", "MDEyMzQ1"} {
		assert.NotContains(t, logged.String(), form)
	}
	assert.Contains(t, logged.String(), "k1")
}

func TestB3LooksLikeToken(t *testing.T) {
	t.Parallel()
	valid := hs(claimsWith(t, nil))
	for name, tc := range map[string]struct {
		value string
		want  bool
	}{
		"token":             {valid, true},
		"forged token":      {part(`{ "typ":"JWT", "alg":"none"}`) + ".x.", true},
		"opaque":            {"0123456789abcdef0123456789abcdef", false},
		"empty":             {"", false},
		"opaque with dots":  {"abc.def.ghi", false},
		"framework's JSON":  {part(`{"_permanent":true}`) + ".aSd3Zg.c2lnbmF0dXJl", false},
		"alg is no string":  {part(`{"alg":1}`) + ".a.b", false},
		"five parts":        {valid + ".a.b", false},
		"two parts":         {part(`{"alg":"HS256"}`) + ".a", false},
		"oversize":          {valid + strings.Repeat("x", 4096), false},
		"escaped for a URL": {strings.ReplaceAll(valid, ".", "%2E"), false},
	} {
		assert.Equal(t, tc.want, LooksLikeToken(tc.value), name)
	}
}
