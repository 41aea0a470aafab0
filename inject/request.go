package inject

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// candidate is the gate for requests (rules 1, 2 and 8): whether the answer
// may be a page that a browser shows. It answers Injected for those.
func (in *Injector) candidate(w http.ResponseWriter, r *http.Request) Outcome {
	h := r.Header
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		return SkippedMethod
	}
	if len(h["Upgrade"]) > 0 || hasToken(h["Connection"], "upgrade") {
		return SkippedUpgrade
	}
	if skip := in.destination(r); skip != Injected {
		return skip
	}
	if hasToken(h["Cache-Control"], "no-transform") {
		return SkippedNoTransform
	}
	if nested(w) {
		return SkippedNested
	}
	return Injected
}

// destination judges by Sec-Fetch-Dest, which every current browser sends to
// https and localhost, and without it by what scripts and browsers put into
// other headers (rule 2).
func (in *Injector) destination(r *http.Request) Outcome {
	h := r.Header
	if dest := h["Sec-Fetch-Dest"]; len(dest) > 0 {
		switch dest[0] {
		case "document":
			return Injected
		case "iframe", "frame", "embed", "object", "fencedframe":
			if in.frames {
				return Injected
			}
		case "empty":
			// A service worker that stores its page with cache.addAll.
			if in.appShell[r.URL.Path] && !isFragment(h) {
				return Injected
			}
		}
		return SkippedDestination
	}
	if isFragment(h) {
		return SkippedFragment
	}
	if !in.accepts(h["Accept"]) {
		return SkippedAccept
	}
	return Injected
}

// isFragment says whether a script asks for a piece of a page, to put it into
// a page that has our script already.
func isFragment(h http.Header) bool {
	if v := h["X-Requested-With"]; len(v) > 0 && strings.EqualFold(v[0], "XMLHttpRequest") {
		return true
	}
	return len(h["Hx-Request"]) > 0 || len(h["Turbo-Frame"]) > 0 || len(h["X-Pjax"]) > 0 ||
		len(h["X-Inertia"]) > 0 || len(h["X-Up-Version"]) > 0
}

// accepts says whether Accept allows HTML, or is not there at all.
func (in *Injector) accepts(accept []string) bool {
	empty := true
	for _, line := range accept {
		for member := range strings.SplitSeq(line, ",") {
			kind, params, _ := strings.Cut(member, ";")
			kind = strings.TrimSpace(kind)
			empty = empty && kind == ""
			if (in.isPage(kind) || kind == "*/*" || strings.EqualFold(kind, "text/*")) && !refused(params) {
				return true
			}
		}
	}
	return empty
}

// isPage says whether a media type is one that can be instrumented.
func (in *Injector) isPage(kind string) bool {
	return strings.EqualFold(kind, "text/html") || in.xhtml && strings.EqualFold(kind, "application/xhtml+xml")
}

// wantsPage tells a candidate that asks for a page from one that would take it
// among everything else. Browsers name text/html in every navigation. What they
// ask for with */* alone is images, scripts and data, and on plain http, where
// they send no Sec-Fetch-Dest, nothing else tells it apart.
func (in *Injector) wantsPage(h http.Header) bool {
	if len(h["Sec-Fetch-Dest"]) > 0 {
		return true
	}
	for _, line := range h["Accept"] {
		for member := range strings.SplitSeq(line, ",") {
			kind, _, _ := strings.Cut(member, ";")
			if in.isPage(strings.TrimSpace(kind)) {
				return true
			}
		}
	}
	return false
}

// refused says whether the parameters of an Accept member hold a q of zero.
func refused(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return err == nil && q == 0
	}
	return false
}

// validators is what became of a request's validators (rule 4).
type validators struct {
	translated bool   // some carried our suffix
	etag       string // the client's, with our suffix, where it has only one
}

// wrap makes what the next handler gets: a writer, and a request that asks for
// plain text (rule 3) with only those validators that are of instrumented
// copies, without our suffix (rule 4). The caller's request is not touched: one
// that differs is a copy, with a header of its own.
func (in *Injector) wrap(w http.ResponseWriter, r *http.Request) (*writer, *http.Request) {
	if isPlain(r.Header) {
		return &writer{rw: w, in: in, req: r}, r
	}
	both := &struct { // one allocation instead of two
		writer
		out http.Request
	}{writer: writer{rw: w, in: in, req: r}, out: *r}
	both.out.Header = maps.Clone(r.Header)
	if both.out.Header == nil {
		both.out.Header = make(http.Header, 1)
	}
	both.prepare(both.out.Header)
	return &both.writer, &both.out
}

// isPlain says whether a request header is already what prepare would make of
// it.
func isPlain(h http.Header) bool {
	accept := h["Accept-Encoding"]
	return len(accept) == 1 && accept[0] == "identity" &&
		len(h["If-None-Match"]) == 0 && len(h["If-Modified-Since"]) == 0 && len(h["If-Range"]) == 0
}

// prepare changes the header of the copied request.
func (w *writer) prepare(h http.Header) {
	h["Accept-Encoding"] = w.value("identity")
	if w.req.Method == http.MethodPost {
		return // If-None-Match then guards a change, not a copy
	}
	// A date would match upstream and fetch the rest of another page than the
	// one the client has the beginning of. An entity tag carries our suffix or
	// is of an older copy; either way the answer is the whole page.
	page := w.in.wantsPage(h)
	if v := h["If-Range"]; page && len(v) > 0 && !strings.Contains(v[0], `"`) {
		delete(h, "If-Range")
		delete(h, "Range")
	}
	w.validators = w.in.translate(w.req, h, page)
}

// translate rewrites If-None-Match and If-Modified-Since in h, the header of
// what r becomes (rule 4).
func (in *Injector) translate(r *http.Request, h http.Header, page bool) validators {
	kept, since, v := in.ours(h["If-None-Match"])
	if !v.translated {
		if !page {
			return v // the copy is of an image or the like, whose 304 spares its bytes
		}
		kept = in.others(r)
	}
	delete(h, "If-None-Match")
	if len(kept) > 0 {
		h["If-None-Match"] = []string{strings.Join(kept, ", ")}
		return v
	}
	// A date alone may be that of a copy without the script.
	delete(h, "If-Modified-Since")
	if since != "" {
		h["If-Modified-Since"] = []string{since}
	}
	return v
}

// ours picks the members of If-None-Match that carry our suffix: the entity
// tags without it, and the date that a synthetic one stands for.
func (in *Injector) ours(lines []string) (kept []string, since string, v validators) {
	for _, line := range lines {
		for tag := range entityTags(line) {
			if date, ok := in.syntheticDate(tag); ok {
				since = date
			} else if plain, ok := in.stripTag(tag); ok {
				kept = append(kept, plain)
			} else {
				continue
			}
			v.etag = tag
			if v.translated {
				v.etag = "" // which of them a 304 means, only its own tag can tell
			}
			v.translated = true
		}
	}
	return kept, since, v
}

// others picks the members of If-None-Match that are of responses without the
// script, which are to stay without it.
func (in *Injector) others(r *http.Request) (kept []string) {
	for _, line := range r.Header["If-None-Match"] {
		for tag := range entityTags(line) {
			if in.leftAlone.has(r, tag) {
				kept = append(kept, tag)
			}
		}
	}
	return kept
}

// stripTag removes our suffix from an entity tag, if it has the current one.
func (in *Injector) stripTag(tag string) (plain string, ok bool) {
	plain, ok = strings.CutSuffix(tag, in.tagSuffix)
	return plain + `"`, ok
}

// addTag puts our suffix before the closing quote; weak stays weak.
func (in *Injector) addTag(tag string) string {
	if plain, ok := strings.CutSuffix(tag, `"`); ok {
		return plain + in.tagSuffix
	}
	return tag
}

// syntheticTag makes an entity tag for a page that has only Last-Modified, so
// that copies with and without the script can be told apart (rule 15).
func (in *Injector) syntheticTag(lastModified string) string {
	t, err := http.ParseTime(lastModified)
	if err != nil {
		return ""
	}
	return in.synthPrefix + strconv.FormatInt(t.Unix(), 16) + `"`
}

// syntheticDate is the reverse of syntheticTag.
func (in *Injector) syntheticDate(tag string) (date string, ok bool) {
	hex, ok := strings.CutPrefix(tag, in.synthPrefix)
	if !ok {
		return "", false
	}
	seconds, err := strconv.ParseInt(strings.TrimSuffix(hex, `"`), 16, 64)
	if err != nil {
		return "", false
	}
	return time.Unix(seconds, 0).UTC().Format(http.TimeFormat), true
}

// entityTags yields the members of an If-None-Match line. A comma inside the
// quotes is part of the tag.
func entityTags(line string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for {
			line = strings.TrimLeft(line, " \t,")
			if line == "" {
				return
			}
			end := strings.IndexByte(line, ',')
			if open := strings.IndexByte(line, '"'); open >= 0 && (end < 0 || open < end) {
				closing := strings.IndexByte(line[open+1:], '"')
				if closing < 0 {
					return
				}
				end = open + 1 + closing + 1
			}
			if end < 0 {
				end = len(line)
			}
			if !yield(strings.TrimRight(line[:end], " \t")) {
				return
			}
			line = line[end:]
		}
	}
}

// hasToken says whether a comma-separated header holds the lower-case token,
// with or without an argument.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			member, _, _ = strings.Cut(member, "=")
			if strings.EqualFold(strings.TrimSpace(member), token) {
				return true
			}
		}
	}
	return false
}

// nested says whether w leads to an injector's writer: two handlers in one
// chain must not both inject (rule 1).
func nested(w http.ResponseWriter) bool {
	for w != nil {
		if _, ok := w.(*writer); ok {
			return true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
	return false
}
