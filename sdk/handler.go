package sdk

import (
	"net/http"
	"strconv"
	"strings"
)

const (
	// immutable is for the URL that names this very bundle.
	immutable = "public, max-age=31536000, immutable"
	// brief is for every other URL, so that pages from a cache that name an
	// older bundle get the new one soon (B37).
	brief = "public, max-age=300"
)

// ServeHTTP serves the script to GET and HEAD. ?v= with the current
// [Bundle.Hash] is cached for a year, anything else for five minutes. It
// compresses once, answers If-None-Match, and answers other methods with 405.
func (b *Bundle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	h.Set("Cache-Control", brief)
	if r.URL.Query().Get("v") == b.hash {
		h.Set("Cache-Control", immutable)
	}
	h.Set("Vary", "Accept-Encoding")
	body, etag := b.script, `"`+b.hash+`"`
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		body, etag = b.compressed(), `"`+b.hash+`-gzip"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", etag)
	if matches(r.Header.Values("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // a client that went away is nobody's error
	}
}

// acceptsGzip reads Accept-Encoding: gzip is taken when it is named, or covered
// by *, and not refused with a quality of zero.
func acceptsGzip(values []string) bool {
	star := false
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, parameters, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		switch wanted := quality(parameters) > 0; name {
		case "gzip", "x-gzip":
			return wanted
		case "*":
			star = wanted
		}
	}
	return star
}

func quality(parameters string) float64 {
	value, found := strings.CutPrefix(strings.TrimSpace(strings.ToLower(parameters)), "q=")
	if !found {
		return 1
	}
	q, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0
	}
	return q
}

// matches compares weakly, as If-None-Match wants it.
func matches(values []string, etag string) bool {
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == etag || part == "*" {
			return true
		}
	}
	return false
}
