package livechat

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNewVerifierJudgesWidgets(t *testing.T) {
	t.Parallel()
	key := func(n int) []byte { return bytes.Repeat([]byte("x"), n) }
	for name, tc := range map[string]struct {
		widgets []Widget
		opts    Options
		want    string
	}{
		"ok/none":             {},
		"ok/no secrets":       {widgets: []Widget{{ID: "a"}}},
		"ok/shortest key":     {widgets: []Widget{{ID: "a", Secrets: []Secret{{"k", key(32)}}}}},
		"ok/same key ids":     {widgets: []Widget{{ID: "a", Secrets: []Secret{{"k", key(32)}}}, {ID: "b", Secrets: []Secret{{"k", key(32)}}}}},
		"fail/short key":      {widgets: []Widget{{ID: "a", Secrets: []Secret{{"k", key(31)}}}}, want: `widget "a": secret key 1 has 31 bytes after decoding from Base64, at least 32 are needed`},
		"fail/no key":         {widgets: []Widget{{ID: "a", Secrets: []Secret{{"k", nil}}}}, want: `widget "a": secret key 1 has 0 bytes`},
		"fail/no key id":      {widgets: []Widget{{ID: "a", Secrets: []Secret{{"", key(32)}}}}, want: `widget "a": secret key 1 has no id`},
		"fail/key id twice":   {widgets: []Widget{{ID: "a", Secrets: []Secret{{"k", key(32)}, {"k", key(33)}}}}, want: `widget "a": secret key 2 has the id of one before it`},
		"fail/no widget id":   {widgets: []Widget{{}}, want: "a widget has no id"},
		"fail/widget twice":   {widgets: []Widget{{ID: "a"}, {ID: "a"}}, want: `widget "a" is given twice`},
		"ok/default is max":   {opts: Options{MaxLifetime: 15 * time.Second}},
		"fail/negative life":  {opts: Options{MaxLifetime: -1}, want: "the longest lifetime of tokens is negative"},
		"fail/negative life2": {opts: Options{DefaultLifetime: -1}, want: "the default lifetime of tokens is negative"},
		"fail/negative skew":  {opts: Options{Skew: -1}, want: "the clock skew of tokens is negative"},
		"fail/default > max":  {opts: Options{MaxLifetime: time.Second, DefaultLifetime: 2 * time.Second}, want: "the default lifetime of tokens is above the longest"},
		"ok/short max":        {opts: Options{MaxLifetime: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewVerifier(tc.widgets, tc.opts)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestVerifierKeepsItsOwnKeys(t *testing.T) {
	t.Parallel()
	key := bytes.Clone(keyA)
	secrets := []Secret{{ID: "k1", Key: key}}
	v, err := NewVerifier([]Widget{{ID: widgetID, Secrets: secrets}}, Options{})
	require.NoError(t, err)
	clear(key)
	secrets[0] = Secret{}
	_, err = v.Verify(hs(claimsWith(t, nil)), issued)
	require.NoError(t, err)
	w, ok := v.Widget(widgetID)
	require.True(t, ok)
	assert.Equal(t, widgetID, w.ID)
	_, ok = v.Widget("other")
	assert.False(t, ok)
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	w := Widget{ID: "w", Secrets: []Secret{{ID: "k1", Key: []byte("0123456789abcdef0123456789abcdef")}}}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", slog.Any("widget", w), slog.Any("secret", w.Secrets[0]))
	slog.New(slog.NewTextHandler(&logged, nil)).Info("m", slog.Any("widget", w), slog.Any("secret", &w.Secrets[0]))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&logged, verb+verb, w, &w.Secrets[0])
	}
	for _, form := range []string{"0123456789", "3031323334", "48 49 50", "0x30, 0x31", "MDEyMzQ1"} {
		assert.NotContains(t, logged.String(), form)
	}
	assert.Contains(t, logged.String(), "k1")
}
