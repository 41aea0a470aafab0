package browsertest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Eval returns what the expression, which may be a promise, gives as JSON;
// undefined gives "undefined".
func Eval(t testing.TB, page context.Context, expression string) string {
	t.Helper()
	text, err := chromedp.Run(page, chromedp.Evaluate[string](
		`(async () => JSON.stringify(await (`+expression+`)) ?? 'undefined')()`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("evaluating %s: %v", expression, err)
	}
	return text
}

// EvalInto decodes what Eval returns.
func EvalInto[T any](t testing.TB, page context.Context, expression string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(Eval(t, page, expression)), &value); err != nil {
		t.Fatalf("decoding what %s gave: %v", expression, err)
	}
	return value
}

// Do carries out steps in the tab of page, and ends the test at the first one
// that fails.
func Do(t testing.TB, page context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(page, steps...); err != nil {
		t.Fatalf("in the browser: %v", err)
	}
}

// Until waits for a condition in the page, also across navigations and
// whatever the page's policy says of scripts, 20 s at most.
func Until(t testing.TB, page context.Context, condition string) {
	t.Helper()
	const patience, pause = 20 * time.Second, 10 * time.Millisecond
	for begun := time.Now(); ; time.Sleep(pause) {
		// A page that goes away while it is asked answers with an error.
		met, err := chromedp.Run(page, chromedp.Evaluate[bool]("!!("+condition+")"))
		if err == nil && met {
			return
		}
		if time.Since(begun) > patience || page.Err() != nil {
			t.Fatalf("waiting for %s: %v", condition, err)
		}
	}
}
