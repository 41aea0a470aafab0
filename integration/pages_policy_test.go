package integration

import (
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"github.com/livechat-people/caddy-people-tracking/sdk"
)

// TestPagesWithAPolicy shows pages whose Content-Security-Policy says what may
// run (rules 17 and 18). A violation would be a line in the console.
func TestPagesWithAPolicy(t *testing.T) {
	const (
		csp    = "Content-Security-Policy: "
		report = `window.report=[document.querySelectorAll('li').length];console.log('ready', report[0])`
	)
	page := func(script string) string {
		return `<!doctype html><html lang=de><head><title>Höhenwege</title>` + script + `<style>h1{color:#246}</style></head>` + body + `</html>`
	}
	inline := func(attributes string) string {
		return page(`<script` + attributes + `>` + liveChatCode + `;addEventListener('load',()=>{` + report + `})</script>`)
	}
	hash := func(script string) string {
		sum := sha256.Sum256([]byte(script))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	own := hash(liveChatCode + `;addEventListener('load',()=>{` + report + `})`)
	cases := []pageCase{
		{name: "no policy", serve: document(inline("")), scripts: 1},
		{name: "self", serve: document(page(`<script src="/chat.js"></script>`), csp+"default-src 'self'; style-src 'unsafe-inline'"), scripts: 1},
		{name: "nonce", serve: document(inline(` nonce="4AEemGb0xJptoIGFP3Nd"`), csp+"script-src 'nonce-4AEemGb0xJptoIGFP3Nd'; connect-src 'self'"), scripts: 1},
		{name: "nonce and strict-dynamic", serve: document(inline(` nonce="4AEemGb0xJptoIGFP3Nd"`),
			csp+"script-src 'nonce-4AEemGb0xJptoIGFP3Nd' 'strict-dynamic' https: 'unsafe-inline'; object-src 'none'; base-uri 'none'"), scripts: 1},
		{name: "the hash of the SDK is listed", serve: document(inline(""), csp+"script-src "+own+" '"+sdk.Integrity()+"'"), scripts: 1},
		{name: "trusted types", serve: document(inline(""), csp+"require-trusted-types-for 'script'; trusted-types 'none'"), scripts: 1},
		{name: "policy in a meta element", serve: document(`<!doctype html><html><head><meta http-equiv=Content-Security-Policy content="script-src ` + own + `">` +
			inline("") + `</head></html>`), scripts: 1},

		{name: "hashes only", serve: document(inline(""), csp+"script-src "+own), reason: "skipped_csp"},
		{name: "hash and strict-dynamic", serve: document(inline(""), csp+"script-src "+own+" 'strict-dynamic'"), reason: "skipped_csp"},
		{name: "none", serve: document(page(""), csp+"default-src 'none'; style-src 'unsafe-inline'"), reason: "skipped_csp"},
		{name: "calls forbidden", serve: document(inline(""), csp+"script-src 'self' "+own+"; connect-src https://api.example"), reason: "skipped_csp"},
		{name: "sandbox", serve: document(page(""), csp+"sandbox"), reason: "skipped_sandbox"},
	}
	for i := range cases {
		if cases[i].scripts > 0 {
			cases[i].reason = "injected"
		}
	}
	testPages(t, start(t, options{handler: pagesHandler, origin: pagesOrigin(cases)}), cases)
}
