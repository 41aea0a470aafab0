package inject

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests in this file are bugs that other injectors shipped. Each subtest
// is named after the public issues or pull requests that tell of it.

// injectedInto says that the response is the marked document with the script.
func injectedInto(t *testing.T, marked string, got answer) {
	t.Helper()
	require.NoError(t, got.err)
	assert.Equal(t, with(marked, testScript), got.body)
	if got.ContentLength >= 0 {
		assert.Equal(t, int64(len(got.body)), got.ContentLength)
	}
}

func TestBugsOfLength(t *testing.T) {
	t.Run("newrelic-ruby-agent 177, 312, 313, 318, 325, rack 1504, javamelody 964: bytes, not characters", func(t *testing.T) {
		marked := "<html><head>⟦⟧<title>Grüße, 世界 🌍</title></head><body>" + strings.Repeat("ß", 999) + "the end</body></html>"
		doc := with(marked, "")
		for _, length := range []bool{true, false} {
			injectedInto(t, marked, newSite(t, nil, chunked(length, doc)).get())
		}
	})
	t.Run("newrelic-ruby-agent 324: no body", func(t *testing.T) {
		s := newSite(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", htmlUTF8)
			_, err := w.Write(nil)
			return err
		})
		got := s.get()
		assert.Empty(t, got.body)
		assert.Equal(t, int64(0), got.ContentLength)
	})
	t.Run("dd-trace-java 9323: the application never flushes or closes", func(t *testing.T) {
		unfinished := "<!doctype html><html"
		assert.Equal(t, unfinished, newSite(t, nil, chunked(false, unfinished)).get().body)
		injectedInto(t, "<!doctype html>\n⟦⟧<", newSite(t, nil, chunked(false, "<!doctype html>\n<")).get())
	})
	t.Run("dd-trace-java 10081: Content-Length added twice", func(t *testing.T) {
		rec, err := run(t, newInjector(t, nil), page(testPage, "Content-Length: 79", "Content-Length: 79"))
		require.NoError(t, err)
		assert.Equal(t, with(testMarked, testScript), string(rec.body))
		assert.Empty(t, rec.header.Values("Content-Length"))
	})
	t.Run("dd-trace-java 11949, 12064: writes that begin inside a buffer, matches that begin again", func(t *testing.T) {
		for _, marked := range []string{
			"<!-- <head --><html><head>⟦⟧<title>", "<!--<<head>--><head>⟦⟧", "<!---<!---><head>⟦⟧x", "</h></he></hea><html><head>⟦⟧",
			"<!doctype html><head x=<head>⟦⟧>", testMarked,
		} {
			doc := with(marked, "")
			for i := range len(doc) {
				for _, j := range []int{i, (i + len(doc)) / 2, len(doc) - 1} {
					buffer := []byte("<head>" + doc + "<head>")
					next := func(w http.ResponseWriter, _ *http.Request) error {
						w.Header().Set("Content-Type", htmlUTF8)
						for _, part := range [][2]int{{0, i}, {i, j}, {j, len(doc)}} {
							if _, err := w.Write(buffer[6+part[0] : 6+part[1]]); err != nil {
								return err
							}
						}
						return nil
					}
					rec, err := run(t, newInjector(t, nil), next)
					require.NoError(t, err)
					require.Equal(t, with(marked, testScript), string(rec.body), "cut at %d and %d", i, j)
				}
			}
		}
	})
	t.Run("newrelic-dotnet-agent 3726: the place is the end of a write", func(t *testing.T) {
		for _, length := range []bool{true, false} {
			s := newSite(t, nil, chunked(length, "<html><head>", "<title>x</title>"))
			injectedInto(t, "<html><head>⟦⟧<title>x</title>", s.get())
		}
	})
	t.Run("wrong Content-Length upstream: as broken as without us", func(t *testing.T) {
		for _, declared := range []int{len(testPage) - 10, len(testPage) + 10} {
			next := func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", htmlUTF8)
				w.Header().Set("Content-Length", strconv.Itoa(declared))
				_, _ = io.WriteString(w, testPage[:40])
				_, _ = io.WriteString(w, testPage[40:])
				return nil
			}
			got, want := newSite(t, nil, next).get(), fetch(t, direct(t, next), "GET")
			assert.Equal(t, want.body, strings.Replace(got.body, testScript, "", 1))
			assert.Equal(t, want.err, got.err)
			assert.Equal(t, int64(declared+len(testScript)), got.ContentLength)
		}
	})
}

func TestBugsOfTwiceAndNever(t *testing.T) {
	t.Run("newrelic-dotnet-agent 3725: a head larger than the buffer", func(t *testing.T) {
		attributes := strings.Repeat(` data-x="<head>"`, 10000)
		marked := "<html><head" + attributes + ">⟦⟧" + strings.Repeat("<head>", 20000) + "</head>"
		doc := with(marked, "")
		var pieces []string
		for rest := doc; rest != ""; rest = rest[min(4096, len(rest)):] {
			pieces = append(pieces, rest[:min(4096, len(rest))])
		}
		injectedInto(t, marked, newSite(t, nil, chunked(true, pieces...)).get())
	})
	t.Run("code-dot-org 16158, newrelic-ruby-agent 180: the head lies behind 50,000 bytes", func(t *testing.T) {
		marked := "<!doctype html><!--" + strings.Repeat("x", 200000) + "--><html><head>⟦⟧<style>" + strings.Repeat("y", 60000) + "</style>"
		injectedInto(t, marked, newSite(t, nil, chunked(true, with(marked, ""))).get())
	})
	t.Run("aspnetcore 27548, 59276: a 304 for a page from before", func(t *testing.T) {
		s := newSite(t, nil, func(w http.ResponseWriter, r *http.Request) error {
			http.ServeContent(w, r, "index.html", testTime, strings.NewReader(testPage))
			return nil
		})
		injectedInto(t, testMarked, s.get("If-Modified-Since: "+testTime.Format(http.TimeFormat)))
		injectedInto(t, testMarked, s.get(`If-None-Match: W/"i00000000-69073c20"`, "If-Modified-Since: "+testTime.Format(http.TimeFormat)))
	})
	for issue, marked := range map[string]string{
		"newrelic-ruby-agent 212, newrelic-java-agent 1695, browser-sync 1303, 1710: no body tag": "<!doctype html>⟦⟧<title>x</title><p>hello",
		"browser-sync 99: body and head commented out":                                            "<!-- <html><head><body> --><html>⟦⟧<body>x",
		"air 604: no body, and the page is not blank":                                             "⟦⟧<h1>hello</h1>",
		"newrelic-java-agent 1409: no tag is dropped or added":                                    "<HTML\n><hEAd\t>⟦⟧</hEAd ><BODY></body\n></HTML>\r\n",
		"microlink 2122, react 24430: nothing but one element in the head":                        "<!DOCTYPE html><html><head>⟦⟧</head><body><div id=root>a&nbsp;b<!-- --> c</div></body></html>",
		"trusted-server 1131: an unclosed select":                                                 "<html><head>⟦⟧</head><body><select><option><table><select>",
		"lol-html 43, 137: text and nesting that upset a rewriter":                                "<html><head>⟦⟧<noscript><style></noscript></head><plaintext></plaintext><svg><title><![CDATA[<head>]]>",
	} {
		t.Run(issue, func(t *testing.T) {
			injectedInto(t, marked, newSite(t, nil, chunked(true, with(marked, ""))).get())
		})
	}
	t.Run("browser-sync 232, 525: pages put together from includes", func(t *testing.T) {
		s := newSite(t, nil, chunked(false, "<!-- header.inc -->", "<!doctype html>", "<html>", "<head>", "<title>a</title>", "</head>", "<!-- body.inc -->", "<html><head></head><body>"))
		injectedInto(t, "<!-- header.inc --><!doctype html><html><head>⟦⟧<title>a</title></head><!-- body.inc --><html><head></head><body>", s.get())
	})
}

func TestBugsOfTheWrongDocument(t *testing.T) {
	for issue, next := range map[string]nextFunc{
		"newrelic-ruby-agent 734: Atom":           page(`<?xml version="1.0"?><feed><head></head></feed>`, "Content-Type: application/atom+xml"),
		"newrelic-ruby-agent 734: NITF":           page(`<nitf><head></head></nitf>`, "Content-Type: text/xml"),
		"newrelic-dotnet-agent 1513: script":      page(`var a = '<html><head>';`, "Content-Type: application/x-javascript"),
		"newrelic-dotnet-agent 2051: API":         page(`{"html": "<html><head></head>"}`, "Content-Type: application/json"),
		"newrelic-dotnet-agent 2043: gRPC":        page("\x00\x00\x00\x00\x06<head>", "Content-Type: application/grpc"),
		"newrelic-ruby-agent 51: attachment":      page(testPage, "Content-Disposition: attachment; filename=report.html"),
		"amphtml 2380: AMP":                       page("<!doctype html><html ⚡ lang=en><head></head></html>"),
		"bernstein 4868: policy without own host": page(testPage, "Content-Security-Policy: default-src 'none'; script-src 'sha256-AAAA'"),
	} {
		t.Run(issue, func(t *testing.T) {
			s := newSite(t, nil, next)
			got, want := s.get(), fetch(t, direct(t, next), "GET")
			assert.Equal(t, want.body, got.body)
			assert.Equal(t, want.ContentLength, got.ContentLength)
			assert.NotEqual(t, Injected, s.outcome())
		})
	}
}

// negotiating compresses if the request allows it, as Caddy's encode does.
func negotiating(next nextFunc) nextFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			return next(w, r)
		}
		z := gzip.NewWriter(w)
		if err := next(compressing{w, z}, r); err != nil {
			return err
		}
		return z.Close()
	}
}

type compressing struct {
	http.ResponseWriter
	z io.Writer
}

func (c compressing) WriteHeader(status int) {
	c.Header().Del("Content-Length")
	c.Header().Set("Content-Encoding", "gzip")
	c.ResponseWriter.WriteHeader(status)
}

// Write relies on a header written before, as our writer does.
func (c compressing) Write(p []byte) (int, error) { return c.z.Write(p) }

func gunzip(t *testing.T, body string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(body))
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(b)
}

func TestBugsOfCompression(t *testing.T) {
	t.Run("replace-response 4, 6, 12, caddy2-filter 1, plugin-rewritebody 7, 14, subs_filter 10, 49, browser-sync 904, newrelic-dotnet-agent 1996: upstream compresses if it may", func(t *testing.T) {
		s := newSite(t, nil, negotiating(page(testPage)))
		injectedInto(t, testMarked, s.get("Accept-Encoding: gzip"))
	})
	t.Run("caddy 3765, 4247: compression in front of us", func(t *testing.T) {
		in := newInjector(t, nil)
		s := direct(t, negotiating(func(w http.ResponseWriter, r *http.Request) error {
			return in.ServeHTTP(w, r, chunked(true, testPage))
		}))
		got := fetch(t, s, "GET")
		assert.Equal(t, "gzip", got.Header.Get("Content-Encoding"))
		assert.Equal(t, with(testMarked, testScript), gunzip(t, got.body))
	})
	t.Run("caddy 4314, 6293: a flush before the coding is known", func(t *testing.T) {
		rec, err := run(t, newInjector(t, nil), func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", htmlUTF8)
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusOK)
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
			_, err := io.WriteString(w, compress(t, "gzip", testPage))
			return err
		})
		require.NoError(t, err)
		assert.Equal(t, with(testMarked, testScript), string(rec.body))
		assert.Empty(t, rec.header.Get("Content-Encoding"))
	})
	for coding := range compressors {
		t.Run("templ 692, aspnetcore 28293, 32767, 57905, jsonnet-libs 793: upstream insists on "+coding, func(t *testing.T) {
			s := newSite(t, nil, encoded(coding, compress(t, coding, testPage)))
			got := s.get()
			injectedInto(t, testMarked, got)
			assert.Empty(t, got.Header.Get("Content-Encoding"))
		})
	}
}

func TestBugsOfTheProtocol(t *testing.T) {
	t.Run("plugin-rewritebody 16: a status without a body", func(t *testing.T) {
		for _, status := range []int{204, 304} {
			s := newSite(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", htmlUTF8)
				w.WriteHeader(status)
				_, err := io.WriteString(w, testPage)
				assert.ErrorIs(t, err, http.ErrBodyNotAllowed)
				return nil
			})
			got := s.get()
			assert.Equal(t, status, got.StatusCode)
			assert.Empty(t, got.body)
		}
	})
	t.Run("plugin-rewritebody 15, 32, coraza-caddy 263, 344: upgrades through wrapped writers", func(t *testing.T) {
		in := newInjector(t, nil)
		var got error
		done := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(done)
			got = in.ServeHTTP(unwrapper{unwrapper{w}}, r, nextFunc(func(w http.ResponseWriter, _ *http.Request) error {
				conn, _, err := http.NewResponseController(unwrapper{w}).Hijack()
				if err != nil {
					return err
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nraw")
				return conn.Close()
			}))
		}))
		defer s.Close()
		assert.Equal(t, "raw", fetch(t, s, "GET").body)
		<-done
		assert.NoError(t, got)
	})
	t.Run("coraza-caddy 344: deadlines and full duplex reach the server", func(t *testing.T) {
		s := newSite(t, nil, func(w http.ResponseWriter, r *http.Request) error {
			c := http.NewResponseController(w)
			assert.NoError(t, c.EnableFullDuplex())
			assert.NoError(t, c.SetWriteDeadline(testTime.AddDate(900, 0, 0)))
			return page(testPage)(w, r)
		})
		injectedInto(t, testMarked, s.get())
	})
	t.Run("newrelic-ruby-agent 182: a stream is not committed before its status", func(t *testing.T) {
		s := newSite(t, nil, func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Content-Type", htmlUTF8)
			w.WriteHeader(http.StatusServiceUnavailable)
			_ = http.NewResponseController(w).Flush()
			return chunked(false, testPage)(w, r)
		})
		got := s.get()
		assert.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
		injectedInto(t, testMarked, got)
	})
	t.Run("caddy 3765: ServeContent through the injector", func(t *testing.T) {
		large := testPage + strings.Repeat("x", 1<<20)
		s := newSite(t, nil, func(w http.ResponseWriter, r *http.Request) error {
			http.ServeContent(w, r, "a.html", testTime, bytes.NewReader([]byte(large)))
			return nil
		})
		injectedInto(t, strings.Replace(large, "<head>", "<head>"+place, 1), s.get())
	})
}

// TestBugsOfEncoding: pywb 86, ring-refresh 6, zaproxy 4897, AdguardForWindows
// 1704, AdguardForAndroid 140, AdguardForMac 1752, uBlock 3507. Pages in other
// encodings than UTF-8 come out with all their bytes, and their <meta charset>
// stays where browsers look for it.
func TestBugsOfEncoding(t *testing.T) {
	bodies := map[string]string{
		"windows-1251": "\xcf\xf0\xe8\xe2\xe5\xf2",
		"shift_jis":    "\x83\x5c\x82\xa0\x83\x5c<",
		"gbk":          "\xc4\xe3\xba\xc3\x81\x5c",
		"euc-kr":       "\xbe\xc8\xb3\xe7",
	}
	for charset, text := range bodies {
		for _, padding := range []int{0, 700, 940, 2000} {
			t.Run(fmt.Sprint(charset, " ", padding), func(t *testing.T) {
				doc := "<html><head><!--" + strings.Repeat("x", padding) + `--><meta http-equiv="Content-Type" content="text/html; charset=` + charset + `"><title>` + text + "</title>"
				got := newSite(t, nil, page(doc, "Content-Type: text/html")).get()
				assert.Equal(t, doc, strings.Replace(got.body, testScript, "", 1))
				assert.Contains(t, got.body, testScript)
				inSight := func(s string) bool {
					return strings.Contains(s[:min(prescanLimit, len(s))], charset+`">`)
				}
				assert.Equal(t, inSight(doc), inSight(got.body))
			})
		}
	}
}

// TestBugsOfPolicies: rack-mini-profiler 439, 609, 648, browser-sync 1395,
// vscode-live-server 205, aspnetcore 33068, pagespeed-mod 876, 1758, 1788,
// notification-admin 1719, covid-alert-portal 103, jetlag 51. Inline code was
// injected under policies that forbid it, or policies were weakened for it.
func TestBugsOfPolicies(t *testing.T) {
	for _, policy := range []string{
		"default-src 'self'", "script-src 'self'; object-src 'none'", "script-src 'nonce-Zm9v' 'strict-dynamic'",
		"script-src 'self' 'sha256-AAAA'; require-trusted-types-for 'script'; trusted-types 'none'",
	} {
		got := newSite(t, nil, page(testPage, "Content-Security-Policy: "+policy)).get()
		assert.Equal(t, policy, got.Header.Get("Content-Security-Policy"))
		assert.Regexp(t, `<head><script [^>]*src="/_t/[^>]*></script><title>`, got.body, policy)
	}
}
