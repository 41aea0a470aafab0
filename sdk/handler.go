package sdk

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

const (
	// immutable is for the URL that names this very bundle.
	immutable = "public, max-age=31536000, immutable"
	// brief is for every other URL, so that pages from a cache that name an
	// older bundle get the new one soon (B37).
	brief = "public, max-age=300"
)

// Handler serves the bundle to GET and HEAD on whatever path it is mounted.
// ?v= with the current [Hash] is cached for a year, anything else for five
// minutes. It compresses once, answers If-None-Match, and answers other methods
// with 405.
func Handler() http.Handler { return http.HandlerFunc(serve) }

var compressed = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	// Neither can fail: the level is valid and a Buffer takes everything.
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(Script())
	_ = w.Close()
	return b.Bytes()
})

var plain = sync.OnceValue(Script)

func serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	h.Set("Cache-Control", brief)
	if r.URL.Query().Get("v") == hash {
		h.Set("Cache-Control", immutable)
	}
	h.Set("Vary", "Accept-Encoding")
	body, etag := plain(), `"`+hash+`"`
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		body, etag = compressed(), `"`+hash+`-gzip"`
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
