//go:build linux

package main

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// content is what the upstream serves, by path.
var content = map[string]struct {
	kind string
	body []byte
}{
	"/10k":    {"text/html; charset=utf-8", document(10 << 10)},
	"/100k":   {"text/html; charset=utf-8", document(100 << 10)},
	"/1m":     {"text/html; charset=utf-8", document(1 << 20)},
	"/image":  {"image/jpeg", noise(32 << 10)},
	"/script": {"text/javascript; charset=utf-8", document(32 << 10)},
	"/json":   {"application/json", document(4 << 10)},
}

const head = "<!DOCTYPE html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n<title>A page of the shop</title>\n" +
	"<link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n"

// document is a page of n bytes, which compresses about as real ones do.
func document(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	page := append(make([]byte, 0, n), head...)
	for len(page) < n {
		page = append(page, "<p class=\"item\">"...)
		for range 12 {
			// Short words come often, as in a language.
			length := 2 + random.IntN(2+random.IntN(7))
			for range length {
				page = append(page, "etaoinshrdlucmfwypvbgkjqxz"[random.IntN(1+random.IntN(26))])
			}
			page = append(page, ' ')
		}
		page = append(page, "</p>\n"...)
	}
	return page[:n]
}

// noise does not compress.
func noise(n int) []byte {
	random := rand.New(rand.NewPCG(3, 4))
	body := make([]byte, n)
	for i := range body {
		body[i] = byte(random.Uint32())
	}
	return body
}

// origin is the upstream of all sides. It never compresses.
func origin(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if at, slow := strings.CutPrefix(r.URL.Path, "/slow/"); slow {
		pauses(w, r, at)
		return
	}
	found, ok := content[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h.Set("Content-Type", found.kind)
	h.Set("Content-Length", strconv.Itoa(len(found.body)))
	h.Set("ETag", `"5f3a9c01"`)
	h.Set("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	_, _ = w.Write(found.body)
}

// mark is the last that comes before a pause.
const mark = "<!-- pause -->"

// slowPages are cut at the mark.
var slowPages = map[string]string{
	"before head": "<!doctype html>" + mark + "<html><head><title>Slow</title></head><body><p>Text</p></body></html>",
	"inside head": "<!doctype html><html><head><title>Slow</title>" + mark + "<style>p{color:red}</style></head><body><p>Text</p></body></html>",
	"after head":  "<!doctype html><html><head><title>Slow</title></head><body><p>Text</p>" + mark + "<p>More</p></body></html>",
}

// pauses serves a page with a pause in it: ?pause= says how long, ?length=1
// declares the length, ?charset= is that of the header.
func pauses(w http.ResponseWriter, r *http.Request, at string) {
	page := []byte(slowPages[at])
	cut := bytes.Index(page, []byte(mark)) + len(mark)
	query := r.URL.Query()
	pause, err := time.ParseDuration(query.Get("pause"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/html"+query.Get("charset"))
	if query.Has("length") {
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	}
	_, _ = w.Write(page[:cut])
	_ = http.NewResponseController(w).Flush()
	time.Sleep(pause)
	_, _ = w.Write(page[cut:])
}
