// Package browsertest starts a real Chromium for a test and collects what went
// wrong on the pages it shows.
//
// A browser of this package can reach 127.0.0.1, localhost and the hosts that
// the test maps with [Host], and nothing else.
package browsertest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Deadline bounds the life of a browser from New and of a page from
// [Browser.Page], so that a page that never answers fails its own test and not
// the whole run.
const Deadline = 2 * time.Minute

// startTimeout is how long Chromium may take to open its debugging port. On a
// busy two-core machine the usual second becomes ten.
const startTimeout = time.Minute

var names = []string{"chromium", "chromium-browser", "google-chrome"}

var errNotFound = errors.New("no browser in PATH: install chromium (apt-get install chromium)")

// Option changes how the browser is started.
type Option func(*settings)

type settings struct {
	hosts []string
}

// Host makes the browser connect to addr ("127.0.0.1:8443") whenever a page
// asks for name on any port, and accept the certificate it finds there. With
// it a test plays a host of the real world, such as the widget's.
func Host(name, addr string) Option {
	return func(s *settings) { s.hosts = append(s.hosts, "MAP "+name+" "+addr) }
}

// New starts a browser with a fresh profile and one empty tab, and returns the
// tab's context for chromedp.Do and chromedp.Run. The test's clean-up closes it. Where no
// Chromium is installed the test is skipped, or fails when the environment
// variable PEOPLE_REQUIRE names "browser" in its comma-separated list.
func New(t testing.TB, options ...Option) context.Context {
	t.Helper()
	b := NewBrowser(options...)
	t.Cleanup(b.Close)
	return b.Page(t)
}

// Browser is one Chromium shared by the tests of a package, because starting
// one costs a second or more. It starts with the first Page; TestMain closes
// it.
type Browser struct {
	options []Option

	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelFunc
}

// NewBrowser prepares a browser and starts nothing yet.
func NewBrowser(options ...Option) *Browser { return &Browser{options: options} }

// Page opens an empty tab in a profile of its own: cookies and storage are
// shared with its [Tab]s and with nothing else. The test's clean-up closes it.
func (b *Browser) Page(t testing.TB) context.Context {
	t.Helper()
	root, err := b.start()
	if errors.Is(err, errNotFound) {
		if Required() {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("starting the browser: %v", err)
	}
	return open(t, root, chromedp.WithNewBrowserContext())
}

// Close ends the browser. It may be called without any Page before.
func (b *Browser) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cancel != nil {
		b.cancel()
		b.ctx, b.cancel = nil, nil
	}
}

// Tab opens a further tab in the profile that page belongs to. The test's
// clean-up closes it.
func Tab(t testing.TB, page context.Context) context.Context {
	t.Helper()
	return open(t, page)
}

// Required tells whether a missing browser is a failure.
func Required() bool {
	return slices.Contains(strings.Split(os.Getenv("PEOPLE_REQUIRE"), ","), "browser")
}

func open(t testing.TB, parent context.Context, options ...chromedp.ContextOption) context.Context {
	t.Helper()
	page, closePage := chromedp.NewContext(parent, options...)
	bounded, cancel := context.WithTimeout(page, Deadline)
	t.Cleanup(func() { cancel(); closePage() })
	// The first Do creates the tab. It must not be the bounded context's: the
	// tab would die with it and chromedp would wait for it in vain.
	if err := chromedp.Do(page); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	return bounded
}

func (b *Browser) start() (context.Context, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx != nil {
		return b.ctx, nil
	}
	path, err := find()
	if err != nil {
		return nil, err
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), flags(path, b.options)...)
	ctx, cancel := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		stop()
		return nil, err
	}
	b.ctx, b.cancel = ctx, func() {
		_ = chromedp.Cancel(ctx) // asks the browser to close; stop kills what is left
		stop()
	}
	return ctx, nil
}

func find() (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNotFound
}

func flags(path string, options []Option) []chromedp.ExecAllocatorOption {
	var s settings
	for _, option := range options {
		option(&s)
	}
	// Every other name fails to resolve, so that no test leaves the machine.
	rules := append(s.hosts, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1", "EXCLUDE localhost")
	list := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // containers and CI run as root
		chromedp.Headless,
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-extensions", true),
		// Tests look at several tabs at once: none of them is a background tab.
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
		chromedp.Flag("disable-dev-shm-usage", true), // /dev/shm of a container is too small
		chromedp.Flag("host-resolver-rules", strings.Join(rules, ", ")),
		chromedp.WSURLReadTimeout(startTimeout),
	}
	if len(s.hosts) > 0 {
		list = append(list, chromedp.IgnoreCertErrors)
	}
	return list
}
