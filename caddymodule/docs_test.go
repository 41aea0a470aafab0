package caddymodule

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// section is a chapter of docs/configuration.md.
func section(t *testing.T, title string) string {
	t.Helper()
	document, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	_, behind, found := strings.Cut(string(document), "\n## "+title+"\n")
	require.True(t, found, title)
	text, _, _ := strings.Cut(behind, "\n## ")
	return text
}

// Every word that a block takes stands in the syntax and is explained; the
// parser itself says which there are.
func TestEveryOptionIsDocumented(t *testing.T) {
	const noWord = "no-such-word"
	for title, test := range map[string]struct {
		into  caddyfile.Unmarshaler
		input string
	}{
		"Global option":             {new(App), "people_tracking {\n" + noWord + "\n}"},
		"Global option: rate_limit": {new(App), "people_tracking {\nrate_limit {\n" + noWord + "\n}\n}"},
		"Global option: widget":     {new(App), "people_tracking {\nwidget w {\n" + noWord + "\n}\n}"},
		"Global option: store":      {new(App), "people_tracking {\nstore badger d {\n" + noWord + "\n}\n}"},
		"Global option: account":    {new(App), "people_tracking {\naccount a {\n" + noWord + "\n}\n}"},
		"Directive people_tracking": {new(Handler), "people_tracking {\n" + noWord + "\n}"},
		"Directive people_console":  {new(Console), "people_console {\n" + noWord + "\n}"},
	} {
		t.Run(title, func(t *testing.T) {
			title, _, _ = strings.Cut(title, ":")
			text := section(t, title)
			syntax := strings.Split(text, "```")[1]
			err := test.into.UnmarshalCaddyfile(caddyfile.NewTestDispenser(test.input))
			require.ErrorContains(t, err, "allowed are ")
			_, words, _ := strings.Cut(err.Error(), "allowed are ")
			words, _, _ = strings.Cut(words, ", at ")
			for _, word := range regexp.MustCompile(`, | and `).Split(words, -1) {
				assert.Regexp(t, `(?m)^\s*`+word+`\b`, syntax, "in the syntax")
				explained := regexp.MustCompile("(?m)`" + word + "\\b|^### .*\\b" + word + "\\b")
				assert.Regexp(t, explained, strings.Replace(text, syntax, "", 1), "in words")
			}
		})
	}
}

func TestEveryMetricIsDocumented(t *testing.T) {
	text := section(t, "Health and metrics")
	descs := make(chan *prometheus.Desc, 100)
	for _, each := range []prometheus.Collector{measured.pages, measured.requests, measured.calls, storeMetrics{}, clockMetrics{}} {
		each.Describe(descs)
	}
	close(descs)
	require.Greater(t, len(descs), 20)
	name := regexp.MustCompile(`fqName: "people_tracking(_[a-z_]+)"`)
	for desc := range descs {
		found := name.FindStringSubmatch(desc.String())
		require.NotNil(t, found, desc.String())
		assert.Regexp(t, "`(people_tracking)?"+found[1]+"`", text)
	}
}

// Whoever copies a whole Caddyfile, or the JSON, from the documentation finds
// that it is taken. <Words in angle brackets> are to be filled in, and what begins
// with a directive is a piece of a site.
func TestConfigurationsOfTheDocumentationAreTaken(t *testing.T) {
	newInstance(t) // which keeps the data directory out of the user's
	t.Setenv("LIVECHAT_SECRET", secret)
	for _, key := range []string{"PEOPLE_KEY", "BLOG_KEY"} {
		t.Setenv(key, key+"-of-the-test")
	}
	pages, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	taken := 0
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, block := range regexp.MustCompile("(?s)```(caddyfile|json)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			config := []byte(block[2])
			if block[1] == "json" {
				if !strings.Contains(block[2], `"apps"`) {
					continue
				}
			} else {
				if strings.Contains(block[2], "<") || strings.HasPrefix(block[2], "people_") {
					continue
				}
				config, _, err = caddyconfig.GetAdapter("caddyfile").Adapt(config, map[string]any{"filename": filepath.Base(page)})
				require.NoError(t, err, block[2])
			}
			loaded := new(caddy.Config)
			require.NoError(t, caddy.StrictUnmarshalJSON(config, loaded), block[2])
			loaded.Admin = &caddy.AdminConfig{Disabled: true}
			require.NoError(t, caddy.Validate(loaded), block[2])
			taken++
		}
	}
	assert.Greater(t, taken, 6)
}
