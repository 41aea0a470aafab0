package livechat

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
