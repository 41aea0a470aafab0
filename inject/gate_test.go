package inject

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRule05To08Gate compares every response with that of the bare handler:
// what is skipped must not differ in a single byte or field (P2).
func TestRule05To08Gate(t *testing.T) {
	for name, c := range map[string]struct {
		next nextFunc
		want Outcome
	}{
		"ok/rule 5: 200":                         {page(testPage), Injected},
		"ok/rule 5: 404":                         {page(testPage, "Status: 404"), Injected},
		"ok/rule 5: 500":                         {page(testPage, "Status: 500"), Injected},
		"fail/rule 5: 204":                       {page("", "Status: 204"), SkippedStatus},
		"fail/rule 5: 205":                       {page("", "Status: 205"), SkippedStatus},
		"fail/rule 5: 206":                       {page(testPage, "Status: 206", "Content-Range: bytes 0-79/999"), SkippedStatus},
		"fail/rule 5: 301":                       {page(testPage, "Status: 301", "Location: /x"), SkippedStatus},
		"fail/rule 5: 304":                       {page("", "Status: 304", `Etag: "abc"`), SkippedStatus},
		"ok/rule 6: upper case":                  {page(testPage, "Content-Type: Text/HTML;charset=UTF-8"), Injected},
		"ok/rule 6: sniffed":                     {page(testPage, "-Content-Type: "), Injected},
		"ok/rule 6: sniffed, body alone":         {page("<p>x", "-Content-Type: "), Injected},
		"fail/rule 6: sniffed text":              {page("plain "+testPage, "-Content-Type: "), SkippedMediaType},
		"fail/rule 6: nosniff":                   {page(testPage, "-Content-Type: ", "X-Content-Type-Options: nosniff"), SkippedMediaType},
		"fail/rule 6: JSON":                      {page(`{"a":"<head>"}`, "Content-Type: application/json"), SkippedMediaType},
		"fail/rule 6: XHTML":                     {page(testPage, "Content-Type: application/xhtml+xml"), SkippedMediaType},
		"fail/rule 6: html-like":                 {page(testPage, "Content-Type: text/html-sandboxed"), SkippedMediaType},
		"fail/rule 6: two types":                 {page(testPage, "Content-Type: text/html, text/plain"), SkippedMediaType},
		"fail/rule 6: events":                    {page("data: <head>\n\n", "Content-Type: text/event-stream"), SkippedMediaType},
		"fail/rule 8: mixed replace":             {page(testPage, "Content-Type: multipart/x-mixed-replace; boundary=x"), SkippedMediaType},
		"ok/rule 7: quoted":                      {page(testPage, `Content-Type: text/html; charset="windows-1252"`), Injected},
		"ok/rule 7: gbk":                         {page(testPage, "Content-Type: text/html; charset=GBK"), Injected},
		"ok/rule 7: none":                        {page(testPage, "Content-Type: text/html"), Injected},
		"ok/rule 7: empty":                       {page(testPage, "Content-Type: text/html; charset="), Injected},
		"fail/rule 7: UTF-16":                    {page(testPage, "Content-Type: text/html; charset=utf-16"), SkippedCharset},
		"fail/rule 7: UTF-32":                    {page(testPage, "Content-Type: text/html; charset=utf-32"), SkippedCharset},
		"fail/rule 7: UTF-7":                     {page(testPage, "Content-Type: text/html; charset=UTF-7"), SkippedCharset},
		"fail/rule 7: unknown":                   {page(testPage, "Content-Type: text/html; charset=klingon"), SkippedCharset},
		"fail/rule 7: ISO-2022-JP":               {page(testPage, "Content-Type: text/html; charset=iso-2022-jp"), SkippedCharset},
		"fail/rule 7: doubled":                   {page(testPage, "Content-Type: text/html; charset=utf-7; charset=utf-8"), SkippedCharset},
		"fail/rule 7: UTF-16 mark beats header":  {page("\xff\xfe<\x00p\x00", "Content-Type: "+htmlUTF8), SkippedCharset},
		"fail/rule 8: attachment":                {page(testPage, `Content-Disposition: ATTACHMENT; filename="a.html"`), SkippedAttachment},
		"ok/rule 8: inline":                      {page(testPage, "Content-Disposition: inline"), Injected},
		"fail/rule 8: no-transform":              {page(testPage, "Cache-Control: public, No-Transform"), SkippedNoTransform},
		"fail/rule 8: marked":                    {page(testPage, MarkerHeader+": injected"), SkippedMarked},
		"fail/rule 8: sandbox":                   {page(testPage, "Content-Security-Policy: sandbox allow-forms"), SkippedSandbox},
		"ok/rule 8: sandbox with scripts":        {page(testPage, "Content-Security-Policy: sandbox allow-scripts"), Injected},
		"fail/rule 8: signed":                    {page(testPage, `Signature-Input: sig1=("@status" "content-digest");created=1`), SkippedSigned},
		"ok/rule 8: signed otherwise":            {page(testPage, `Signature-Input: sig1=("@status" "date")`), Injected},
		"fail/rule 8: AMP":                       {page("<!doctype html><html ⚡><head></head>"), SkippedAMP},
		"fail/rule 8: length 0":                  {page("", "Content-Length: 0"), SkippedEmpty},
		"fail/rule 10: no body":                  {page(""), SkippedEmpty},
		"fail/rule 10: unfinished":               {page("<!doctype html><!-- ", "Content-Length: 20"), SkippedUnfinished},
		"fail/rule 12: charset behind base":      {page("<head><base href=/>"+strings.Repeat(" ", 940)+"<meta charset=utf-8>", "Content-Type: text/html"), SkippedCharsetPosition},
		"fail/rule 9: unknown coding":            {page(testPage, "Content-Encoding: compress"), SkippedEncoding},
		"fail/rule 9: stacked":                   {page(testPage, "Content-Encoding: gzip, gzip"), SkippedEncoding},
		"fail/rule 9: stacked in lines":          {page(testPage, "Content-Encoding: gzip", "Content-Encoding: br"), SkippedEncoding},
		"ok/rule 9: identity":                    {page(testPage, "Content-Encoding: identity"), Injected},
		"fail/rule 9: claims gzip, is not":       {page(testPage, "Content-Encoding: gzip"), SkippedCorrupt},
		"fail/rule 17: policy":                   {page(testPage, "Content-Security-Policy: script-src https://cdn.example"), SkippedCSP},
		"fail/rule 18: integrity wanted":         {page(testPage, "Integrity-Policy: blocked-destinations=(script)"), SkippedIntegrity},
		"ok/rule 18: integrity of styles wanted": {page(testPage, "Integrity-Policy: blocked-destinations=(style)"), Injected},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil, c.next)
			got := s.get()
			want := fetch(t, direct(t, c.next), http.MethodGet)
			require.Equal(t, c.want, s.outcome())
			assert.Equal(t, want.StatusCode, got.StatusCode)
			if c.want == Injected {
				assert.Equal(t, 1, strings.Count(got.body, testScript))
				assert.Equal(t, want.body, strings.Replace(got.body, testScript, "", 1))
				return
			}
			assert.Equal(t, want.body, got.body)
			got.Header.Del("Date")
			want.Header.Del("Date")
			assert.Equal(t, want.Header, got.Header)
			assert.Equal(t, want.ContentLength, got.ContentLength)
		})
	}
}

func TestRule06SniffsAsNetHTTPDoes(t *testing.T) {
	for _, body := range []string{testPage, "<", "plain", strings.Repeat(" ", 600) + testPage, "", "<!-- x --><p>", strings.Repeat(" ", 400) + testPage} {
		next := func(w http.ResponseWriter, _ *http.Request) error {
			for i := range len(body) {
				if _, err := w.Write([]byte{body[i]}); err != nil {
					return err
				}
			}
			return nil
		}
		s := newSite(t, nil, next)
		got, want := s.get(), fetch(t, direct(t, next), http.MethodGet)
		assert.Equal(t, want.Header["Content-Type"], got.Header["Content-Type"], "%.20q", body)
		assert.Equal(t, want.body, strings.Replace(got.body, testScript, "", 1))
		assert.Equal(t, strings.HasPrefix(want.Header.Get("Content-Type"), "text/html"), strings.Contains(got.body, testScript), "%.20q", body)
	}
}

func TestRule06SniffsOneLargeWrite(t *testing.T) {
	long := strings.Repeat(" text", 300)
	rec, err := run(t, newInjector(t, nil), page(testPage+long, "-Content-Type: "))
	require.NoError(t, err)
	assert.Equal(t, with(testMarked, testScript)+long, string(rec.body))
	assert.Equal(t, htmlUTF8, rec.header.Get("Content-Type"))

	rec, err = run(t, newInjector(t, nil), page(long+testPage, "-Content-Type: "))
	require.NoError(t, err)
	assert.Equal(t, long+testPage, string(rec.body))
	assert.Empty(t, rec.header.Get("Content-Type"))
}

func TestRule07SloppyContentTypes(t *testing.T) {
	for value, want := range map[string]string{
		"text/html":                                 "",
		"text/html; charset=utf-8":                  "utf-8",
		"text/html;charset=UTF-8":                   "UTF-8",
		`text/html; charset="utf-8"`:                "utf-8",
		"text/html; charset=utf-8; boundary=x":      "utf-8",
		"text/html; boundary=x; charset=gbk":        "gbk",
		"text/html; charset=gbk; charset=utf-8":     "gbk",
		`text/html; charset="gbk; x`:                "gbk",
		"text/html; x=; charset":                    "",
		"text/html; =; ;; ":                         "",
		"text/html ; charset=utf-8 ":                "utf-8",
		`text/html; x="charset=utf-7"; charset=gbk`: "gbk",
	} {
		media, charset := parseMediaType(value)
		assert.Equal(t, "text/html", media, value)
		assert.Equal(t, want, charset, value)
	}
}

func TestRule06NoGuessWhereNetHTTPMakesNone(t *testing.T) {
	for _, field := range []string{"Transfer-Encoding: identity", "Content-Encoding: identity", "X-Content-Type-Options: NoSniff"} {
		rec, err := run(t, newInjector(t, nil), page(testPage, "-Content-Type: ", field))
		require.NoError(t, err)
		assert.Equal(t, testPage, string(rec.body), field)
		assert.Empty(t, rec.header.Get("Content-Type"))
	}
}

func TestRule06XHTMLOptIn(t *testing.T) {
	s := newSite(t, func(c *Config) { c.XHTML = true },
		page(`<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head></html>`, "Content-Type: application/xhtml+xml"))
	assert.Contains(t, s.get().body, "<head>"+testScript+"<title/>")

	_, err := New(Config{Snippet: []byte(`<script src="/x" async></script>`), Version: testVersion, XHTML: true})
	assert.ErrorContains(t, err, "well-formed")
}

func TestRule21DebugNamesTheReason(t *testing.T) {
	debug := func(c *Config) { c.Debug = true }
	for want, next := range map[string]nextFunc{
		"injected":            page(testPage),
		"skipped_media_type":  page("{}", "Content-Type: application/json"),
		"skipped_csp":         page(testPage, "Content-Security-Policy: default-src 'none'"),
		"skipped_unfinished":  page("<!-- ", "Content-Length: 5"),
		"skipped_status":      page("", "Status: 304"),
		"skipped_empty":       page(""),
		"skipped_destination": page("{}"),
	} {
		s := newSite(t, debug, next)
		var headers []string
		if want == "skipped_destination" {
			headers = []string{"-Sec-Fetch-Dest", "Sec-Fetch-Dest: image"}
		}
		assert.Equal(t, want, s.get(headers...).Header.Get(MarkerHeader))
	}
}

func TestOutcomesHaveLabels(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range Outcomes() {
		label := o.String()
		assert.NotEmpty(t, label)
		assert.False(t, seen[label], label)
		seen[label] = true
		assert.True(t, o == Injected || strings.HasPrefix(label, "skipped_"), label)
	}
	assert.Equal(t, "unknown", outcomes.String())
}
