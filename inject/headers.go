package inject

import (
	"net/http"
	"strings"
)

// isDigest knows the fields that describe the exact bytes of a body.
func isDigest(canonical string) bool {
	switch canonical {
	case "Content-Md5", "Digest", "Content-Digest", "Repr-Digest":
		return true
	}
	return false
}

// instrument makes the header of a page that of a page with the script in it
// (rule 15). Cache-Control, cookies and everything else stay (rule 16).
func (w *writer) instrument(h http.Header) {
	w.describe(h)
	if w.policies != nil {
		h["Content-Security-Policy"] = w.policies
	}
	if w.sniffed {
		h["Content-Type"] = w.value("text/html; charset=utf-8") // what net/http would guess
	}
	h[MarkerHeader] = w.value(Injected.String())
}

// describe makes the fields true that say which representation this is.
func (w *writer) describe(h http.Header) {
	if tags := h["Etag"]; len(tags) > 0 {
		h["Etag"] = w.value(w.in.addTag(tags[0]))
	} else if dates := h["Last-Modified"]; len(dates) > 0 {
		if tag := w.in.syntheticTag(dates[0]); tag != "" {
			h["Etag"] = w.value(tag)
		}
	}
	for name := range h {
		if isDigest(name) || name == "Accept-Ranges" {
			delete(h, name)
		}
	}
	if trailer := h["Trailer"]; len(trailer) > 0 {
		h["Trailer"] = withoutDigests(trailer)
	}
	if w.req.Method != http.MethodPost && !hasToken(h["Cache-Control"], "no-store") {
		w.addVary(h)
	}
}

// confirm mends a 304 to a request whose validators were translated: the
// client must find the entity tag again that its copy has.
func (w *writer) confirm(h http.Header) {
	if !w.validators.translated {
		return
	}
	w.describe(h)
	w.confirmPolicies(h)
	delete(h, "Content-Length")
	if len(h["Etag"]) == 0 && w.validators.etag != "" {
		h["Etag"] = w.value(w.validators.etag)
	}
}

// addVary says that the answer depends on Sec-Fetch-Dest, present or not. It
// stays one line: nginx takes the last line of several for the whole field, and
// would serve its copy of one language to readers of another.
func (w *writer) addVary(h http.Header) {
	vary := h["Vary"]
	if len(vary) == 0 {
		h["Vary"] = w.value("Sec-Fetch-Dest")
		return
	}
	if hasToken(vary, "sec-fetch-dest") || hasToken(vary, "*") {
		return
	}
	h["Vary"] = w.value(strings.Join(vary, ", ") + ", Sec-Fetch-Dest")
}

// dropTrailers removes digests that the handler set as trailers after the body.
func dropTrailers(h http.Header) {
	for name := range h {
		plain, trailer := strings.CutPrefix(name, http.TrailerPrefix)
		if trailer {
			plain = http.CanonicalHeaderKey(plain)
		}
		if isDigest(plain) {
			delete(h, name)
		}
	}
}

// withoutDigests removes the digests from a list of field names.
func withoutDigests(lines []string) []string {
	var kept []string
	found := false
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.TrimSpace(name)
			if isDigest(http.CanonicalHeaderKey(name)) {
				found = true
			} else if name != "" {
				kept = append(kept, name)
			}
		}
	}
	if !found {
		return lines
	}
	return kept
}

// value makes a header value. The first few share the writer's memory instead
// of taking some of their own.
func (w *writer) value(s string) []string {
	if w.valuesUsed == len(w.values) {
		return []string{s}
	}
	i := w.valuesUsed
	w.valuesUsed++
	w.values[i] = s
	return w.values[i : i+1 : i+1]
}
