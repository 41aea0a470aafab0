// Package inject puts one script element into HTML pages that pass through a
// handler, and leaves every other byte of every response as it was.
//
// The place is where the browser's parser would first create something inside
// <head>. It is found by a scanner that follows the HTML standard's tokenizer
// and forwards the page while it reads; behind the place nothing is looked at.
// Whatever cannot be instrumented for certain passes untouched, and the reason
// is counted. The rules are numbered; docs/injection.md explains them.
package inject

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
)

// MarkerHeader is set to "injected" on every response that got the script, so
// that a second proxy leaves it alone (rule 8). With Config.Debug it also
// gives the reason where there is none.
const MarkerHeader = "X-Script-Injection"

// Config says what to inject and where. Snippet and Version are required; the
// zero value of everything else is the default.
type Config struct {
	// Snippet is one external script, in printable ASCII, with a src that is an
	// absolute path:
	//
	//	<script src="/path?v=hash" data-key="value"></script>
	//
	// Neither <base> nor the Host header has a say in its address (rule 12). A
	// site that stands below several prefixes takes one Injector for each.
	Snippet []byte
	// Version is a hash of snippet and configuration, 8 lower-case hexadecimal
	// digits. It becomes part of entity tags: a copy of a page that was stored
	// with another version is never confirmed by a 304.
	Version string
	// Integrity is the hash of the script's bytes, "sha256-<base64>" (or 384,
	// 512). It is written into pages only where their policy asks for it (rules
	// 17 and 18): a stored page with the hash of an older script would not run
	// the new one. Empty: not known.
	Integrity string
	// ConnectPath is the absolute path that the script sends to. A page whose
	// policy forbids that is treated like one that forbids the script. Empty: not checked.
	ConnectPath string
	// Origin returns scheme and host under which the browser knows the page,
	// for the evaluation of its policy and nothing else. Nil: TLS and Host of
	// the request.
	Origin func(*http.Request) (scheme, host string)
	// AmendCSP extends a Content-Security-Policy that forbids the script as
	// little as possible, instead of skipping the page (rule 17).
	AmendCSP bool
	// Frames also injects into documents loaded in frames and the like.
	Frames bool
	// AppShell lists the paths of pages that a service worker stores with
	// cache.addAll, which browsers mark as Sec-Fetch-Dest: empty.
	AppShell []string
	// XHTML also injects into application/xhtml+xml. The snippet must then be
	// well-formed XML.
	XHTML bool
	// AfterXUACompatible puts the script behind <meta http-equiv=
	// X-UA-Compatible>, which Internet Explorer mode wants before any script.
	AfterXUACompatible bool
	// Debug gives the outcome in MarkerHeader on every response.
	Debug bool
	// Observe is told the outcome, once per request. It must not block.
	Observe func(Outcome)
	// Logger gets what an operator may want to know, at debug level. Nil: nothing.
	Logger *slog.Logger
	// Rand is the source of nonces for AmendCSP. Nil: crypto/rand.
	Rand io.Reader
}

// Injector injects one site's script. It is safe for concurrent use.
type Injector struct {
	snippet     *snippet
	tagSuffix   string // -i<version>"
	synthPrefix string // W/"i<version>-
	policy      policyConfig
	frames      bool
	xhtml       bool
	afterXUA    bool
	debug       bool
	appShell    map[string]bool
	leftAlone   *leftAlone
	observe     func(Outcome)
	logger      *slog.Logger
}

// New checks the configuration.
func New(c Config) (*Injector, error) {
	snippet, err := newSnippet(c.Snippet, c.Integrity)
	if err != nil {
		return nil, err
	}
	if c.XHTML {
		if err := snippet.wellFormed(); err != nil {
			return nil, err
		}
	}
	if !isVersion(c.Version) {
		return nil, fmt.Errorf("inject: version %q must be 8 lower-case hexadecimal digits", c.Version)
	}
	if c.ConnectPath != "" && c.ConnectPath[0] != '/' {
		return nil, errors.New("inject: the path that the script sends to must be absolute")
	}
	in := &Injector{
		snippet:     snippet,
		tagSuffix:   "-i" + c.Version + `"`,
		synthPrefix: `W/"i` + c.Version + "-",
		policy:      newPolicyConfig(c),
		frames:      c.Frames,
		xhtml:       c.XHTML,
		afterXUA:    c.AfterXUACompatible,
		debug:       c.Debug,
		leftAlone:   newLeftAlone(),
		appShell:    make(map[string]bool, len(c.AppShell)),
		observe:     c.Observe,
		logger:      c.Logger,
	}
	for _, path := range c.AppShell {
		in.appShell[path] = true
	}
	if in.observe == nil {
		in.observe = func(Outcome) {}
	}
	if in.logger == nil {
		in.logger = slog.New(slog.DiscardHandler)
	}
	return in, nil
}

// Handler is what an Injector stands in front of. It has the method of Caddy's
// handlers, which can so be passed on as they are: a method value would be an
// allocation for every request.
type Handler interface {
	ServeHTTP(http.ResponseWriter, *http.Request) error
}

// ServeHTTP calls next and injects into what it answers, if that is a page.
// The error of next is returned as it is; if nothing was sent by then, nothing
// will be (rule 20). A panic of next passes through.
func (in *Injector) ServeHTTP(w http.ResponseWriter, r *http.Request, next Handler) error {
	if skip := in.candidate(w, r); skip != Injected {
		in.observe(skip)
		if in.debug && skip != SkippedNested {
			w.Header().Set(MarkerHeader, skip.String())
		}
		return next.ServeHTTP(w, r)
	}
	iw, out := in.wrap(w, r)
	defer iw.close()
	return iw.finish(next.ServeHTTP(iw, out))
}

func isVersion(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 8
}
