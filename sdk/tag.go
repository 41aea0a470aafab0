package sdk

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The values of TagOptions.PageViews.
const (
	PageViewsInit       = "init"       // one view per page, with initialisation
	PageViewsNavigation = "navigation" // also whenever a single-page site changes the path
)

// The kinds of Live Chat signals that the script observes by itself (B9).
const (
	SignalCalls    = "calls"    // the site's calls of liveChat and LiveChatSDK (B9 b)
	SignalMessages = "messages" // message events from the widget's frame (B9 c)
	SignalReceived = "received" // messages received once the frame had the focus (B9 d)
)

// Signals lists all kinds of observed signals.
var signals = []string{SignalCalls, SignalMessages, SignalReceived}

// TagOptions says what the script does on the page that carries the tag. The
// zero value but for Base loads the script and waits for the page's own
// init().
type TagOptions struct {
	// Base is the path of the collector as the browser sees it, "/_people" with
	// any prefix in front (B39); never a full URL.
	Base string

	// Key is the API key for automatic initialisation: "auto" where none is
	// configured (B28). Required with AutoInit, unused without.
	Key string

	// AutoInit initialises the SDK when the page does not do so itself (B21).
	AutoInit bool

	// Async lets the page go on while the script loads. new PeopleTrackingSDK()
	// in an inline script then fails, as the class does not exist yet.
	Async bool

	// PageViews is PageViewsInit, also when empty, or PageViewsNavigation.
	PageViews string

	// Signals names the kinds of chat signals to observe, see SignalCalls and
	// its neighbours. nil means all, an empty list none.
	Signals []string

	// WidgetOrigins are further origins of the widget's frame, such as
	// "https://chat.example.com", beside those of infobip.com.
	WidgetOrigins []string

	// ConsentRequired holds everything back until the visitor consents (B30).
	ConsentRequired bool

	// ConsentCookie is the site's own cookie of that decision, as name=value
	// where the value is the one that means consent; "" is none.
	ConsentCookie string
}

// Tag returns the script element for the options: one line of ASCII without
// inline code, the same for every visitor. An error names the option that
// cannot be used.
func (b *Bundle) Tag(o TagOptions) ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	var tag strings.Builder
	attribute := func(name, value string) {
		tag.WriteString(" " + name + `="` + escape(value) + `"`)
	}
	tag.WriteString("<script")
	attribute("src", strings.TrimSuffix(o.Base, "/")+"/v1/sdk.js?v="+b.hash)
	if o.AutoInit {
		attribute("data-key", o.Key)
	}
	if o.PageViews == PageViewsNavigation {
		attribute("data-views", o.PageViews)
	}
	if o.Signals != nil {
		attribute("data-signals", strings.Join(o.Signals, " "))
	}
	if len(o.WidgetOrigins) > 0 {
		attribute("data-widget-origins", strings.Join(o.WidgetOrigins, " "))
	}
	if o.ConsentRequired {
		attribute("data-consent", "required")
	}
	if o.ConsentCookie != "" {
		attribute("data-consent-cookie", o.ConsentCookie)
	}
	if o.Async {
		tag.WriteString(` async=""`)
	}
	tag.WriteString("></script>")
	return []byte(tag.String()), nil
}

func (o TagOptions) check() error {
	// A second slash at the start would name another host.
	if !strings.HasPrefix(o.Base, "/") || strings.HasPrefix(o.Base, "//") || strings.ContainsAny(o.Base, "\\?#") || !printable(o.Base) {
		return fmt.Errorf("base %q is no absolute path of printable ASCII", o.Base)
	}
	if o.AutoInit && o.Key == "" {
		return errors.New("automatic initialisation needs an API key")
	}
	if !printable(o.Key) {
		return errors.New("the API key holds other characters than printable ASCII")
	}
	if !slices.Contains([]string{"", PageViewsInit, PageViewsNavigation}, o.PageViews) {
		return fmt.Errorf("page views %q: use %s or %s", o.PageViews, PageViewsInit, PageViewsNavigation)
	}
	for _, signal := range o.Signals {
		if !slices.Contains(signals, signal) {
			return fmt.Errorf("chat signal %q: use %s", signal, strings.Join(signals, ", "))
		}
	}
	for _, origin := range o.WidgetOrigins {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin || !printable(origin) {
			return fmt.Errorf("widget origin %q: use scheme and host, such as https://chat.example.com", origin)
		}
	}
	name, value, _ := strings.Cut(o.ConsentCookie, "=")
	if o.ConsentCookie != "" && (&http.Cookie{Name: name, Value: value}).Valid() != nil || !printable(o.ConsentCookie) {
		return fmt.Errorf("consent cookie %q: use name=value", o.ConsentCookie)
	}
	return nil
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// escape makes s safe between double quotes in an attribute. The characters
// that end elements or comments go too, for scanners that know no attributes.
var escape = strings.NewReplacer("&", "&amp;", `"`, "&#34;", "'", "&#39;", "<", "&lt;", ">", "&gt;").Replace
