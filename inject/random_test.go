package inject

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// pieces of pages that meet in any order; some are cut off in the middle.
var pagePieces = []string{
	"<html>", "<html lang='a>b'>", "<HTML\n>", "<head>", "<head x=\">\">", "<head/>", "</head>", "<body>", "</body>", "</html>", "<br>", "</br>", "</p>",
	"<!doctype html>", "<!DOCTYPE html PUBLIC \">", "<!", "<!>", "<!x", "<!-", "<!->", "<!--", "-->", "--!>", "--!", "->", "-", "--", "!", ">", "<!-->", "<!--->",
	"<!-- x -->", "<!-- <head> -->", "<?php ?>", "<?", "</", "</>", "</ x>", "</x y='>'>", "<", "<3", "<h", "<he", "<hea", "</h", "</bod", "</b", "</header>", "<header>",
	"<meta charset=utf-8>", "<meta charset=\"gbk\"/>", "<meta http-equiv=content-type content='text/html; charset=koi8-r'>", "<META CONTENT='text/html;charset=big5'",
	" http-equiv=\"Content-Type\">", "<meta name=viewport content=x>", "<base href=/x/>", "<link rel=x>", "<title>", "</title>", "</TITLE >", "</titlex>", "<style>", "</style>",
	"<script>", "</script>", "</script", "<script x='</script>'>", "<noscript>", "</noscript>", "<template>", "</template>", "<textarea>", "</textarea>", "<xmp>", "</xmp>",
	"<plaintext>", "<svg>", "<iframe>", "</iframe>", "<![CDATA[", "]]>", "x", "hello", " ", "\n", "\t\r\f", "\x00", "\xff", "é", "'", "\"", "=", "/", "a=b", " a = ", " amp",
}

// TestRandomDocuments holds P1, P3, P4 and P6 for documents put together at
// random, always the same ones.
func TestRandomDocuments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		var b strings.Builder
		if r.IntN(3) == 0 {
			b.WriteString("<!--" + strings.Repeat("x", r.IntN(1050)) + "-->")
		}
		for range r.IntN(14) {
			b.WriteString(pagePieces[r.IntN(len(pagePieces))])
		}
		doc := b.String()
		requireOracle(t, []byte(doc))
		requireSameDOM(t, doc)
		if !ambiguous.MatchString(doc) {
			requireSameCharset(t, doc)
		}
		for _, known := range []bool{true, false} {
			want, _ := injectWhole(doc, known)
			at := r.IntN(len(doc) + 1)
			got, s, _ := injectAll([][]byte{[]byte(doc[:at]), []byte(doc[at:])}, known, testScript)
			requireOnlyScript(t, []byte(doc), got, s)
			if want != string(got) {
				t.Fatalf("cut at %d: %q", at, doc)
			}
		}
	}
}
