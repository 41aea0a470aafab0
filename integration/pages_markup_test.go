package integration

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/inject"
	"github.com/livechat-people/caddy-people-tracking/sdk"
)

// counted reports what the page's own script finds when everything is there.
const counted = `<script>addEventListener('load',()=>{window.report=[document.body.children.length,document.querySelectorAll('li').length];
console.log('ready',...report)})</script>`

// undeclared serves a page without saying in the header how it is encoded.
func undeclared(page string) http.HandlerFunc {
	return document(page, "Content-Type: text/html")
}

// TestPagesOfEveryForm shows pages whose markup leaves the place of the script
// open or is sensitive to it (rules 7 and 10 to 12).
func TestPagesOfEveryForm(t *testing.T) {
	// The declaration is within the first 1,024 bytes, but not with the script
	// in front of it.
	late := func(n int) string {
		start := `<!doctype html><html lang=de><head><title>Höhenwege und Übergänge</title>` + liveChat + `<!--`
		return start + strings.Repeat("ä", (n-len(start)-3)/2) + `--><meta charset=utf-8>` + counted + `</head>` + body + `</html>`
	}
	// Browsers look on in the body, up to byte 1,024 and no further.
	inBody := func(n int) string {
		start := `<!doctype html><html lang=de><head>` + liveChat + counted + `</head><body><h1>Höhenwege</h1><!--`
		return start + strings.Repeat("-", max(0, n-len(start)-3)) + `--><meta charset=utf-8><p>Über 3.000 Touren</p></body></html>`
	}
	cases := []pageCase{
		{name: "encoding declared in the body", serve: undeclared(inBody(600)), scripts: 1},
		{name: "encoding declared in the body at the last moment", serve: undeclared(inBody(990)), reason: "skipped_charset_position"},
		{name: "encoding declared late", serve: undeclared(late(700)), scripts: 1},
		{name: "encoding declared at the last moment", serve: undeclared(late(980)), scripts: 1},
		{name: "no head tag", serve: document(`<!doctype html><html lang=de><title>Höhenwege</title>` + liveChat + counted + body + `</html>`), scripts: 1},
		{name: "no html tag", serve: document(`<!doctype html><head><title>Höhenwege</title>` + liveChat + counted + `</head>` + body), scripts: 1},
		{name: "no tag but the title", serve: document(`<title>Höhenwege</title>` + liveChat + counted + `<p>Über 3.000 Touren</p>`), scripts: 1},
		{name: "text first", serve: document(`Über 3.000 Touren <b>in den Alpen</b>` + liveChat + counted + `<ul><li>Karwendel</ul>`), scripts: 1},
		{name: "text first after a doctype", serve: document(`<!doctype html> Über 3.000 Touren` + liveChat + counted), scripts: 1},
		{name: "comments first", serve: document("\ufeff<!-- a <head> that is none --><!doctype html>\n<!-- <script> -->\n<html>\n<head>" + liveChat + counted + `</head>` + body), scripts: 1},
		{name: "base", serve: document(`<!doctype html><head><base href="https://elsewhere.example/">` + liveChat + counted + `</head>` + body), scripts: 1},
		{name: "hydrated", serve: document(hydrated), scripts: 1},
		{name: "error page", serve: status(http.StatusNotFound, document(`<!doctype html><head><title>Nicht gefunden</title>`+liveChat+`</head>`+body)), scripts: 1},

		{name: "UTF-16", serve: document("\xff\xfe<\x00p\x00>\x00A\x00", "Content-Type: text/html; charset=utf-16le"), reason: "skipped_charset"},
		{name: "AMP", serve: document(`<!doctype html><html amp><head><title>Höhenwege</title></head>` + body), reason: "skipped_amp"},
		{name: "unfinished comment", serve: document(`<!doctype html><!-- <p>Nichts zu sehen`), reason: "skipped_unfinished"},
		{name: "not to be transformed", serve: document(`<!doctype html><title>Höhenwege</title>`+body, "Cache-Control: no-transform"), reason: "skipped_no_transform"},
		{name: "plain text", serve: document(`<html><head></head>`, "Content-Type: text/plain; charset=utf-8"), reason: "skipped_media_type"},
	}
	testPages(t, start(t, options{handler: pagesHandler, origin: pagesOrigin(reasoned(cases))}), cases)
}

// reasoned fills in what the debug header says of pages with the script.
func reasoned(cases []pageCase) []pageCase {
	for i := range cases {
		if cases[i].scripts > 0 && cases[i].reason == "" {
			cases[i].reason = inject.Injected.String()
		}
	}
	return cases
}

func status(status int, page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { page(statusWriter{w, status}, r) }
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w statusWriter) Write(p []byte) (int, error) {
	w.WriteHeader(w.status)
	return w.ResponseWriter.Write(p)
}

// hydrated is a page as frameworks render it on the server. Its script does
// what theirs do: it walks #app beside the tree it would have made itself and
// gives up on the first difference, and it takes the elements in head for its
// own that stand between a count of them and the beginning of their list.
const hydrated = `<!doctype html><html lang=de><head><meta charset=utf-8><title>Höhenwege</title><meta name=head-count content=2>` +
	liveChat + `</head><body><div id=app><h1>Höhenwege</h1><!-- list --><ul><li>Karwendel</li><li>Wetterstein</li></ul><button>0</button></div><script>
const tree = ['DIV', ['H1', 'Höhenwege'], '#comment', ['UL', ['LI', 'Karwendel'], ['LI', 'Wetterstein']], ['BUTTON', '0']];
const mismatches = [];
function hydrate(node, want) {
	if (typeof want === 'string') {
		if (node?.nodeName !== want && node?.data !== want) mismatches.push([want, node?.nodeName]);
		return;
	}
	const [name, ...children] = want;
	if (node?.nodeName !== name || node.childNodes.length !== children.length) mismatches.push([name, node?.nodeName, node?.childNodes.length]);
	children.forEach((child, i) => hydrate(node.childNodes[i], child));
}
hydrate(document.getElementById('app'), tree);
const count = document.querySelector('meta[name=head-count]'), mine = [];
for (let i = 0, e = count.previousElementSibling; i < +count.content; i++, e = e?.previousElementSibling) mine.push(e?.tagName);
document.querySelector('button').onclick = (e) => e.target.textContent++;
document.querySelector('button').click();
document.title += ' · hydrated';
if (mismatches.length) console.error('hydration failed', JSON.stringify(mismatches));
window.report = { mismatches, mine, clicks: document.querySelector('button').textContent };
</script></body></html>`

// TestPagesInFrames loads a page in a frame of another: the SDK is for the page
// that the visitor visits. The page looks into the frame itself.
func TestPagesInFrames(t *testing.T) {
	cases := []pageCase{{name: "with a frame", serve: document(`<!doctype html><head><title>Höhenwege</title>` + liveChat + `</head>` + body +
		`<iframe src="/frame" onload="window.report={sdk:typeof this.contentWindow.PeopleTrackingSDK,scripts:this.contentDocument.scripts.length,text:this.contentDocument.body.innerText}"></iframe>`), scripts: 1}}
	mux := pagesOrigin(reasoned(cases))
	mux.HandleFunc("/frame", document(`<!doctype html><title>Karte</title>`+liveChat+`<p>Karte`))
	testPages(t, start(t, options{handler: pagesHandler, origin: mux}), cases)
}

// TestPagesThatHaveTheScript shows pages that come with the script already:
// from a proxy of ours behind, and because the site carries the tag itself.
func TestPagesThatHaveTheScript(t *testing.T) {
	tag, err := sdk.Plain().Tag(sdk.TagOptions{Base: "/_people", Key: trackingKey, AutoInit: true})
	require.NoError(t, err)
	behind, err := inject.New(inject.Config{Snippet: tag, Version: "00c0ffee"})
	require.NoError(t, err)
	const page = `<!doctype html><head><title>Höhenwege</title>` + liveChat + counted + `</head>` + body
	cases := []pageCase{
		{name: "from a proxy behind", scripts: 1, reason: "skipped_marked", serve: func(w http.ResponseWriter, r *http.Request) {
			if !fromCaddy(r) {
				document(page)(w, r)
				return
			}
			assert.NoError(t, behind.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				document(page)(w, r)
				return nil
			})))
		}},
		{name: "carried by the site", scripts: 2, serve: func(w http.ResponseWriter, r *http.Request) {
			if !fromCaddy(r) {
				document(page)(w, r)
				return
			}
			document(strings.Replace(page, "<title>", string(tag)+"<title>", 1))(w, r)
		}},
	}
	testPages(t, start(t, options{handler: pagesHandler, origin: pagesOrigin(reasoned(cases))}), cases)
}

// TestPagesThroughTwoHandlers has the directive twice in one chain (rule 1).
func TestPagesThroughTwoHandlers(t *testing.T) {
	cases := []pageCase{{name: "twice", serve: document(`<!doctype html><head><title>Höhenwege</title>` + liveChat + counted + `</head>` + body), scripts: 1}}
	again := "people_tracking {\n" + pagesHandler + "\n}"
	testPages(t, start(t, options{handler: pagesHandler, site: again, origin: pagesOrigin(reasoned(cases))}), cases)
}

// TestPagesCompressed has an upstream that compresses whatever it is asked for,
// and Caddy that compresses what it sends (rule 9).
func TestPagesCompressed(t *testing.T) {
	const page = `<!doctype html><head><title>Höhenwege</title>` + liveChat + counted + `</head>` + body
	cases := []pageCase{
		{name: "by the upstream", scripts: 1, serve: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, page+strings.Repeat("<p>Karwendel</p>", 2000))
			assert.NoError(t, z.Close())
		}},
		{name: "not by the upstream", scripts: 1, serve: document(page + strings.Repeat("<p>Karwendel</p>", 2000))},
	}
	testPages(t, start(t, options{handler: pagesHandler, site: "encode gzip", origin: pagesOrigin(reasoned(cases))}), cases)
}

// TestPagesThatStream has an upstream that sends the next part of a page only
// when a script in the last one has told it so: nothing may be kept back.
func TestPagesThatStream(t *testing.T) {
	arrived := make(chan string, 10)
	stream := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for i, part := range []string{
			`<!doctype html><html lang=de><head><title>Höhenwege</title>` + liveChat,
			`<style>h1{color:#246}</style></head>`,
			`<body><h1>Höhenwege</h1>`,
			`<p>Über 3.000 Touren</p></body></html>`,
		} {
			_, _ = fmt.Fprintf(w, `%s<script>(window.report??=[]).push(%d);fetch('/arrived/%[2]d')</script>`, part, i)
			if !assert.NoError(t, http.NewResponseController(w).Flush()) {
				return
			}
			select {
			case got := <-arrived:
				assert.Equal(t, fmt.Sprint("/arrived/", i), got, "parts arrive in order")
			case <-time.After(20 * time.Second):
				assert.Failf(t, "kept back", "part %d never arrived while the upstream waited (through Caddy: %v)", i, fromCaddy(r))
				return
			}
		}
	}
	cases := []pageCase{{name: "streams", serve: stream, scripts: 1, once: true}}
	mux := pagesOrigin(cases)
	mux.HandleFunc("/arrived/", func(w http.ResponseWriter, r *http.Request) {
		arrived <- r.URL.Path
		w.WriteHeader(http.StatusNoContent)
	})
	testPages(t, start(t, options{handler: pagesHandler, origin: mux}), cases)
}
