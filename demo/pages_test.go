package demo_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

var pages = map[string]string{
	"home":     "/",
	"product":  "/product.html",
	"checkout": "/checkout.html",
	"account":  "/account.html",
}

func TestPagesWorkAlone(t *testing.T) {
	url, page := shop(t, nil)
	for name, path := range pages {
		for _, width := range []int64{1280, 390, 320} {
			for _, scheme := range []string{"light", "dark"} {
				t.Run(fmt.Sprintf("ok/%s %d %s", name, width, scheme), func(t *testing.T) {
					browsertest.Do(t, page, chromedp.EmulateViewport(width, 900), preferScheme(scheme), chromedp.Navigate(url+path))
					browsertest.Until(t, page, `document.querySelector('.lc-widget-button') && document.fonts.status === 'loaded'`)

					assert.Equal(t, "true", browsertest.Eval(t, page, `document.documentElement.scrollWidth <= innerWidth`), "nothing sticks out to the side")
					assert.Equal(t, "1", browsertest.Eval(t, page, `document.querySelectorAll('h1').length`))
					assert.Empty(t, browsertest.EvalInto[[]string](t, page, nameless), "every control has a name")
					assert.Empty(t, browsertest.EvalInto[[]any](t, page, faint), "every text has contrast")
					picture(t, page, fmt.Sprintf("%s-%d-%s", name, width, scheme))
				})
			}
		}
	}
}

func preferScheme(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// nameless lists the controls that a screen reader could not name.
const nameless = `[...document.querySelectorAll('a, button, input, textarea, select, [role=img]')]
	.filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length))
	.map((e) => e.outerHTML)`

// faint lists what WCAG AA would refuse: visible text below 4.5 to 1 on the
// nearest background that has a colour.
const faint = `(() => {
	const rgb = (text) => text.match(/[\d.]+/g).map(Number);
	const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
		.map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const background = (e) => {
		for (; e; e = e.parentElement) {
			const colour = rgb(getComputedStyle(e).backgroundColor);
			if (colour.length === 3 || colour[3] > 0.9) return colour;
		}
		return [255, 255, 255];
	};
	return [...document.querySelectorAll('body *')]
		.filter((e) => !e.closest('svg, script, style') && e.checkVisibility()
			&& [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
		.map((e) => {
			const [a, b] = [luminance(rgb(getComputedStyle(e).color)), luminance(background(e))].sort((x, y) => y - x);
			return [(a + 0.05) / (b + 0.05), e.className + ' ' + e.textContent.trim().slice(0, 40)];
		})
		.filter(([ratio]) => ratio < 4.5);
})()`

// The demo proves that a site needs no change, so the site must not know.
func TestShopKnowsNothingOfTheProxy(t *testing.T) {
	snippet := regexp.MustCompile(`(?s)<script>\s*\(function.*?'/widget\.js', 'liveChat'\);\s*liveChat\('init', '85ea1938-f457-496d-8532-8fa489beea63'\);\s*</script>`)
	var loaders []string
	files, err := filepath.Glob(filepath.Join(shopFolder, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		text := string(content)
		for _, word := range []string{"_people", "people_tracking", "caddy-people", "sdk.js"} {
			assert.NotContains(t, text, word, file)
		}
		if strings.HasSuffix(file, ".html") {
			assert.NotContains(t, text, "PeopleTrackingSDK", file)
			loaders = append(loaders, snippet.FindString(text))
		}
	}
	require.Len(t, loaders, len(pages))
	for _, loader := range loaders {
		assert.NotEmpty(t, loader)
		assert.Equal(t, loaders[0], loader, "one snippet, the same on all pages")
	}
}

func TestBasketToOrder(t *testing.T) {
	url, page := shop(t, nil)
	browsertest.Do(t, page, chromedp.Navigate(url+"/"))
	browsertest.Until(t, page, `document.querySelector('.lc-widget-button')`)
	browsertest.Do(t, page, click(`[data-add=larder]`), click(`[data-add=larder]`), click(`[data-add=shelf]`))
	browsertest.Until(t, page, `document.querySelector('.count').textContent === '3'`)

	browsertest.Do(t, page, chromedp.Navigate(url+"/checkout.html"))
	browsertest.Until(t, page, `document.querySelector('#total').textContent === '£216'`)
	picture(t, page, "basket")
	browsertest.Do(t, page, click(`[aria-label="Remove Tailgate shelf"]`))
	browsertest.Until(t, page, `document.querySelector('#total').textContent === '£128'`)
	for _, field := range []string{"name", "street", "postcode", "town"} {
		browsertest.Do(t, page, fill(`[name=`+field+`]`, "somewhere"))
		browsertest.Until(t, page, `document.querySelector('[name=`+field+`]').value === 'somewhere'`)
	}
	browsertest.Do(t, page, fill(`[name=town]`, "\r")) // the Enter key: nothing that moves is in its way
	browsertest.Until(t, page, `!document.querySelector('#thanks').hidden && document.querySelector('#order').hidden`)
	assert.Equal(t, `""`, browsertest.Eval(t, page, `document.querySelector('.count').textContent`))
}
