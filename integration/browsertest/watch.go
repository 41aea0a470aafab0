package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Complaints collects what a tab reports to its console.
type Complaints struct {
	mu   sync.Mutex
	list []Complaint
}

// Complaint is one line of a tab's console.
type Complaint struct {
	// Kind is "exception" (uncaught errors and rejections), "console.error",
	// "console.warning", or "log.error" and "log.warning" for what the browser
	// itself says: a blocked script, a failed request, a policy violated.
	Kind string
	Text string
}

// Watch starts collecting from the tab of page. Call it before navigating.
func Watch(t testing.TB, page context.Context) *Complaints {
	t.Helper()
	c := &Complaints{}
	if err := chromedp.Listen(page, c.receive); err != nil {
		t.Fatalf("watching the console: %v", err)
	}
	return c
}

// All returns everything reported so far, oldest first.
func (c *Complaints) All() []Complaint {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// Errors returns what All does, without the warnings.
func (c *Complaints) Errors() []Complaint {
	return slices.DeleteFunc(c.All(), func(x Complaint) bool {
		return strings.HasSuffix(x.Kind, ".warning")
	})
}

func (c *Complaints) receive(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		c.add("exception", text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			c.add("console."+string(e.Type), arguments(e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			c.add("log."+string(e.Entry.Level), strings.TrimSpace(e.Entry.Text+" "+e.Entry.URL))
		}
	}
}

func (c *Complaints) add(kind, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, Complaint{kind, text})
}

func arguments(args []*runtime.RemoteObject) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.Description
		if parts[i] == "" {
			parts[i] = strings.Trim(string(a.Value), `"`)
		}
	}
	return strings.Join(parts, " ")
}

// Screenshot writes what the tab of page shows as PNG to the file path and
// makes its folder where there is none.
func Screenshot(t testing.TB, page context.Context, path string) {
	t.Helper()
	picture, err := chromedp.Run(page, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatalf("taking a screenshot: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatalf("saving a screenshot: %v", err)
	}
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		t.Fatalf("saving a screenshot: %v", err)
	}
}
