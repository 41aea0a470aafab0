package inject

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// benchPage is a page of about n bytes with an ordinary beginning.
func benchPage(n int, declared bool) []byte {
	head := "<!DOCTYPE html>\n<html lang=\"en-GB\" class=\"no-js\">\n<!-- a comment of the theme -->\n<head>\n"
	if declared {
		head += "<meta charset=\"utf-8\">\n"
	}
	return []byte(head + "<title>A page</title>\n</head>\n<body>\n" + strings.Repeat("<p class=\"x\">Some text.</p>\n", n/29))
}

func BenchmarkScanner(b *testing.B) {
	for name, c := range map[string]struct {
		page  []byte
		known bool
	}{
		"charset in header": {benchPage(100<<10, true), true},
		"charset in meta":   {benchPage(100<<10, true), false},
		"charset nowhere":   {benchPage(100<<10, false), false},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var s scanner
			for b.Loop() {
				s.init(c.known, false, len(testScript))
				if _, done := s.next(c.page); !done {
					b.Fatal("no place found")
				}
			}
		})
	}
}

// BenchmarkTokenizer is the reference doing the same up to the head.
func BenchmarkTokenizer(b *testing.B) {
	page := benchPage(100<<10, true)
	b.ReportAllocs()
	for b.Loop() {
		z := html.NewTokenizer(bytes.NewReader(page))
		for {
			if tt := z.Next(); tt == html.StartTagToken {
				if name, _ := z.TagName(); string(name) == "head" {
					break
				}
			}
		}
	}
}

// nothing is the cheapest writer there can be, so that only our part is measured.
type nothing struct{ header http.Header }

func (n *nothing) Header() http.Header         { return n.header }
func (n *nothing) WriteHeader(int)             {}
func (n *nothing) Write(p []byte) (int, error) { return len(p), nil }

// browserHeader is what a browser sends with a navigation.
func browserHeader() http.Header {
	return http.Header{
		"Accept":                    {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
		"Accept-Encoding":           {"gzip, deflate, br, zstd"},
		"Accept-Language":           {"en-GB,en;q=0.5"},
		"Cookie":                    {"session=0123456789abcdef"},
		"Sec-Fetch-Dest":            {"document"},
		"Sec-Fetch-Mode":            {"navigate"},
		"Sec-Fetch-Site":            {"none"},
		"Sec-Fetch-User":            {"?1"},
		"Upgrade-Insecure-Requests": {"1"},
		"User-Agent":                {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
	}
}

// benchServe measures ServeHTTP around a handler that sends pieces, and the
// handler alone, whose cost is to be subtracted.
func benchServe(b *testing.B, fields http.Header, pieces ...[]byte) {
	in := newInjector(b, nil)
	r := navigation("GET")
	r.Header = browserHeader()
	for name, serve := range map[string]func(http.ResponseWriter, *http.Request, nextFunc) error{
		"injected": func(w http.ResponseWriter, r *http.Request, next nextFunc) error { return in.ServeHTTP(w, r, next) },
		"bare":     func(w http.ResponseWriter, r *http.Request, next nextFunc) error { return next(w, r) },
	} {
		b.Run(name, func(b *testing.B) {
			w := &nothing{make(http.Header, 16)}
			next := func(w http.ResponseWriter, _ *http.Request) error {
				h := w.Header()
				clear(h)
				for k, v := range fields {
					h[k] = v
				}
				w.WriteHeader(http.StatusOK)
				for _, p := range pieces {
					if _, err := w.Write(p); err != nil {
						return err
					}
				}
				return nil
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := serve(w, r, next); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func pageFields(n int) http.Header {
	return http.Header{
		"Content-Type":   {htmlUTF8},
		"Content-Length": {strconv.Itoa(n)},
		"Etag":           {`"0123456789abcdef"`},
		"Last-Modified":  {"Mon, 02 Nov 2026 10:00:00 GMT"},
		"Cache-Control":  {"no-cache"},
	}
}

// BenchmarkPage delivers a page as Caddy's reverse_proxy does: 3.6 KB first,
// then pieces of 32 KB.
func BenchmarkPage(b *testing.B) {
	for _, size := range []int{10 << 10, 100 << 10, 1 << 20} {
		b.Run(strconv.Itoa(size>>10)+" KB", func(b *testing.B) {
			page := benchPage(size, true)
			pieces := [][]byte{page[:3600]}
			for rest := page[3600:]; len(rest) > 0; rest = rest[min(32<<10, len(rest)):] {
				pieces = append(pieces, rest[:min(32<<10, len(rest))])
			}
			benchServe(b, pageFields(len(page)), pieces...)
		})
	}
}

// nonceDirectives is a policy of the strict kind, the dearest to judge.
const nonceDirectives = "default-src 'self'; img-src *; script-src 'nonce-4AEemGb0xJptoIGFP3Nd' 'strict-dynamic' https: 'unsafe-inline'; object-src 'none'"

func BenchmarkPageWithPolicy(b *testing.B) {
	page := benchPage(100<<10, true)
	fields := pageFields(len(page))
	fields["Content-Security-Policy"] = []string{nonceDirectives}
	benchServe(b, fields, page)
}

func BenchmarkImage(b *testing.B) {
	image := bytes.Repeat([]byte{0x89}, 32<<10)
	benchServe(b, http.Header{"Content-Type": {"image/png"}, "Content-Length": {strconv.Itoa(len(image))}}, image)
}

// BenchmarkNotACandidate is what images, scripts and fetches cost.
func BenchmarkNotACandidate(b *testing.B) {
	in := newInjector(b, nil)
	r := navigation("GET")
	r.Header = browserHeader()
	r.Header["Sec-Fetch-Dest"] = []string{"image"}
	w := &nothing{make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		_ = in.ServeHTTP(w, r, nextFunc(func(http.ResponseWriter, *http.Request) error { return nil }))
	}
}

func BenchmarkGzipPage(b *testing.B) {
	page := benchPage(100<<10, true)
	fields := pageFields(0)
	fields["Content-Encoding"] = []string{"gzip"}
	delete(fields, "Content-Length")
	benchServe(b, fields, []byte(compress(b, "gzip", string(page))))
}

// TestAllocationBudget keeps what the benchmarks show: a page costs at most 10
// allocations of ours, with a policy to be judged too, and a request that is no
// candidate none.
func TestAllocationBudget(t *testing.T) {
	if poolsForget {
		t.Skip("the race detector changes what is allocated; run without -race")
	}
	in := newInjector(t, nil)
	page := benchPage(100<<10, true)
	fields := pageFields(len(page))
	w := &nothing{make(http.Header, 16)}
	r := navigation("GET")
	r.Header = browserHeader()
	next := nextFunc(func(w http.ResponseWriter, _ *http.Request) error {
		h := w.Header()
		clear(h)
		for k, v := range fields {
			h[k] = v
		}
		w.WriteHeader(http.StatusOK)
		_, err := w.Write(page)
		return err
	})
	measure := func() float64 {
		return testing.AllocsPerRun(200, func() { _ = in.ServeHTTP(w, r, next) })
	}
	if got := measure(); got > 10 {
		t.Errorf("a page costs %v allocations", got)
	}
	fields["Content-Security-Policy"] = []string{nonceDirectives}
	if got := measure(); got > 10 {
		t.Errorf("a page with a policy costs %v allocations", got)
	}
	r.Header["Sec-Fetch-Dest"] = []string{"image"}
	next = func(http.ResponseWriter, *http.Request) error { return nil }
	if got := measure(); got > 0 {
		t.Errorf("an image costs %v allocations", got)
	}
}
