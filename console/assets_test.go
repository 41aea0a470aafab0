package console

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAssetsOfAPage(t *testing.T) {
	console := newConsole(t, small())
	document := parse(t, ask(console, http.MethodGet, "/", asOperator, inBrowser))
	types := map[string]string{}
	for _, n := range elements(document, func(n *htmlNode) bool { return n.Data == "link" || n.Data == "script" }) {
		address := attribute(n, "href") + attribute(n, "src")
		w := ask(console, http.MethodGet, strings.TrimPrefix(address, "/people"), asOperator)
		require.Equal(t, 200, w.Code, address)
		hash := sha256.Sum256(w.Body.Bytes())
		assert.Contains(t, address, "-"+hex.EncodeToString(hash[:6])+".", "a name that changes with the content may be cached for good")
		types[n.Data+attribute(n, "rel")] = w.Header().Get("Content-Type")
		assert.Empty(t, text(n), "the policy forbids inline script and style")
	}
	assert.Equal(t, map[string]string{"linkstylesheet": "text/css; charset=utf-8", "linkicon": "image/svg+xml", "script": "text/javascript; charset=utf-8"}, types)
	assert.Equal(t, 404, ask(console, http.MethodGet, "/assets/console-000000000000.css", asOperator).Code)
}

// TestNoInlineStyleOrScript: the policy would ignore it, unseen.
func TestNoInlineStyleOrScript(t *testing.T) {
	people := crowd()
	console := newConsole(t, people)
	for _, target := range []string{"/", "/persons/" + people.persons[0].ID, "/persons/none", "/live"} {
		document := parse(t, ask(console, http.MethodGet, target, asOperator, inBrowser))
		for _, n := range elements(document, func(*htmlNode) bool { return true }) {
			assert.NotEqual(t, "style", n.Data)
			for _, a := range n.Attr {
				assert.False(t, a.Key == "style" || strings.HasPrefix(a.Key, "on"), "%s %s", n.Data, a.Key)
			}
		}
	}
}
