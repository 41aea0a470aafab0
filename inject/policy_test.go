package inject

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const testHash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

// withAttributes is the test script with more attributes.
func withAttributes(attributes string) string {
	return strings.Replace(testScript, "<script", "<script "+attributes, 1)
}

const verifiedAttributes = `integrity="` + testHash + `" crossorigin="anonymous"`

func policyRun(t *testing.T, configure func(*Config), policies ...string) (*recorder, Outcome) {
	t.Helper()
	var got Outcome
	in := newInjector(t, func(c *Config) {
		c.Observe = func(o Outcome) { got = o }
		c.ConnectPath = "/_t/batch"
		c.Rand = bytes.NewReader(bytes.Repeat([]byte{0xfb}, 64))
		c.Origin = func(*http.Request) (string, string) { return "https", "shop.example" }
		if configure != nil {
			configure(c)
		}
	})
	fields := make([]string, len(policies))
	for i, p := range policies {
		fields[i] = "Content-Security-Policy: " + p
	}
	rec, err := run(t, in, page(testPage, fields...))
	require.NoError(t, err)
	return rec, got
}

func TestRule17Evaluation(t *testing.T) {
	hash := func(c *Config) { c.Integrity = testHash }
	for name, c := range map[string]struct {
		policies []string
		config   func(*Config)
		script   string // "" for skipped
	}{
		"ok/no script directive":          {policies: []string{"img-src 'none'"}, script: testScript},
		"ok/empty":                        {policies: []string{""}, script: testScript},
		"ok/self":                         {policies: []string{"script-src 'self'"}, script: testScript},
		"ok/SELF":                         {policies: []string{"Script-Src 'SELF'"}, script: testScript},
		"ok/default self":                 {policies: []string{"default-src 'self'"}, script: testScript},
		"ok/star":                         {policies: []string{"script-src *"}, script: testScript},
		"ok/scheme":                       {policies: []string{"script-src https:"}, script: testScript},
		"ok/http stands for https":        {policies: []string{"script-src http://shop.example"}, script: testScript},
		"ok/host":                         {policies: []string{"script-src shop.example"}, script: testScript},
		"ok/host with port":               {policies: []string{"script-src shop.example:443"}, script: testScript},
		"ok/port 80 stands for 443":       {policies: []string{"script-src http://shop.example:80"}, script: testScript},
		"ok/any port":                     {policies: []string{"script-src shop.example:*"}, script: testScript},
		"ok/wildcard":                     {policies: []string{"script-src *.example"}, script: testScript},
		"ok/path below":                   {policies: []string{"script-src https://shop.example/_t/"}, script: testScript},
		"ok/path exact":                   {policies: []string{"script-src https://shop.example/_t/sdk.js"}, script: testScript},
		"ok/element beats script-src":     {policies: []string{"script-src 'none'; script-src-elem 'self'"}, script: testScript},
		"ok/script-src beats default":     {policies: []string{"default-src 'none'; script-src 'self'; connect-src 'self'"}, script: testScript},
		"ok/first of a name counts":       {policies: []string{"script-src 'self'; script-src 'none'"}, script: testScript},
		"ok/all of several":               {policies: []string{"script-src 'self', default-src https:", "script-src *"}, script: testScript},
		"ok/nonce":                        {policies: []string{"script-src 'nonce-r4nd0m+/_-='"}, script: withAttributes(`nonce="r4nd0m+/_-="`)},
		"ok/nonce, strict-dynamic":        {policies: []string{"script-src 'nonce-abc' 'strict-dynamic' https: 'unsafe-inline'"}, script: withAttributes(`nonce="abc"`)},
		"ok/nonce in both":                {policies: []string{"script-src 'nonce-a' 'nonce-b'", "default-src 'nonce-b'; connect-src *"}, script: withAttributes(`nonce="b"`)},
		"ok/nonce not needed":             {policies: []string{"script-src 'self' 'nonce-abc'"}, script: testScript},
		"ok/hash":                         {policies: []string{"script-src '" + testHash + "'"}, config: hash, script: withAttributes(verifiedAttributes)},
		"ok/hash, strict-dynamic":         {policies: []string{"script-src '" + testHash + "' 'strict-dynamic'"}, config: hash, script: withAttributes(verifiedAttributes)},
		"ok/hash here, nonce there":       {policies: []string{"script-src '" + testHash + "'", "script-src 'nonce-abc'"}, config: hash, script: withAttributes(`nonce="abc" ` + verifiedAttributes)},
		"ok/hash known but not needed":    {policies: []string{"script-src 'self'"}, config: hash, script: testScript},
		"fail/none":                       {policies: []string{"script-src 'none'"}},
		"fail/nothing":                    {policies: []string{"script-src"}},
		"fail/default none":               {policies: []string{"default-src 'none'"}},
		"fail/inline only":                {policies: []string{"script-src 'unsafe-inline' 'unsafe-eval'"}},
		"fail/other host":                 {policies: []string{"script-src https://cdn.example"}},
		"fail/other port":                 {policies: []string{"script-src https://shop.example:8443"}},
		"fail/other scheme":               {policies: []string{"script-src ftp://shop.example"}},
		"fail/wildcard wants a label":     {policies: []string{"script-src *.shop.example"}},
		"fail/other path":                 {policies: []string{"script-src https://shop.example/js/"}},
		"fail/path is no prefix":          {policies: []string{"script-src https://shop.example/_t"}},
		"fail/strict-dynamic voids self":  {policies: []string{"script-src 'self' 'strict-dynamic'"}},
		"fail/one of several":             {policies: []string{"script-src 'self'", "default-src 'none'"}},
		"fail/one in a list":              {policies: []string{"script-src 'self', script-src 'none'"}},
		"fail/nonce in one only":          {policies: []string{"script-src 'nonce-a'", "script-src 'nonce-b'"}},
		"fail/nonce that is no base64":    {policies: []string{`script-src 'nonce-a"onload=x'`}},
		"fail/other hash":                 {policies: []string{"script-src 'sha256-AAAA'"}, config: hash},
		"fail/hash not configured":        {policies: []string{"script-src '" + testHash + "'"}},
		"fail/connect none":               {policies: []string{"connect-src 'none'"}},
		"fail/connect by default":         {policies: []string{"default-src https://cdn.example; script-src 'self'"}},
		"fail/connect other path":         {policies: []string{"connect-src https://shop.example/api/"}},
		"ok/connect not checked":          {policies: []string{"connect-src 'none'"}, config: func(c *Config) { c.ConnectPath = "" }, script: testScript},
		"ok/connect by default, nonce'd":  {policies: []string{"default-src 'self' 'nonce-x'"}, script: testScript},
		"ok/plain http, other port":       {policies: []string{"script-src http://localhost:8080"}, config: func(c *Config) { c.Origin = func(*http.Request) (string, string) { return "http", "localhost:8080" } }, script: testScript},
		"fail/plain http page, https src": {policies: []string{"script-src https:"}, config: func(c *Config) { c.Origin = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			rec, got := policyRun(t, c.config, c.policies...)
			assert.Equal(t, c.policies, rec.header["Content-Security-Policy"], "never touched without amend")
			if c.script == "" {
				assert.Equal(t, SkippedCSP, got)
				assert.Equal(t, testPage, string(rec.body))
				return
			}
			assert.Equal(t, Injected, got)
			assert.Equal(t, with(testMarked, c.script), string(rec.body))
		})
	}
}

func TestRule17OriginOfTheRequest(t *testing.T) {
	r := navigation("GET")
	scheme, host := requestOrigin(r)
	assert.Equal(t, "http shop.example", scheme+" "+host)
	r.TLS = &tls.ConnectionState{}
	scheme, _ = requestOrigin(r)
	assert.Equal(t, "https", scheme)
}

func TestRule17ReportOnlyIsNotEnforced(t *testing.T) {
	rec, err := run(t, newInjector(t, nil), page(testPage, "Content-Security-Policy-Report-Only: script-src 'none'"))
	require.NoError(t, err)
	assert.Equal(t, with(testMarked, testScript), string(rec.body))
}

func TestRule17Amend(t *testing.T) {
	const nonce = "+/v7+/v7+/v7+/v7+/v7+w=="
	amend := func(c *Config) { c.AmendCSP = true }
	amendHash := func(c *Config) { c.AmendCSP, c.Integrity = true, testHash }
	byNonce, byHash := withAttributes(`nonce="`+nonce+`"`), withAttributes(verifiedAttributes)
	for name, c := range map[string]struct {
		policies, want []string
		config         func(*Config)
		script         string
	}{
		"ok/nothing to do": {
			[]string{"script-src 'self';report-uri /x"}, []string{"script-src 'self';report-uri /x"}, amend, testScript,
		},
		"ok/nonce": {
			[]string{"script-src https://cdn.example; img-src *"}, []string{"script-src https://cdn.example 'nonce-" + nonce + "'; img-src *"}, amend, byNonce,
		},
		"ok/hash": {
			[]string{"script-src 'sha256-AAAA'"}, []string{"script-src 'sha256-AAAA' '" + testHash + "'"}, amendHash, byHash,
		},
		"ok/none goes": {
			[]string{"script-src 'none'"}, []string{"script-src 'nonce-" + nonce + "'"}, amend, byNonce,
		},
		"ok/element directive": {
			[]string{"script-src 'self'; script-src-elem https://cdn.example"}, []string{"script-src 'self'; script-src-elem https://cdn.example '" + testHash + "'"}, amendHash, byHash,
		},
		"ok/strict-dynamic": {
			[]string{"script-src 'strict-dynamic' 'unsafe-inline' 'sha256-AAAA'"}, []string{"script-src 'strict-dynamic' 'unsafe-inline' 'sha256-AAAA' 'nonce-" + nonce + "'"}, amend, byNonce,
		},
		"ok/inline relied on": {
			[]string{"script-src 'unsafe-inline' https://cdn.example"}, []string{"script-src 'unsafe-inline' https://cdn.example 'self'"}, amendHash, testScript,
		},
		"ok/inline not relied on beside a hash": {
			[]string{"script-src 'unsafe-inline' 'sha256-AAAA'"}, []string{"script-src 'unsafe-inline' 'sha256-AAAA' 'nonce-" + nonce + "'"}, amend, byNonce,
		},
		"ok/default-src is copied": {
			[]string{"default-src https://cdn.example 'nonce-x y'; img-src *"},
			[]string{"default-src https://cdn.example 'nonce-x y'; img-src *; script-src-elem https://cdn.example 'nonce-x y' '" + testHash + "'; connect-src https://cdn.example y' 'self'"},
			amendHash, byHash,
		},
		"ok/default none": {
			[]string{"default-src 'none'"}, []string{"default-src 'none'; script-src-elem '" + testHash + "'; connect-src 'self'"}, amendHash, byHash,
		},
		"ok/default with inline": {
			[]string{"default-src 'unsafe-inline' data:"}, []string{"default-src 'unsafe-inline' data:; script-src-elem 'unsafe-inline' data: 'self'; connect-src data: 'self'"}, amendHash, testScript,
		},
		"ok/connect": {
			[]string{"connect-src https://api.example"}, []string{"connect-src https://api.example 'self'"}, amend, testScript,
		},
		"ok/only the one that needs it": {
			[]string{"script-src 'self',script-src 'none'", "img-src *"}, []string{"script-src 'self',script-src '" + testHash + "'", "img-src *"}, amendHash, byHash,
		},
		"ok/page's nonce for the rest": {
			[]string{"script-src 'nonce-abc'", "script-src 'none'"}, []string{"script-src 'nonce-abc'", "script-src 'nonce-abc'"}, amend, withAttributes(`nonce="abc"`),
		},
		"ok/page's nonce here, hash there": {
			[]string{"script-src 'nonce-abc'", "script-src 'none'"}, []string{"script-src 'nonce-abc'", "script-src '" + testHash + "'"}, amendHash, withAttributes(`nonce="abc" ` + verifiedAttributes),
		},
		"ok/one nonce for all": {
			[]string{"script-src 'none'", "script-src 'none'"}, []string{"script-src 'nonce-" + nonce + "'", "script-src 'nonce-" + nonce + "'"}, amend, byNonce,
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec, got := policyRun(t, c.config, c.policies...)
			assert.Equal(t, Injected, got)
			assert.Equal(t, c.want, rec.header["Content-Security-Policy"])
			assert.Equal(t, with(testMarked, c.script), string(rec.body))
		})
	}
}

// TestRule17AmendedPagesPass: what was amended must be allowed by the
// evaluation itself, whatever the policy was.
func TestRule17AmendedPagesPass(t *testing.T) {
	for _, p := range []string{
		"default-src 'none'", "script-src 'none'; connect-src 'none'", "script-src 'strict-dynamic'",
		"default-src 'unsafe-inline'", "script-src 'unsafe-inline'; default-src 'none'", "script-src-elem x.example; script-src 'nonce-a'",
	} {
		for _, hash := range []string{"", testHash} {
			rec, _ := policyRun(t, func(c *Config) { c.AmendCSP, c.Integrity = true, hash }, p)
			amended := rec.header["Content-Security-Policy"]
			again, got := policyRun(t, func(c *Config) { c.Integrity = hash }, amended...)
			assert.Equal(t, Injected, got, "%s became %s", p, amended)
			assert.Equal(t, string(rec.body), string(again.body))
		}
	}
}

// TestRule17AmendedCopiesAreConfirmed: the policy on a 304 replaces that of the
// browser's copy, so it must let the script run as well.
func TestRule17AmendedCopiesAreConfirmed(t *testing.T) {
	for name, c := range map[string]struct {
		integrity, sent, policy string
		amend                   bool
		want                    []string
	}{
		"ok/hash":              {testHash, `"a-i1a2b3c4d"`, "script-src 'none'", true, []string{"script-src '" + testHash + "'"}},
		"ok/nonce of the copy": {"", `"a-i1a2b3c4d"`, "script-src 'none'", true, nil},
		"ok/nothing to amend":  {"", `"a-i1a2b3c4d"`, "script-src 'self'", true, []string{"script-src 'self'"}},
		"ok/not our copy":      {testHash, `"a"`, "script-src 'none'", true, []string{"script-src 'none'"}},
		"ok/amend is off":      {testHash, `"a-i1a2b3c4d"`, "script-src 'none'", false, []string{"script-src 'none'"}},
		"ok/sandboxed":         {testHash, `"a-i1a2b3c4d"`, "sandbox; script-src 'none'", true, []string{"sandbox; script-src 'none'"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInjector(t, func(cfg *Config) { cfg.AmendCSP, cfg.Integrity = c.amend, c.integrity })
			rec, r := newRecorder(), navigation("GET")
			r.Header.Set("If-None-Match", c.sent)
			require.NoError(t, in.ServeHTTP(rec, r, page("", "Status: 304", `Etag: "a"`, "Content-Security-Policy: "+c.policy)))
			assert.Equal(t, c.want, rec.header["Content-Security-Policy"])
		})
	}
}

func TestRule17NonceAmendIsFresh(t *testing.T) {
	in := newInjector(t, func(c *Config) { c.AmendCSP = true })
	seen := map[string]bool{}
	for range 3 {
		rec, err := run(t, in, page(testPage, "Content-Security-Policy: script-src 'none'"))
		require.NoError(t, err)
		m := regexp.MustCompile(`'nonce-([^']{24})'`).FindStringSubmatch(rec.header.Get("Content-Security-Policy"))
		require.Len(t, m, 2)
		assert.False(t, seen[m[1]])
		seen[m[1]] = true
		assert.Contains(t, string(rec.body), `nonce="`+m[1]+`"`)
	}
}

func TestRule17NoRandomnessNoScript(t *testing.T) {
	rec, got := policyRun(t, func(c *Config) { c.AmendCSP, c.Rand = true, strings.NewReader("short") }, "script-src 'none'")
	assert.Equal(t, SkippedCSP, got)
	assert.Equal(t, testPage, string(rec.body))
}

func TestRule17ExactLengthWithNonce(t *testing.T) {
	s := newSite(t, nil, page(testPage, "Content-Security-Policy: script-src 'nonce-abc'", "Content-Length: "+strconv.Itoa(len(testPage))))
	got := s.get()
	require.NoError(t, got.err)
	assert.Equal(t, with(testMarked, withAttributes(`nonce="abc"`)), got.body)
	assert.Equal(t, int64(len(got.body)), got.ContentLength)
}

func TestRule18IntegrityWanted(t *testing.T) {
	hash := func(c *Config) { c.Integrity = testHash }
	for name, field := range map[string]string{
		"ok/Integrity-Policy": "Integrity-Policy: blocked-destinations=(style script), endpoints=(a)",
		"ok/require-sri-for":  "Content-Security-Policy: require-sri-for script style",
	} {
		t.Run(name, func(t *testing.T) {
			rec, err := run(t, newInjector(t, hash), page(testPage, field))
			require.NoError(t, err)
			assert.Equal(t, with(testMarked, withAttributes(verifiedAttributes)), string(rec.body))

			rec, err = run(t, newInjector(t, nil), page(testPage, field))
			require.NoError(t, err)
			assert.Equal(t, testPage, string(rec.body))
		})
	}
}

func TestRule12And17Snippet(t *testing.T) {
	for name, c := range map[string]struct{ script, integrity, want string }{
		"ok/plain":              {testScript, "", ""},
		"ok/with hash":          {testScript, testHash, ""},
		"ok/async":              {`<script async src="/x"></script>`, "", ""},
		"ok/integrity written":  {`<script src="/x" integrity="sha256-AA=="></script>`, "", ""},
		"fail/empty":            {"", "", "must read"},
		"fail/inline":           {"<script >alert(1)</script>", "", "must read"},
		"fail/inline with src":  {`<script src="/x">alert(1)</script>`, "", "must read"},
		"fail/no src":           {"<script ></script>", "", "absolute path"},
		"fail/relative":         {`<script src="x.js"></script>`, "", "absolute path"},
		"fail/other origin":     {`<script src="//cdn.example/x"></script>`, "", "absolute path"},
		"fail/backslash origin": {`<script src="/\cdn.example/x"></script>`, "", "absolute path"},
		"fail/URL with host":    {`<script src="https://shop.example/x"></script>`, "", "absolute path"},
		"fail/two scripts":      {`<script src="/x"></script><script src="/y"></script>`, "", "follows"},
		"fail/newline":          {"<script src=\"/x\"\n></script>", "", "printable ASCII"},
		"fail/not ASCII":        {`<script src="/ä"></script>`, "", "printable ASCII"},
		"fail/no script":        {`<link href="/x"></script>`, "", "must read"},
		"fail/bad hash":         {testScript, `sha256-"x"`, "integrity"},
		"fail/weak hash":        {testScript, "md5-AAAA", "integrity"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newSnippet([]byte(c.script), c.integrity)
			if c.want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, c.want)
			}
		})
	}
}

func TestNewChecksVersionAndPath(t *testing.T) {
	for _, version := range []string{"", "1a2b3c4", "1A2B3C4D", "1a2b3c4g", "1a2b3c4d5"} {
		_, err := New(Config{Snippet: []byte(testScript), Version: version})
		require.ErrorContains(t, err, "version", version)
	}
	_, err := New(Config{Snippet: []byte(testScript), Version: testVersion, ConnectPath: "x"})
	assert.ErrorContains(t, err, "absolute")
}

func FuzzRule17Policies(f *testing.F) {
	f.Add("default-src 'self'; script-src 'nonce-a' 'strict-dynamic', sandbox", true)
	f.Add("script-src https://a.example:*/x/ 'sha256-AAAA'", false)
	f.Fuzz(func(t *testing.T, text string, amend bool) {
		if strings.ContainsAny(text, "\r\n\x00") {
			return
		}
		rec, got := policyRun(t, func(c *Config) { c.AmendCSP, c.Integrity = amend, testHash }, text)
		if got != Injected {
			require.Equal(t, testPage, string(rec.body))
			require.Equal(t, []string{text}, rec.header["Content-Security-Policy"])
			return
		}
		script := regexp.MustCompile(`<script[^>]*></script>`).FindString(string(rec.body))
		_, err := newSnippet([]byte(script), "")
		require.NoError(t, err, "what was written is one well-formed element: %q", script)
		require.Equal(t, testPage, strings.Replace(string(rec.body), script, "", 1))
	})
}
