package sdk

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/integration/browsertest"
)

// BenchmarkStart measures how long the script keeps the main thread when it
// runs: in one warm tab that goes to the page over and over, with a clock of
// 5 µs. control is a script that does nothing, and so what the clock and the
// machine add. Tasks are those above 50 ms that the browser puts down to the
// script, here or later in the page.
//
//	go test ./sdk -run '^$' -bench Start -benchtime 300x
func BenchmarkStart(b *testing.B) {
	timed := func(script string) string {
		return "var began = performance.now();" + script + ";window.took = performance.now() - began"
	}
	for name, script := range map[string]string{"sdk": string(Plain().Script()), "control": ";"} {
		b.Run(name, func(b *testing.B) {
			s := newSite(b)
			// Only isolated pages have the fine clock.
			s.headers.Set("Cross-Origin-Opener-Policy", "same-origin")
			s.headers.Set("Cross-Origin-Embedder-Policy", "require-corp")
			s.raw("/_people/v2/sdk.js", timed(script))
			s.raw("/", `<!doctype html><script src="/_people/v2/sdk.js" data-key=auto data-views=navigation></script><title>Shop</title>`+stub)
			page := browser.Page(b)
			visit := func() (took float64, tasks int) {
				require.NoError(b, chromedp.Do(page, chromedp.Navigate(s.URL+"/")))
				result := browsertest.Eval(b, page, `(async () => { await new Promise(r => setTimeout(r, 30));
					const frames = await new Promise(r => { new PerformanceObserver(l => r(l.getEntries())).observe({ type: 'long-animation-frame', buffered: true }); setTimeout(r, 20, []) });
					return [took * 1000, frames.flatMap(f => f.scripts).filter(s => s.sourceURL.includes('sdk.js') && s.duration > 50).length] })()`)
				require.NoError(b, json.Unmarshal([]byte(result), &[]any{&took, &tasks}))
				return took, tasks
			}
			for range 20 { // a new tab is several times slower
				visit()
			}
			var took []float64
			tasks := 0
			for b.Loop() {
				time, long := visit()
				took, tasks = append(took, time), tasks+long
			}
			slices.Sort(took)
			for unit, share := range map[string]int{"µs-quartile": 4, "µs-median": 2} {
				b.ReportMetric(took[len(took)/share], unit)
			}
			b.ReportMetric(took[0], "µs-least")
			b.ReportMetric(float64(tasks), "tasks")
		})
	}
}
