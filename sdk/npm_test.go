package sdk

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func file(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// The module of the npm package is the script that the server injects.
func TestThePackageIsTheScript(t *testing.T) {
	code := strings.Replace(strings.TrimSpace(string(Plain().Script())), "document.currentScript", "tag", 1)
	assert.Equal(t, 1, strings.Count(file(t, "npm/index.js"), "\n"+code+"\n"), "run go generate ./sdk")
	assert.Equal(t, file(t, "../LICENSE"), file(t, "npm/LICENSE"))
	assert.Equal(t, file(t, "people-tracking-sdk.d.ts"), file(t, "npm/people-tracking-sdk.d.ts"))
}

func TestThePackageInAPage(t *testing.T) {
	serve := func(t *testing.T, head, options string) (*site, *tab) {
		s := newSite(t)
		s.raw("/npm.js", file(t, "npm/index.js"))
		s.raw("/", `<!doctype html><title>Shop</title>`+head+`<script type=module>
			import { install } from '/npm.js'; window.Sdk = install(`+options+`); window.again = install({ base: '/elsewhere' }); window.loaded = 1</script>`+stub)
		return s, s.tab(t).open("/")
	}

	t.Run("ok/with options", func(t *testing.T) {
		s, p := serve(t, "", `{ base: '/_people/', views: 'navigation', signals: 'messages' }`)
		assert.Equal(t, `[true,true]`, p.eval(`return [Sdk === PeopleTrackingSDK, again === Sdk]`))
		assert.JSONEq(t, succeeded, p.eval(`window.sdk = new Sdk(); return sdk.init('k')`))
		p.eval(`liveChat('sendMessage', 'x'); history.pushState(1, '', '/a'); await new Promise(r => setTimeout(r, 100))`)
		assert.JSONEq(t, succeeded, p.eval(`return sdk.track('e', { a: 1 })`))
		s.waitFor("init", "page", "page", `track {"eventId":"e","properties":{"a":1}}`)
		p.clean()
	})

	t.Run("ok/by itself", func(t *testing.T) {
		s, p := serve(t, "", `{ key: 'auto' }`)
		s.waitFor("init", "page")
		p.clean()
	})

	t.Run("ok/on a page that was injected", func(t *testing.T) {
		tag, err := Plain().Tag(TagOptions{Base: "/_people", AutoInit: true, Key: "auto"})
		require.NoError(t, err)
		s, p := serve(t, string(tag), `{ key: 'other' }`)
		s.waitFor("init", "page")
		assert.Equal(t, "true", p.eval(`return Sdk === PeopleTrackingSDK`))
		assert.Equal(t, "auto", s.received()[0].APIKey)
		p.clean()
	})
}
