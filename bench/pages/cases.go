//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// kase is one thing that is asked for, of all sides.
type kase struct {
	name   string
	site   variant
	path   string
	dest   string // Sec-Fetch-Dest
	accept string
	conns  int
}

const acceptPage = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// cases are all that processor time is measured of.
func cases() []kase {
	var all []kase
	for _, conns := range []int{1, 16} {
		for _, page := range []struct{ name, path string }{{"10 KB", "/10k"}, {"100 KB", "/100k"}, {"1 MB", "/1m"}} {
			all = append(all,
				kase{"page " + page.name, bare, page.path, "document", acceptPage, conns},
				kase{"page " + page.name + ", gzip", encode, page.path, "document", acceptPage, conns})
		}
		all = append(all,
			kase{"image 32 KB", bare, "/image", "image", "image/avif,image/webp,*/*;q=0.8", conns},
			kase{"script 32 KB", bare, "/script", "script", "*/*", conns},
			kase{"JSON 4 KB", bare, "/json", "empty", "application/json", conns},
			kase{"image 32 KB as a page", bare, "/image", "document", acceptPage, conns})
	}
	for i := range all {
		all[i].name = fmt.Sprintf("%s, %d conn", all[i].name, all[i].conns)
	}
	return all
}

// header is what a browser sends. Without Accept-Encoding Go's transport would
// ask the upstream for gzip by itself.
func (k kase) header() []string {
	coding := "identity"
	if k.site == encode {
		coding = "gzip"
	}
	return []string{
		"Accept: " + k.accept,
		"Accept-Encoding: " + coding,
		"Accept-Language: en-GB,en;q=0.5",
		"Cookie: session=0123456789abcdef0123456789abcdef",
		"Sec-Fetch-Dest: " + k.dest,
		"Sec-Fetch-Mode: navigate",
		"Sec-Fetch-Site: same-origin",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	}
}

var script = regexp.MustCompile(`<script src="/_people/v1/sdk\.js\?v=[^>]*></script>`)

// compare asks every side for everything once: the answers must be equal but
// for the script, which pages of ours have once.
func (b *bench) compare() error {
	for _, k := range cases() {
		if k.conns > 1 {
			continue // the same content
		}
		var bodies [sides][]byte
		for side := range sides {
			var err error
			if bodies[side], err = fetch("http://"+b.sites[k.site][side]+k.path, k.header()); err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
		}
		want := 0
		if strings.HasPrefix(k.name, "page") {
			want = 1
		}
		if scripts := len(script.FindAll(bodies[ours], -1)); scripts != want {
			return fmt.Errorf("%s: %d scripts, not %d", k.name, scripts, want)
		}
		bodies[ours] = script.ReplaceAll(bodies[ours], nil)
		if !bytes.Equal(bodies[ours], bodies[plain]) || !bytes.Equal(bodies[control], bodies[plain]) {
			return fmt.Errorf("%s: the sides differ by more than the script", k.name)
		}
	}
	return nil
}

func fetch(url string, header []string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	defer res.Body.Close()
	var body io.Reader = res.Body
	if res.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return nil, fmt.Errorf("decompressing: %w", err)
		}
	}
	page, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", res.Status)
	}
	return page, nil
}
