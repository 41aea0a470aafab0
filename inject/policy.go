package inject

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"io"
	"iter"
	"net/http"
	"strings"
)

// policyConfig is the part of Config that judging policies needs.
type policyConfig struct {
	amend   bool
	connect string
	origin  func(*http.Request) (scheme, host string)
	rand    io.Reader
}

func newPolicyConfig(c Config) policyConfig {
	p := policyConfig{amend: c.AmendCSP, connect: c.ConnectPath, origin: c.Origin, rand: c.Rand}
	if p.origin == nil {
		p.origin = requestOrigin
	}
	if p.rand == nil {
		p.rand = rand.Reader
	}
	return p
}

func requestOrigin(r *http.Request) (scheme, host string) {
	if r.TLS != nil {
		return "https", r.Host
	}
	return "http", r.Host
}

// gatePolicies chooses the form of the script that the page's policies let
// run, and whether they have to be amended for it (rules 8, 17 and 18).
func (w *writer) gatePolicies(h http.Header) Outcome {
	snippet := w.in.snippet
	w.snippet = snippet.plain
	needIntegrity := asksIntegrity(h["Integrity-Policy"])
	lines := h["Content-Security-Policy"]
	if len(lines) == 0 && !needIntegrity {
		return Injected
	}
	policies := parsePolicies(lines)
	for _, p := range policies {
		if d := p.find("sandbox"); d != nil && !d.has("allow-scripts") {
			return SkippedSandbox
		}
		if d := p.find("require-sri-for"); d != nil && d.has("script") {
			needIntegrity = true
		}
	}
	if needIntegrity && snippet.verified == nil {
		return SkippedIntegrity
	}
	j := judge{snippet: snippet, config: &w.in.policy, policies: policies}
	j.target.scheme, j.target.host = w.in.policy.origin(w.req)
	return w.applyPolicies(&j, needIntegrity)
}

func (w *writer) applyPolicies(j *judge, needIntegrity bool) Outcome {
	if !j.allow() {
		return SkippedCSP
	}
	if (needIntegrity || j.useHash) && j.snippet.verified != nil {
		w.snippet = j.snippet.verified
	}
	if j.nonce != "" {
		w.snippet = withNonce(w.snippet, j.nonce)
	}
	if j.amended {
		w.policies = joinPolicies(j.policies)
		w.byNonce = j.nonce != ""
	}
	return Injected
}

// confirmPolicies mends the policies of a 304, which take the place of those
// that the browser keeps with its copy: without the amendment the script would
// be blocked from then on. A nonce stands in the copy and cannot be guessed, so
// there the policies of the copy stay in force.
func (w *writer) confirmPolicies(h http.Header) {
	const field = "Content-Security-Policy"
	if !w.in.policy.amend || len(h[field]) == 0 || w.gatePolicies(h) != Injected || w.policies == nil {
		return
	}
	if w.byNonce {
		delete(h, field)
	} else {
		h[field] = w.policies
	}
}

// judge finds out how the script can satisfy every policy of a page.
type judge struct {
	snippet  *snippet
	config   *policyConfig
	target   target
	policies []policy

	nonce   string // to be written into the element
	useHash bool   // the element needs its integrity attribute
	amended bool   // policies were changed
}

// allow says whether script and calls are allowed, after amending if that is
// configured.
func (j *judge) allow() bool {
	strict := false
	for i := range j.policies {
		p := &j.policies[i]
		d := scriptDirective(p)
		p.strict = d != nil && !j.allowsURL(d, j.snippet.src)
		strict = strict || p.strict
	}
	if strict && !j.identify() {
		if !j.config.amend {
			return false
		}
		for p := range j.strict() {
			if !j.amendScript(p) {
				return false
			}
		}
	}
	return j.allowConnect()
}

// strict yields the policies that do not allow the script by its URL.
func (j *judge) strict() iter.Seq[*policy] {
	return func(yield func(*policy) bool) {
		for i := range j.policies {
			if p := &j.policies[i]; p.strict && !yield(p) {
				return
			}
		}
	}
}

// allowsURL says whether the source list admits the path on the page's own
// origin. With 'strict-dynamic' only nonces and hashes count.
func (j *judge) allowsURL(d *directive, path string) bool {
	if d.has("'strict-dynamic'") {
		return false
	}
	return d.any(func(source string) bool { return j.target.matches(source, path) })
}

// identify looks for a nonce and a hash that together satisfy all strict
// policies as they are. If there are none, it settles on the nonce to amend with.
func (j *judge) identify() bool {
	first := ""
	for p := range j.strict() {
		for nonce := range scriptDirective(p).nonces() {
			if j.satisfiesAll(nonce) {
				return true
			}
			first = cmp.Or(first, nonce)
		}
	}
	if j.satisfiesAll("") {
		return true
	}
	j.nonce, j.useHash = first, false
	return false
}

// satisfiesAll tries a nonce, or none, on all strict policies.
func (j *judge) satisfiesAll(nonce string) bool {
	j.nonce, j.useHash = nonce, false
	for p := range j.strict() {
		if !j.satisfies(scriptDirective(p)) {
			return false
		}
	}
	return true
}

// satisfies says whether the element can carry what the directive lists.
func (j *judge) satisfies(d *directive) bool {
	if j.nonce != "" {
		for nonce := range d.nonces() {
			if nonce == j.nonce {
				return true
			}
		}
	}
	if j.hashListed(d) {
		j.useHash = true
		return true
	}
	return false
}

func (j *judge) hashListed(d *directive) bool {
	if j.snippet.integrity == "" {
		return false
	}
	return d.any(func(source string) bool {
		hash, ok := strings.CutPrefix(source, "'")
		return ok && len(hash) == len(j.snippet.integrity)+1 && strings.HasPrefix(hash, j.snippet.integrity) && hash[len(hash)-1] == '\''
	})
}

// amendScript lets the script through in one policy, with as little else as
// possible: its hash, or a nonce for this response. Where inline code runs by
// 'unsafe-inline', either would switch that off, so 'self' is added there.
func (j *judge) amendScript(p *policy) bool {
	if j.satisfies(scriptDirective(p)) {
		return true
	}
	d := p.effective("script-src-elem", "script-src")
	if d == nil {
		// A directive of its own leaves what else default-src governs alone.
		p.directives = append(p.directives, directive{
			name: "script-src-elem",
			list: p.find("default-src").list,
		})
		d = &p.directives[len(p.directives)-1]
	}
	switch {
	case d.reliesOnInline():
		d.add("'self'")
	case j.snippet.integrity != "":
		d.add("'" + j.snippet.integrity + "'")
		j.useHash = true
	default:
		if j.nonce == "" {
			var b [16]byte
			if _, err := io.ReadFull(j.config.rand, b[:]); err != nil {
				return false
			}
			j.nonce = base64.StdEncoding.EncodeToString(b[:])
		}
		d.add("'nonce-" + j.nonce + "'")
	}
	p.changed, j.amended = true, true
	return true
}

// allowConnect checks the path that the script sends to.
func (j *judge) allowConnect() bool {
	if j.config.connect == "" {
		return true
	}
	for i := range j.policies {
		p := &j.policies[i]
		d := p.effective("connect-src", "default-src")
		if d == nil || j.allowsConnect(d) {
			continue
		}
		if !j.config.amend {
			return false
		}
		if d.name != "connect-src" {
			p.directives = append(p.directives, directive{name: "connect-src", list: d.locations()})
			d = &p.directives[len(p.directives)-1]
		}
		d.add("'self'")
		p.changed, j.amended = true, true
	}
	return true
}

func (j *judge) allowsConnect(d *directive) bool {
	return d.any(func(source string) bool { return j.target.matches(source, j.config.connect) })
}

func scriptDirective(p *policy) *directive {
	return p.effective("script-src-elem", "script-src", "default-src")
}

// withNonce returns the element with a nonce. The nonce is base64, see nonces.
func withNonce(script []byte, nonce string) []byte {
	out := make([]byte, 0, len(script)+len(nonce)+len(` nonce=""`))
	out = append(out, scriptOpen...)
	out = append(out, ` nonce="`...)
	out = append(out, nonce...)
	out = append(out, '"')
	return append(out, script[len(scriptOpen):]...)
}

// asksIntegrity says whether an Integrity-Policy blocks scripts without a hash.
func asksIntegrity(lines []string) bool {
	for _, line := range lines {
		_, list, ok := strings.Cut(strings.ToLower(line), "blocked-destinations=(")
		if !ok {
			continue
		}
		list, _, _ = strings.Cut(list, ")")
		for destination := range strings.FieldsSeq(list) {
			if destination == "script" {
				return true
			}
		}
	}
	return false
}
