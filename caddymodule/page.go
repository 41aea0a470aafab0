package caddymodule

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/livechat-people/caddy-people-tracking/inject"
	"github.com/livechat-people/caddy-people-tracking/sdk"
)

// page is what puts the SDK into the pages below a stripped prefix, which the
// address of the script and the calls carry (B39). It is made once for each.
func (h *Handler) page(prefix string) (*inject.Injector, error) {
	if made, ok := h.pages.Load(prefix); ok {
		return made.(*inject.Injector), nil
	}
	snippet, err := h.script.Tag(h.tag(prefix))
	if err != nil {
		return nil, fmt.Errorf("the script tag: %w", err)
	}
	version, err := h.version(snippet)
	if err != nil {
		return nil, err
	}
	injector, err := inject.New(inject.Config{
		Snippet:     snippet,
		Version:     version,
		Integrity:   h.script.Integrity(),
		ConnectPath: escaped(prefix) + h.BasePath + batchPath,
		Origin: func(r *http.Request) (scheme, host string) {
			site := h.site(r)
			return site.Scheme, site.Host
		},
		AmendCSP:           h.CSP == cspAmend,
		AppShell:           h.AppShell,
		Frames:             h.Frames,
		XHTML:              h.XHTML,
		AfterXUACompatible: h.AfterXUA,
		Debug:              h.Debug,
		Observe:            measured.page,
		Logger:             h.log,
	})
	if err != nil {
		return nil, err
	}
	made, _ := h.pages.LoadOrStore(prefix, injector)
	return made.(*inject.Injector), nil
}

// version changes whenever a page would come out otherwise, so that browsers
// are not told that their older copy is still good.
func (h *Handler) version(snippet []byte) (string, error) {
	options, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("hashing the options: %w", err)
	}
	hash := sha256.New()
	hash.Write(options)
	hash.Write(snippet)
	return hex.EncodeToString(hash.Sum(nil)[:4]), nil
}

func (h *Handler) tag(prefix string) sdk.TagOptions {
	options := sdk.TagOptions{
		Base:          escaped(prefix) + h.BasePath,
		Key:           h.key.Value,
		AutoInit:      !h.ManualInit,
		Async:         h.Load == loadAsync,
		PageViews:     h.PageViews,
		Signals:       h.ChatSignals,
		WidgetOrigins: h.WidgetOrigins,

		ConsentRequired: h.Consent == consentRequired,
		ConsentCookie:   h.ConsentCookie.attribute(),
	}
	if len(h.ChatSignals) == 1 && h.ChatSignals[0] == signalsOff {
		options.Signals = []string{}
	}
	return options
}
