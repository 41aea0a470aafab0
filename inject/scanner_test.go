package inject

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// place marks where the script belongs in the documents of the tables below.
const place = "⟦⟧"

func TestRule10Place(t *testing.T) {
	for name, marked := range map[string]string{
		"ok/head":                    "<!doctype html>\n<html lang=en>\n<head>⟦⟧<title>x</title>",
		"ok/head with attributes":    `<head profile="a>b" data-x='>' y=">">⟦⟧x`,
		"ok/head self-closing":       "<head/>⟦⟧x",
		"ok/head upper case":         "<HTML><HeAd\tx>⟦⟧x",
		"ok/header is not head":      "<html>⟦⟧<header>x",
		"ok/no head tag":             "<!doctype html><html>⟦⟧<title>x</title>",
		"ok/no tag but text":         "\n ⟦⟧hello",
		"ok/body":                    "<html>⟦⟧<body>",
		"ok/meta":                    "⟦⟧<meta name=x>",
		"ok/comment":                 "<!-- <head> --> <head>⟦⟧",
		"ok/comment empty":           "<!--><head>⟦⟧-->",
		"ok/comment empty dash":      "<!---><head>⟦⟧-->",
		"ok/comment with bang":       "<!-- x --!><head>⟦⟧",
		"ok/comment bang dash":       "<!----!-><head>--><head>⟦⟧",
		"ok/comment nested":          "<!-- <!-- --><head>⟦⟧-->",
		"ok/comment dashes":          "<!-----><head>⟦⟧",
		"ok/processing instruction":  "<?xml version='1.0'?><head>⟦⟧",
		"ok/cdata is a comment":      "<![CDATA[<head>⟦⟧]]>",
		"ok/doctype with quotes":     `<!DOCTYPE html PUBLIC ">⟦⟧" "x"><head>`,
		"ok/other end tags":          "</p></title x='>'></ x><head>⟦⟧",
		"ok/empty end tag":           "</><head>⟦⟧",
		"ok/end of head":             "<html>⟦⟧</head>",
		"ok/end of body":             "⟦⟧</body>",
		"ok/end of html":             "<html>⟦⟧</html >",
		"ok/end of br":               "⟦⟧</br>",
		"ok/other end tag longer":    "</bodyx></brr></htmlx><head>⟦⟧",
		"ok/text lt":                 "⟦⟧<3",
		"ok/text lt at the end":      " ⟦⟧<",
		"ok/end tag open at the end": "⟦⟧</",
		"ok/white space only":        " \n⟦⟧",
		"ok/html only":               "<html>⟦⟧",
		"ok/two html tags":           "<html><html x><head>⟦⟧",
		"ok/byte order mark":         "\ufeff<head>⟦⟧",
		"ok/byte order mark, text":   "\ufeff⟦⟧x",
		"ok/half a mark":             "⟦⟧\xef\xbbx",
		"ok/NUL is text":             "<html>⟦⟧\x00<head>",
		"ok/NUL in the name":         "⟦⟧<he\x00ad>",
		"ok/attribute like a value":  `<html a = 'x' b="y"c=z/ ="><head>⟦⟧`,
		"ok/equals first":            `<html ="><head>⟦⟧`,
		"ok/reference is text":       "⟦⟧&#32;<head>",
		"ok/vertical tab is text":    "⟦⟧\v<head>",
		"ok/tag cut off":             "⟦⟧<div class=",
	} {
		t.Run(name, func(t *testing.T) {
			doc := strings.Replace(marked, place, "", 1)
			out, s := injectWhole(doc, true)
			require.Equal(t, verdictInsert, s.verdict, "skipped: %v", s.reason)
			assert.Equal(t, strings.Replace(marked, place, testScript, 1), out)
		})
	}
}

func TestRule10Unchanged(t *testing.T) {
	for doc, reason := range map[string]Outcome{
		"":                        SkippedEmpty,
		"<!-- x":                  SkippedUnfinished,
		"<!-- x --":               SkippedUnfinished,
		"<!-- x --!":              SkippedUnfinished,
		"<!doctype html":          SkippedUnfinished,
		"<!":                      SkippedUnfinished,
		"<?xml":                   SkippedUnfinished,
		"<html":                   SkippedUnfinished,
		"<html lang='en>":         SkippedUnfinished,
		"<head":                   SkippedUnfinished,
		"<h":                      SkippedUnfinished,
		"</p x":                   SkippedUnfinished,
		"</ x":                    SkippedUnfinished,
		"\xff\xfe<\x00":           SkippedCharset,
		"\xfe\xff\x00<":           SkippedCharset,
		"<\x00h\x00":              SkippedCharset,
		"\x00<\x00h":              SkippedCharset,
		"<!doctype html><html ⚡>": SkippedAMP,
		"<html lang=en AMP>":      SkippedAMP,
		"<html x amp>":            SkippedAMP,
		"<html amp4email=''>":     SkippedAMP,
		"<html ⚡4ads/><head>":     SkippedAMP,
	} {
		for _, pieces := range [][][]byte{{[]byte(doc)}, bytewise(doc)} {
			out, s, _ := injectAll(pieces, true, testScript)
			assert.Equal(t, verdictNever, s.verdict, "%q", doc)
			assert.Equal(t, reason, s.reason, "%q", doc)
			assert.Equal(t, doc, string(out))
		}
	}
}

func TestRule08AMPByNameOnly(t *testing.T) {
	for _, doc := range []string{"<html data-amp><head>", "<html lang=amp><head>", "<html ampx><head>", "<head amp>", "<html><p ⚡>"} {
		_, s := injectWhole(doc, true)
		assert.Equal(t, verdictInsert, s.verdict, "%q", doc)
	}
}

func TestRule11CharsetStaysInSight(t *testing.T) {
	exact := prescanLimit - len(testScript) - len("<head><meta charset=utf-8>")
	pad := func(n int) string { return "<!--" + strings.Repeat("x", n-7) + "-->" }
	for name, c := range map[string]struct {
		doc   string // with the place marked
		skip  Outcome
		known bool
	}{
		"ok/room for both":                  {doc: "<head>⟦⟧<meta charset=utf-8>"},
		"ok/http-equiv":                     {doc: "<head>⟦⟧<meta http-equiv=Content-Type content='text/html; charset=gbk'>"},
		"ok/http-equiv, quoted":             {doc: `<head>⟦⟧<meta http-equiv=Content-Type content='text/html; charset = "gbk"'>`},
		"ok/no room, behind it":             {doc: "<head>" + pad(960) + `<meta charset="utf-8">⟦⟧<title>`},
		"ok/no room, http-equiv":            {doc: "<head>" + pad(910) + `<meta content="text/html;charset=koi8-r" http-equiv="content-type">⟦⟧`},
		"ok/charset by header":              {doc: "<head>⟦⟧" + pad(960) + `<meta charset="utf-8">`, known: true},
		"ok/charset by mark":                {doc: "\ufeff<head>⟦⟧" + pad(960) + `<meta charset="utf-8">`},
		"ok/beyond sight anyway":            {doc: "<head>⟦⟧" + pad(1020) + `<meta charset="utf-8">`},
		"ok/head beyond sight":              {doc: pad(1030) + "<head>⟦⟧" + `<meta charset="utf-8">`},
		"ok/no declaration":                 {doc: "<head>⟦⟧<title>" + strings.Repeat("x", 2000)},
		"ok/short, none":                    {doc: "<html>⟦⟧<body>hello"},
		"ok/in a comment":                   {doc: "<head>⟦⟧<!-- <meta charset=gbk> -->" + strings.Repeat(" ", 1000)},
		"ok/in a title":                     {doc: "<head>⟦⟧<title><meta charset=utf-16></title>" + strings.Repeat(" ", 1000)},
		"ok/in a script":                    {doc: "<head>⟦⟧<script><!--<script></script><meta charset=utf-7>--></script>" + strings.Repeat(" ", 1000)},
		"ok/behind an escaped script":       {doc: "<head>" + pad(940) + `<script><!-- x --></script><meta charset=utf-8>⟦⟧`},
		"fail/behind a comment in a script": {doc: "<head><script><!-- --><script></script><meta charset=utf-7>--></script>", skip: SkippedCharset},
		"ok/just room for both":             {doc: "<head>⟦⟧" + pad(exact) + "<meta charset=utf-8>"},
		"ok/one byte too many":              {doc: "<head>" + pad(exact+1) + "<meta charset=utf-8>⟦⟧"},
		"ok/without pragma":                 {doc: "<head>⟦⟧" + pad(930) + "<meta name=x content='text/html; charset=utf-16'>"},
		"ok/implied head":                   {doc: "<!doctype html>⟦⟧<meta charset=utf-8><title>x"},
		"ok/implied head, no room":          {doc: "<title>" + strings.Repeat("x", 950) + `</title><meta charset="utf-8">⟦⟧<p>`},
		"fail/behind a base":                {doc: "<head><base href=/x/>" + pad(940) + `<meta charset="utf-8">`, skip: SkippedCharsetPosition},
		"fail/in the body":                  {doc: "<head></head><body>" + pad(940) + `<meta charset="utf-8">`, skip: SkippedCharsetPosition},
		"fail/in a template":                {doc: "<head><template>" + pad(940) + `<meta charset="utf-8">`, skip: SkippedCharsetPosition},
		"ok/base, room for both":            {doc: "<head>⟦⟧<base href=/x/><meta charset=utf-8>"},
		"ok/base behind it":                 {doc: "<head>" + pad(960) + `<meta charset=utf-8>⟦⟧<base href=/x/>`},
		"fail/UTF-7":                        {doc: "<head><meta charset=utf-7>", skip: SkippedCharset},
		"fail/UTF-16":                       {doc: "<head><meta charset=utf-16le>", skip: SkippedCharset},
		"fail/unknown":                      {doc: "<head><meta charset=klingon>", skip: SkippedCharset},
		"fail/ISO-2022-JP":                  {doc: "<head><meta http-equiv=content-type content='text/html; charset=\"ISO-2022-JP\"'>", skip: SkippedCharset},
		"fail/unquoted slash belongs":       {doc: "<head><meta charset=utf-8/>", skip: SkippedCharset},
		"ok/quoted slash does not":          {doc: "<head>⟦⟧<meta charset='utf-8'/>"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := strings.Replace(c.doc, place, "", 1)
			for _, pieces := range [][][]byte{{[]byte(doc)}, bytewise(doc)} {
				out, s, held := injectAll(pieces, c.known, testScript)
				if c.skip != Injected {
					require.Equal(t, verdictNever, s.verdict)
					assert.Equal(t, c.skip, s.reason)
				} else {
					require.Equal(t, verdictInsert, s.verdict, "skipped: %v", s.reason)
				}
				assert.Equal(t, shorten(strings.Replace(c.doc, place, testScript, 1)), shorten(string(out)))
				assert.LessOrEqual(t, held, prescanLimit)
			}
		})
	}
}

func TestRule11AfterXUACompatible(t *testing.T) {
	const xua = `<meta http-equiv="X-UA-Compatible" content="IE=edge">`
	for name, c := range map[string]struct {
		doc   string
		known bool
	}{
		"ok/behind it":                   {"<head>" + xua + "⟦⟧<title>", true},
		"ok/charset first":               {"<head><meta charset=utf-8>" + xua + "⟦⟧<title>", false},
		"ok/charset behind":              {"<head>" + xua + "⟦⟧<meta charset=utf-8><title>", false},
		"ok/not there":                   {"<head>⟦⟧<title>x</title><body>" + xua, true},
		"ok/behind a base, so before it": {"<head>⟦⟧<base href=/>" + xua, true},
	} {
		t.Run(name, func(t *testing.T) {
			doc := strings.Replace(c.doc, place, "", 1)
			s := new(scanner)
			s.init(c.known, false, len(testScript))
			s.wantXUA = true
			cut, done := s.next([]byte(doc))
			if !done {
				cut = len(doc) + s.end()
			}
			require.Equal(t, verdictInsert, s.verdict)
			assert.Equal(t, c.doc, doc[:cut]+place+doc[cut:])
		})
	}
}

func TestRule06XMLImpliesNothing(t *testing.T) {
	for doc, want := range map[string]int{
		`<?xml version="1.0"?><!DOCTYPE html><html xmlns="x"><head>`: 0,
		`<html><!-- a --!> <head> --><head a='/x/'>`:                 0,
		`<html><head/>`:        -1,
		`<html><head a="x" />`: -1,
		`<html><head a/>`:      -1,
		`<html><HEAD>`:         -1,
		`<html><body>`:         -1,
		`<!DOCTYPE html [<!ENTITY a "<head>">]><html>`: -1,
	} {
		s := new(scanner)
		s.init(false, true, len(testScript))
		cut, done := s.next([]byte(doc))
		if want < 0 {
			assert.Equal(t, verdictNever, s.verdict, doc)
			assert.Equal(t, SkippedXML, s.reason, doc)
			continue
		}
		assert.True(t, done, doc)
		assert.Equal(t, verdictInsert, s.verdict, doc)
		assert.Equal(t, len(doc), cut, doc)
	}
}

func TestP3EverySplitGivesTheSame(t *testing.T) {
	for _, doc := range html5lib(t) {
		for _, known := range []bool{true, false} {
			want, _ := injectWhole(doc, known)
			out, _, _ := injectAll(bytewise(doc), known, testScript)
			require.Equal(t, want, string(out), "bytewise: %q", doc)
			for i := 1; i < len(doc); i++ {
				out, _, _ := injectAll([][]byte{[]byte(doc[:i]), []byte(doc[i:])}, known, testScript)
				require.Equal(t, want, string(out), "split at %d: %q", i, doc)
			}
		}
	}
}

func TestP4ScannerAgreesWithTokenizer(t *testing.T) {
	for _, doc := range html5lib(t) {
		requireOracle(t, []byte(doc))
	}
}

func requireOracle(t *testing.T, doc []byte) {
	t.Helper()
	_, s, _ := injectAll([][]byte{doc}, true, testScript)
	want := oracle(doc)
	if want < 0 {
		require.Equal(t, verdictNever, s.verdict, "%q", doc)
		return
	}
	require.Equal(t, verdictInsert, s.verdict, "%q skipped: %v", doc, s.reason)
	require.Equal(t, want, s.point, "%q", doc)
}

func TestP5HoldIsBounded(t *testing.T) {
	for _, doc := range html5lib(t) {
		_, _, held := injectAll(bytewise(doc), true, testScript)
		require.LessOrEqual(t, held, 7, "%q", doc)
		_, _, held = injectAll(bytewise(doc), false, testScript)
		require.LessOrEqual(t, held, prescanLimit, "%q", doc)
	}
}

// TestP9LongCommentIsLinear counts steps instead of time: a chunk is never
// looked at again, so nothing of it may be kept.
func TestP9LongCommentIsLinear(t *testing.T) {
	s := new(scanner)
	s.init(false, false, len(testScript))
	feed := func(p string) (held int) {
		cut, done := s.next([]byte(p))
		require.False(t, done)
		return len(p) - cut
	}
	feed("<!--")
	b := []byte("x")
	allocs := testing.AllocsPerRun(1, func() {
		for range 1 << 20 {
			if cut, done := s.next(b); cut != 1 || done {
				t.Error("held back inside a comment")
			}
		}
	})
	assert.Zero(t, allocs)
	feed("--><head")
	cut, done := s.next([]byte(">x"))
	assert.True(t, done)
	assert.Equal(t, 1, cut)
}

func bytewise(doc string) [][]byte {
	pieces := make([][]byte, len(doc))
	for i := range len(doc) {
		pieces[i] = []byte{doc[i]}
	}
	return pieces
}

func FuzzP4Scanner(f *testing.F) {
	for _, doc := range seeds(f) {
		f.Add([]byte(doc), uint16(len(doc)/2))
	}
	f.Fuzz(func(t *testing.T, doc []byte, split uint16) {
		requireOracle(t, doc)
		at := min(int(split), len(doc))
		for _, known := range []bool{true, false} {
			whole, s, _ := injectAll([][]byte{doc}, known, testScript)
			halves, _, held := injectAll([][]byte{doc[:at], doc[at:]}, known, testScript)
			require.Equal(t, whole, halves)
			require.LessOrEqual(t, held, prescanLimit)
			requireOnlyScript(t, doc, whole, s)
		}
	})
}

// requireOnlyScript is P2: without the script at the reported offset the page
// is the original, byte for byte.
func requireOnlyScript(t *testing.T, doc, out []byte, s *scanner) {
	t.Helper()
	if s.verdict == verdictNever {
		require.Equal(t, string(doc), string(out))
		return
	}
	require.Equal(t, testScript, string(out[s.point:s.point+len(testScript)]))
	require.Equal(t, doc, append(bytes.Clone(out[:s.point]), out[s.point+len(testScript):]...))
}

// shorten makes long padding readable in failures.
func shorten(s string) string {
	for _, c := range []string{"x", " "} {
		s = strings.ReplaceAll(s, strings.Repeat(c, 100), "…")
	}
	return s
}

func TestRule11ContentAttribute(t *testing.T) {
	for content, want := range map[string]string{
		"text/html; charset=gbk":          "gbk",
		"charset = 'koi8-r' ; x":          "koi8-r",
		"charset; charset=gbk;x":          "gbk",
		"text/html":                       "",
		"text/html; charset":              "",
		"text/html; charset=":             "",
		"text/html; charset='gbk":         "",
		"text/html; xcharset=utf-8 y":     "utf-8",
		"text/html; charset=\"utf-8\"gbk": "utf-8",
	} {
		assert.Equal(t, want, contentCharset(content), content)
	}
}
