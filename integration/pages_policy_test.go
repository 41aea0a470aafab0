package integration

import (
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"github.com/livechat-people/caddy-people-tracking/sdk"
)

const (
	csp          = "Content-Security-Policy: "
	policyScript = liveChatCode + `;addEventListener('load',()=>{window.report=[document.querySelectorAll('li').length];console.log('ready', report[0])})`
)

// policed is a page with what stands for its scripts.
func policed(scripts string) string {
	return `<!doctype html><html lang=de><head><title>Höhenwege</title>` + scripts + `<style>h1{color:#246}</style></head>` + body + `</html>`
}

// inline is a page with an inline script that has the attributes given.
func inline(attributes string) string {
	return policed(`<script` + attributes + `>` + policyScript + `</script>`)
}

// pageHash lists the inline script by its hash.
var pageHash = func() string {
	sum := sha256.Sum256([]byte(policyScript))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// TestPagesWithAPolicy shows pages whose Content-Security-Policy says what may
// run (rules 17 and 18). A violation would be a line in the console.
func TestPagesWithAPolicy(t *testing.T) {
	const nonce = ` nonce="4AEemGb0xJptoIGFP3Nd"`
	cases := []pageCase{
		{name: "no policy", serve: document(inline("")), scripts: 1},
		{name: "self", serve: document(policed(`<script src="/chat.js"></script>`), csp+"default-src 'self'; style-src 'unsafe-inline'"), scripts: 1},
		{name: "nonce", serve: document(inline(nonce), csp+"script-src 'nonce-4AEemGb0xJptoIGFP3Nd'; connect-src 'self'"), scripts: 1},
		{name: "nonce and strict-dynamic", serve: document(inline(nonce),
			csp+"script-src 'nonce-4AEemGb0xJptoIGFP3Nd' 'strict-dynamic' https: 'unsafe-inline'; object-src 'none'; base-uri 'none'"), scripts: 1},
		{name: "the hash of the SDK is listed", serve: document(inline(""), csp+"script-src "+pageHash+" '"+sdk.Plain().Integrity()+"'"), scripts: 1},
		{name: "trusted types", serve: document(inline(""), csp+"require-trusted-types-for 'script'; trusted-types 'none'"), scripts: 1},
		{name: "policy in a meta element", serve: document(policed(`<meta http-equiv=Content-Security-Policy content="script-src ` + pageHash + `">` +
			`<script>` + policyScript + `</script>`)), scripts: 1},

		{name: "hashes only", serve: document(inline(""), csp+"script-src "+pageHash), reason: "skipped_csp"},
		{name: "hash and strict-dynamic", serve: document(inline(""), csp+"script-src "+pageHash+" 'strict-dynamic'"), reason: "skipped_csp"},
		{name: "none", serve: document(policed(""), csp+"default-src 'none'; style-src 'unsafe-inline'"), reason: "skipped_csp"},
		{name: "calls forbidden", serve: document(inline(""), csp+"script-src 'self' "+pageHash+"; connect-src https://api.example"), reason: "skipped_csp"},
		{name: "sandbox", serve: document(policed(""), csp+"sandbox"), reason: "skipped_sandbox"},
	}
	testPages(t, start(t, options{handler: pagesHandler, origin: pagesOrigin(reasoned(cases))}), cases)
}

// TestPagesWithAnAmendedPolicy shows pages that would be skipped, with csp
// amend: the SDK runs, and what was forbidden stays forbidden.
func TestPagesWithAnAmendedPolicy(t *testing.T) {
	const forbidden = `<script>window.report='must not run'</script>`
	cases := []pageCase{
		{name: "hashes only", serve: document(inline("")+forbidden, csp+"script-src "+pageHash), scripts: 1},
		{name: "hash and strict-dynamic", serve: document(inline("")+forbidden, csp+"script-src "+pageHash+" 'strict-dynamic'"), scripts: 1},
		{name: "calls forbidden", serve: document(inline("")+forbidden, csp+"script-src 'self' "+pageHash+"; connect-src https://api.example"), scripts: 1},
		{name: "default forbids all", serve: document(inline("")+forbidden, csp+"default-src 'none'; style-src 'unsafe-inline'; script-src "+pageHash), scripts: 1},
		{name: "unsafe inline", serve: document(inline(""), csp+"script-src 'unsafe-inline'"), scripts: 1},
	}
	testPages(t, start(t, options{handler: pagesHandler + "\ncsp amend", origin: pagesOrigin(reasoned(cases))}), cases)
}
