package inject

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// gate decides on the final status and header whether the response is a page
// that can be instrumented (rules 5 to 9, 17 and 18), and prepares for it. It
// changes no header.
func (w *writer) gate() Outcome {
	h := w.rw.Header()
	if skip := gateStatus(w.status); skip != Injected {
		return skip
	}
	if hasToken(h[MarkerHeader], Injected.String()) {
		return SkippedMarked
	}
	charsetKnown, xml := false, false
	kind, ok := h["Content-Type"]
	switch {
	case ok && len(kind) == 1:
		media, charset := parseMediaType(kind[0])
		switch {
		case strings.EqualFold(media, "text/html"):
		case w.in.xhtml && strings.EqualFold(media, "application/xhtml+xml"):
			xml = true
		default:
			return SkippedMediaType
		}
		if charset != "" && !knownCharset(charset) {
			return SkippedCharset
		}
		charsetKnown = charset != ""
		w.mode = modeScan
	case !ok && w.sniffable(h):
		w.mode = modeSniff
	default:
		return SkippedMediaType
	}
	if skip := gateHeader(h); skip != Injected {
		return skip
	}
	if skip := w.gatePolicies(h); skip != Injected {
		return skip
	}
	if skip := w.gateEncoding(h); skip != Injected {
		return skip
	}
	w.scanner.init(charsetKnown, xml, len(w.snippet))
	w.scanner.wantXUA = w.in.afterXUA && !xml
	return Injected
}

// gateStatus keeps away from answers without a body of their own, from parts
// and from redirects; errors are pages too (rule 5).
func gateStatus(status int) Outcome {
	switch {
	case status < 200, 300 <= status && status < 400:
		return SkippedStatus
	}
	switch status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusPartialContent:
		return SkippedStatus
	}
	return Injected
}

// gateHeader knows the responses that must stay as they are (rule 8).
func gateHeader(h http.Header) Outcome {
	for _, v := range h["Content-Disposition"] {
		kind, _, _ := strings.Cut(v, ";")
		if strings.EqualFold(strings.TrimSpace(kind), "attachment") {
			return SkippedAttachment
		}
	}
	if hasToken(h["Cache-Control"], "no-transform") {
		return SkippedNoTransform
	}
	for _, v := range h["Signature-Input"] {
		if strings.Contains(v, `"content-digest"`) || strings.Contains(v, `"repr-digest"`) {
			return SkippedSigned
		}
	}
	if v := h["Content-Length"]; len(v) > 0 && v[0] == "0" {
		return SkippedEmpty
	}
	return Injected
}

// gateEncoding accepts plain bodies and the codings that can be undone (rule 9).
func (w *writer) gateEncoding(h http.Header) Outcome {
	coding := ""
	for _, line := range h["Content-Encoding"] {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.TrimSpace(name)
			if name == "" || strings.EqualFold(name, "identity") {
				continue
			}
			if coding != "" {
				return SkippedEncoding // stacked
			}
			coding = strings.ToLower(name)
		}
	}
	if coding != "" {
		if open := decoders[coding]; open != nil {
			w.decoder = newDecoder(w, open)
			return Injected
		}
		return SkippedEncoding
	}
	if v := h["Content-Length"]; len(v) == 1 {
		if n, err := strconv.ParseInt(v[0], 10, 64); err == nil && n > 0 {
			w.length = n
		}
	}
	return Injected
}

// sniffable says whether net/http would guess the missing Content-Type.
func (w *writer) sniffable(h http.Header) bool {
	return w.req.Method != http.MethodHead && len(h["Content-Encoding"]) == 0 && len(h["Transfer-Encoding"]) == 0 &&
		!hasToken(h["X-Content-Type-Options"], "nosniff")
}

// sniff guesses the type from the first bytes, as net/http does (rule 6).
func (w *writer) sniff(p []byte) Outcome {
	if !strings.HasPrefix(http.DetectContentType(p[:min(len(p), sniffLen)]), "text/html") {
		return SkippedMediaType
	}
	w.sniffed = true
	w.scanner.charsetKnown = true
	w.mode = modeScan
	return Injected
}

// parseMediaType splits a Content-Type into type and charset. The two forms
// that nearly all pages have need no allocation.
func parseMediaType(v string) (media, charset string) {
	media, params, found := strings.Cut(v, ";")
	media = strings.TrimSpace(media)
	if !found {
		return media, ""
	}
	params = strings.TrimSpace(params)
	const name = "charset="
	if len(params) > len(name) && strings.EqualFold(params[:len(name)], name) && !strings.ContainsAny(params, `;" \`) {
		return media, params[len(name):]
	}
	if _, all, err := mime.ParseMediaType(v); err == nil {
		return media, strings.TrimSpace(all["charset"])
	}
	return media, sloppyCharset(params)
}

// sloppyCharset reads what mime refuses and browsers take: doubled or broken
// parameters. The first charset counts.
func sloppyCharset(params string) string {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(name), "charset") {
			return strings.Trim(value, "\" \t")
		}
	}
	return ""
}
