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

// Until waits for a condition in the page, 20 s at most.
func Until(t testing.TB, page context.Context, condition string) {
	t.Helper()
	const patience = 20 * time.Second
	if _, err := chromedp.Run(page, chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingTimeout(patience))); err != nil {
		t.Fatalf("waiting for %s: %v", condition, err)
	}
}
