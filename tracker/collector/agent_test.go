package collector

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func TestB29Agents(t *testing.T) {
	tests := []struct {
		name, header string
		want         tracker.Agent
	}{
		{"ok/none", "", tracker.Agent{DeviceType: "unknown"}},
		{
			"ok/chrome on windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
			tracker.Agent{DeviceType: "desktop", BrowserName: "Chrome", BrowserVersion: "126.0.0.0", BrowserOS: "Windows"},
		},
		{
			"ok/safari on iphone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
			tracker.Agent{DeviceType: "mobile", BrowserName: "Safari", BrowserVersion: "17.5", BrowserOS: "iOS"},
		},
		{
			"ok/ipad", "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
			tracker.Agent{DeviceType: "tablet", BrowserName: "Safari", BrowserVersion: "16.6", BrowserOS: "iOS"},
		},
		{
			"ok/android", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
			tracker.Agent{DeviceType: "mobile", BrowserName: "Chrome", BrowserVersion: "126.0.0.0", BrowserOS: "Android"},
		},
		{
			"ok/search engine", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
			tracker.Agent{DeviceType: "spider", BrowserName: "Googlebot", BrowserVersion: "2.1"},
		},
		{
			"ok/headless", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36",
			tracker.Agent{DeviceType: "desktop", BrowserName: "Headless Chrome", BrowserVersion: "126.0.0.0", BrowserOS: "Linux"},
		},
		{
			"ok/console", "Mozilla/5.0 (PlayStation; PlayStation 5/2.26) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Safari/605.1.15",
			tracker.Agent{DeviceType: "console", BrowserName: "Safari", BrowserVersion: "13.0"},
		},
		{
			"ok/television", "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0.3945.79 Safari/537.36",
			tracker.Agent{DeviceType: "TV", BrowserName: "Chrome", BrowserVersion: "79.0.3945.79", BrowserOS: "Linux"},
		},
		{"ok/no browser", "curl/8.5.0", tracker.Agent{DeviceType: "unknown", BrowserName: "curl", BrowserVersion: "8.5.0"}},
	}
	agents := newAgents()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, agents.of(tt.header))
			assert.Equal(t, tt.want, agents.of(tt.header), "remembered")
		})
	}
}

func TestAgentMemory(t *testing.T) {
	agents := newAgents()
	agents.of("Unknown/1")
	agents.of("Unknown/1")
	assert.Equal(t, 1, agents.parsed.len(), "parsed once")
	for i := range 5 * agentEntries {
		agents.of("Unknown/" + strings.Repeat("x", i))
	}
	assert.LessOrEqual(t, agents.parsed.len(), 2*agentEntries)
}

func FuzzAgent(f *testing.F) {
	f.Add("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36")
	f.Add("(((;;;/ // http:// ")
	f.Add(strings.Repeat("é", 400))
	types := []string{"unknown", "mobile", "tablet", "desktop", "spider", "TV", "console"}
	f.Fuzz(func(t *testing.T, header string) {
		agent := newAgents().of(header)
		assert.Contains(t, types, agent.DeviceType)
		for _, word := range []string{agent.BrowserName, agent.BrowserVersion, agent.BrowserOS} {
			assert.LessOrEqual(t, len(word), maxAgentWord)
			assert.True(t, utf8.ValidString(word))
		}
	})
}
