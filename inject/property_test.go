package inject

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
)

// TestP1DOM: the page's tree is what it was, plus our script as the first
// child of html > head. Documents that end inside a comment or declaration
// stay as they are.
func TestP1DOM(t *testing.T) {
	injected, unchanged := 0, 0
	for _, doc := range html5lib(t) {
		switch requireSameDOM(t, doc) {
		case Injected:
			injected++
		case SkippedUnfinished, SkippedEmpty, SkippedAMP, SkippedCharset:
			unchanged++
		}
	}
	t.Logf("%d injected, %d unchanged", injected, unchanged)
	require.Greater(t, injected, 1550)
	require.Less(t, unchanged, 25)
}

// requireSameDOM is P1 for one document whose encoding is known.
func requireSameDOM(t *testing.T, doc string) Outcome {
	t.Helper()
	out, s := injectWhole(doc, true)
	if s.verdict == verdictNever {
		require.Equal(t, doc, out)
		return s.reason
	}
	want, err := parse(doc)
	if errors.Is(err, errTooDeep) {
		return Injected
	}
	require.NoError(t, err)
	got, err := parse(out)
	if errors.Is(err, errTooDeep) {
		return Injected // at the parser's limit for depth, where one more element counts
	}
	require.NoError(t, err)
	head := find(got, "head")
	require.NotNil(t, head, "%q", out)
	script := head.FirstChild
	require.NotNil(t, script, "%q", out)
	require.Equal(t, "script", script.Data, "%q", out)
	require.Equal(t, "src", script.Attr[0].Key)
	head.RemoveChild(script)
	require.Equal(t, render(want), render(got), "%q", doc)
	return Injected
}

var errTooDeep = errors.New("too deep for the parser")

// parse reads as a browser does: the byte order mark is no content.
func parse(doc string) (*html.Node, error) {
	n, err := html.Parse(strings.NewReader(strings.TrimPrefix(doc, "\ufeff")))
	if err != nil && strings.Contains(err.Error(), "nodes") {
		return nil, errTooDeep
	}
	return n, err
}

func find(n *html.Node, name string) *html.Node {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == name && d.Namespace == "" {
			return d
		}
	}
	return nil
}

// render writes the tree down, so that text nodes side by side stay apart.
func render(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node, int)
	walk = func(n *html.Node, depth int) {
		b.WriteString(strings.Repeat(" ", depth))
		b.WriteString(string(rune('0' + int(n.Type))))
		b.WriteString(n.Namespace + ":" + n.Data)
		for _, a := range n.Attr {
			b.WriteString("|" + a.Namespace + ":" + a.Key + "=" + a.Val)
		}
		b.WriteByte('\n')
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, depth+1)
		}
	}
	walk(n, 0)
	return b.String()
}

// TestP2AndP3ThroughTheWriter pushes every document through a whole response,
// in one write, byte by byte and with flushes, with and without a length.
func TestP2AndP3ThroughTheWriter(t *testing.T) {
	in := newInjector(t, nil)
	for i, doc := range html5lib(t) {
		if doc == "" {
			continue
		}
		want, _ := injectWhole(doc, true)
		pieces := strings.Split(doc, "")
		for _, length := range []bool{true, false} {
			rec, err := run(t, in, chunked(length, doc))
			require.NoError(t, err)
			require.Equal(t, want, string(rec.body), "document %d", i)
			rec, err = run(t, in, chunked(length, pieces...))
			require.NoError(t, err)
			require.Equal(t, want, string(rec.body), "document %d", i)
		}
	}
}

// TestP6CharsetStaysTheSame lets the reference determine the encoding of every
// document with and without the script, at several distances from byte 1,024.
func TestP6CharsetStaysTheSame(t *testing.T) {
	declarations := []string{
		"", "<meta charset=utf-8>", "<meta charset='koi8-r'>",
		`<meta http-equiv="content-type" content="text/html; charset=gbk">`,
		`<meta content="text/html; charset=shift_jis" http-equiv=Content-Type>`,
		"<base href=/x/><meta charset=big5>", "<body><meta charset=euc-kr>",
		"<title><meta charset=utf-8></title><meta charset=gbk>",
		"<script><!-- <script> </script> <meta charset=utf-8> --></script><meta charset=gbk>",
		"<noscript><meta charset=utf-8></noscript>", "<!-- <meta charset=utf-8> --><meta charset=gbk>",
	}
	for _, declaration := range declarations {
		for pad := 0; pad < 1100; pad += 7 {
			doc := "<!doctype html><head><!--" + strings.Repeat("x", pad) + "-->" + declaration + "<title>x</title>"
			requireSameCharset(t, doc)
		}
	}
	for _, doc := range html5lib(t) {
		requireSameCharset(t, doc)
	}
}

// TestP6EncodingTests takes the pages that come with the reference's own tests.
func TestP6EncodingTests(t *testing.T) {
	dir, err := moduleDir()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "html", "charset", "testdata", "*.html"))
	require.NoError(t, err)
	require.Greater(t, len(files), 10)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		out, s := injectWhole(string(b), false)
		if s.verdict == verdictNever {
			require.Equal(t, SkippedCharset, s.reason, file)
			require.Equal(t, string(b), out)
			continue
		}
		_, want, _ := charset.DetermineEncoding(b, "text/html")
		_, got, _ := charset.DetermineEncoding([]byte(out), "text/html")
		require.Equal(t, want, got, file)
	}
}

var ambiguous = regexp.MustCompile(`(?i)&|<script[^>]*>.*<!--.*<[^/]`)

// requireSameCharset is P6. Bytes above ASCII are replaced, because the
// reference guesses from those when nothing is declared.
func requireSameCharset(t *testing.T, doc string) {
	t.Helper()
	ascii := strings.Map(func(r rune) rune {
		if r > 0x7e {
			return 'x'
		}
		return r
	}, doc)
	out, s := injectWhole(ascii, false)
	if s.verdict == verdictNever {
		require.Equal(t, ascii, out)
		return
	}
	_, want, _ := charset.DetermineEncoding([]byte(ascii), "text/html")
	_, got, _ := charset.DetermineEncoding([]byte(out), "text/html")
	require.Equal(t, want, got, "%q", shorten(out))
}

// TestP8TwoInSeriesInjectOnce puts a second proxy in front of the first.
func TestP8TwoInSeriesInjectOnce(t *testing.T) {
	inner := newSite(t, nil, page(testPage, `Etag: "v1"`))
	outer := newSite(t, nil, reverseProxy(inner.URL))
	got := outer.get()
	require.Equal(t, with(testMarked, testScript), got.body)
	require.Equal(t, `"v1-i1a2b3c4d"`, got.Header.Get("Etag"))
	require.Equal(t, SkippedMarked, outer.outcome())
	require.Equal(t, Injected, inner.outcome())
}

// TestP9TenMegabytesBeforeTheHead sends 1-byte writes through the writer: all
// of it goes out at once, in as many steps.
func TestP9TenMegabytesBeforeTheHead(t *testing.T) {
	const size = 10 << 20
	var sent int
	under := &counter{recorder: newRecorder(), n: &sent}
	require.NoError(t, newInjector(t, nil).ServeHTTP(under, navigation("GET"), nextFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", htmlUTF8)
		if _, err := io.WriteString(w, "<!--"); err != nil {
			return err
		}
		b := []byte("x")
		for i := range size {
			if _, err := w.Write(b); err != nil {
				return err
			}
			if held := i + 1 + 4 - sent; held > 7 {
				t.Fatalf("%d bytes held back", held)
			}
		}
		_, err := io.WriteString(w, "--><head>")
		return err
	})))
	require.Equal(t, size+13+len(testScript), sent)
}

func FuzzP1DOM(f *testing.F) {
	for _, doc := range seeds(f) {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		if at := oracle([]byte(doc)); at >= 0 && strings.HasPrefix(doc[at:], "&") {
			t.Skip("a reference to a white character counts as text here")
		}
		requireSameDOM(t, doc)
	})
}

func FuzzP6Charset(f *testing.F) {
	for _, doc := range seeds(f) {
		f.Add(doc, uint16(900))
	}
	f.Fuzz(func(t *testing.T, doc string, pad uint16) {
		if ambiguous.MatchString(doc) {
			t.Skip("the reference decodes references and leaves escaped script text early")
		}
		requireSameCharset(t, "<!doctype html><!--"+strings.Repeat("x", int(pad%1100))+"-->"+doc)
	})
}

// FuzzP3Writer cuts documents anywhere and flushes in between.
func FuzzP3Writer(f *testing.F) {
	f.Add([]byte(testPage), []byte{3, 0, 20, 0, 1}, true, true)
	f.Add([]byte("<!-- a --><html><body>"), []byte{1, 1, 1, 0, 9}, false, false)
	f.Fuzz(func(t *testing.T, doc, cuts []byte, length, known bool) {
		if len(doc) == 0 {
			return
		}
		want, _, _ := injectAll([][]byte{doc}, known, testScript)
		in := newInjector(t, nil)
		rec := newRecorder()
		require.NoError(t, in.ServeHTTP(rec, navigation("GET"), pieceByPiece(doc, cuts, length, known)))
		require.True(t, bytes.Equal(want, rec.body), "%q\n%q", want, rec.body)
		if v := rec.header.Get("Content-Length"); v != "" {
			require.Equal(t, v, strconv.Itoa(len(rec.body)))
		}
	})
}
