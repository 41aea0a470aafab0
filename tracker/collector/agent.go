package collector

import (
	"strings"
	"sync"

	"github.com/mileusna/useragent"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// The device types of the platform (B29).
const (
	deviceUnknown = "unknown"
	deviceMobile  = "mobile"
	deviceTablet  = "tablet"
	deviceDesktop = "desktop"
	deviceSpider  = "spider"
	deviceTV      = "TV"
	deviceConsole = "console"
)

const (
	// maxAgentBytes of a User-Agent are looked at; genuine ones are under 300.
	maxAgentBytes = 512
	// maxAgentWord bounds what is stored: the parser returns unknown agents whole.
	maxAgentWord = 64
	// agentEntries bounds the parsed agents kept, at most twice this number
	// (under 1 MB). A site's visitors share a few hundred.
	agentEntries = 512
)

// Words that the parser does not know, in lower case. A headless browser is no
// spider by itself: it is what a site's own browser tests run in, and they
// would find that nothing is recorded. Spiders that drive one and mean to be
// known say their own name beside it.
var (
	spiderWords  = []string{"bot/", "bot;", "crawler", "spider", "slurp"}
	consoleWords = []string{"playstation", "xbox", "nintendo"}
	tvWords      = []string{"smart-tv", "smarttv", "googletv", "appletv", "apple tv", "hbbtv", "web0s", "bravia", "android tv", "crkey", "roku", "tizen tv", "tv safari", "; aft"}
)

// agents parses User-Agent headers and remembers the recent ones.
type agents struct {
	mu     sync.Mutex
	parsed *recent[string, tracker.Agent]
}

func newAgents() *agents {
	return &agents{parsed: newRecent[string, tracker.Agent](agentEntries)}
}

func (a *agents) of(header string) tracker.Agent {
	if len(header) > maxAgentBytes {
		header = header[:maxAgentBytes]
	}
	a.mu.Lock()
	agent, ok := a.parsed.get(header)
	a.mu.Unlock()
	if ok {
		return agent
	}
	agent = parseAgent(header) // outside the lock: two may do it, with one result
	a.mu.Lock()
	a.parsed.put(strings.Clone(header), agent)
	a.mu.Unlock()
	return agent
}

func parseAgent(header string) tracker.Agent {
	if header == "" {
		return tracker.Agent{DeviceType: deviceUnknown}
	}
	ua := useragent.Parse(header)
	return tracker.Agent{
		DeviceType:     deviceType(ua, strings.ToLower(header)),
		BrowserName:    agentWord(ua.Name),
		BrowserVersion: agentWord(ua.Version),
		BrowserOS:      agentWord(ua.OS),
	}
}

func deviceType(ua useragent.UserAgent, lower string) string {
	switch {
	case (ua.Bot && ua.Name != useragent.HeadlessChrome) || containsAny(lower, spiderWords):
		return deviceSpider
	case containsAny(lower, consoleWords):
		return deviceConsole
	case containsAny(lower, tvWords):
		return deviceTV
	case ua.Tablet:
		return deviceTablet
	case ua.Mobile:
		return deviceMobile
	case ua.Desktop:
		return deviceDesktop
	}
	return deviceUnknown
}

func containsAny(s string, words []string) bool {
	for _, word := range words {
		if strings.Contains(s, word) {
			return true
		}
	}
	return false
}

func agentWord(s string) string { return cut(strings.ToValidUTF8(s, ""), maxAgentWord) }
