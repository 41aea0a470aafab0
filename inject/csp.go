package inject

import (
	"iter"
	"net"
	"strings"
	"unicode"
)

// policy is one serialised Content-Security-Policy.
type policy struct {
	line       int    // which header line it came from
	text       string // as it came
	directives []directive
	strict     bool // it does not allow the script by its URL
	changed    bool
}

type directive struct {
	name string // lower case
	list string // of sources, between white space
}

func (d *directive) sources() iter.Seq[string] { return strings.FieldsSeq(d.list) }

// parsePolicies reads header lines, each a comma-separated list of policies.
func parsePolicies(lines []string) []policy {
	var all []policy
	for i, line := range lines {
		for text := range strings.SplitSeq(line, ",") {
			p := policy{line: i, text: text, directives: make([]directive, 0, 1+strings.Count(text, ";"))}
			for part := range strings.SplitSeq(text, ";") {
				name, list := strings.TrimSpace(part), ""
				if end := strings.IndexFunc(name, unicode.IsSpace); end >= 0 {
					name, list = name[:end], name[end:]
				}
				name = strings.ToLower(name)
				if name != "" && p.find(name) == nil { // the first of a name counts
					p.directives = append(p.directives, directive{name: name, list: list})
				}
			}
			all = append(all, p)
		}
	}
	return all
}

// joinPolicies writes the policies back, line by line; an unchanged one keeps
// its text.
func joinPolicies(policies []policy) []string {
	var lines []string
	for i, p := range policies {
		text := p.text
		if p.changed {
			text = p.String()
		}
		if i > 0 && policies[i-1].line == p.line {
			lines[len(lines)-1] += "," + text
		} else {
			lines = append(lines, text)
		}
	}
	return lines
}

func (p *policy) String() string {
	var b strings.Builder
	for i, d := range p.directives {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(d.name)
		for source := range d.sources() {
			b.WriteByte(' ')
			b.WriteString(source)
		}
	}
	return b.String()
}

func (p *policy) find(name string) *directive {
	for i := range p.directives {
		if p.directives[i].name == name {
			return &p.directives[i]
		}
	}
	return nil
}

// effective returns the first of the directives that is there.
func (p *policy) effective(names ...string) *directive {
	for _, name := range names {
		if d := p.find(name); d != nil {
			return d
		}
	}
	return nil
}

// has says whether a keyword is among the sources; keywords ignore case.
func (d *directive) has(keyword string) bool {
	return d.any(func(s string) bool { return strings.EqualFold(s, keyword) })
}

// any says whether a source is like that.
func (d *directive) any(like func(source string) bool) bool {
	for s := range d.sources() {
		if like(s) {
			return true
		}
	}
	return false
}

// add appends a source. With 'none' in the list it would not count.
func (d *directive) add(source string) {
	var kept []string
	for s := range d.sources() {
		if !strings.EqualFold(s, "'none'") {
			kept = append(kept, s)
		}
	}
	d.list = strings.Join(append(kept, source), " ")
}

// nonces yields the values of the nonces, if they are base64: they are
// written into an attribute.
func (d *directive) nonces() iter.Seq[string] {
	return func(yield func(string) bool) {
		for s := range d.sources() {
			if len(s) <= len("'nonce-'") || !hasPrefixFold(s, "'nonce-") || s[len(s)-1] != '\'' {
				continue
			}
			if value := s[len("'nonce-") : len(s)-1]; isBase64(value) && !yield(value) {
				return
			}
		}
	}
}

// reliesOnInline says whether inline code runs by 'unsafe-inline', which any
// nonce, hash or 'strict-dynamic' switches off.
func (d *directive) reliesOnInline() bool {
	if !d.has("'unsafe-inline'") || d.has("'strict-dynamic'") {
		return false
	}
	return !d.any(func(s string) bool { return hasPrefixFold(s, "'nonce-") || isHashSource(s) })
}

// locations is the list of those sources that name places, not code.
func (d *directive) locations() string {
	var kept []string
	for s := range d.sources() {
		if s[0] != '\'' || strings.EqualFold(s, "'self'") || strings.EqualFold(s, "'none'") {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " ")
}

func isHashSource(s string) bool {
	return hasPrefixFold(s, "'sha256-") || hasPrefixFold(s, "'sha384-") || hasPrefixFold(s, "'sha512-")
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// target is the page's own origin as the browser sees it.
type target struct {
	scheme, host string // host may carry a port
}

// matches says whether a source expression admits a path on the page's own
// origin.
func (t target) matches(source, path string) bool {
	switch {
	case strings.EqualFold(source, "'self'"), source == "*":
		return true
	case source == "" || source[0] == '\'':
		return false
	}
	if scheme, ok := strings.CutSuffix(source, ":"); ok && !strings.ContainsAny(scheme, "/.:") {
		return t.matchesScheme(scheme)
	}
	if scheme, rest, ok := strings.Cut(source, "://"); ok {
		if !t.matchesScheme(scheme) {
			return false
		}
		source = rest
	}
	hostPort, prefix, _ := strings.Cut(source, "/")
	path, _, _ = strings.Cut(path, "?")
	return t.matchesHost(hostPort) && matchesPath(prefix, path)
}

// matchesScheme: http in a policy stands for https too.
func (t target) matchesScheme(scheme string) bool {
	return strings.EqualFold(scheme, t.scheme) || strings.EqualFold(scheme, "http") && t.scheme == "https"
}

func (t target) matchesHost(source string) bool {
	pattern, port, hasPort := strings.Cut(source, ":")
	host, ownPort, err := net.SplitHostPort(t.host)
	if err != nil {
		host, ownPort = t.host, defaultPort(t.scheme)
	}
	if !hasPort {
		port = defaultPort(t.scheme)
	}
	if port != "*" && port != ownPort && !(port == "80" && ownPort == "443") {
		return false
	}
	if pattern == "*" {
		return true
	}
	if strings.HasPrefix(pattern, "*.") {
		suffix := pattern[1:]
		return len(host) > len(suffix) && strings.EqualFold(host[len(host)-len(suffix):], suffix)
	}
	return strings.EqualFold(pattern, host)
}

// matchesPath: a path that ends in a slash stands for all below it, any other
// for itself. prefix has lost its leading slash.
func matchesPath(prefix, path string) bool {
	path = strings.TrimPrefix(path, "/")
	if prefix == "" || strings.HasSuffix(prefix, "/") {
		return strings.HasPrefix(path, prefix)
	}
	return path == prefix
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}
