//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/livechat"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

const widget = "85ea1938-f457-496d-8532-8fa489beea63"

var secret = []byte("a secret of thirty-two bytes or more, for measurements")

// newService is the tracker as it is configured for a site with a widget.
func newService(st store.Store, timeout time.Duration) (*tracker.Service, error) {
	definitions, err := schema.New([]schema.Definition{{
		ID: "action", Title: "Action", Fields: []schema.Field{{Name: "label", Type: schema.TypeString}},
	}}, nil, schema.Options{Strict: true})
	if err != nil {
		return nil, err
	}
	tokens, err := livechat.NewVerifier([]livechat.Widget{{ID: widget, Secrets: []livechat.Secret{{ID: "k", Key: secret}}}}, livechat.Options{})
	if err != nil {
		return nil, err
	}
	return tracker.New(st, tracker.Config{
		Accounts:       map[string]tracker.AccountConfig{tracker.DefaultAccountName: {Schema: definitions, Tokens: tokens}},
		SessionTimeout: timeout,
	})
}

// browser keeps what a browser keeps.
type browser struct {
	service                   *tracker.Service
	boot, device, chat, epoch string
	calls                     int
}

func newBrowser(service *tracker.Service) *browser {
	var boot [16]byte
	_, _ = rand.Read(boot[:]) // never fails
	return &browser{service: service, boot: hex.EncodeToString(boot[:])}
}

// call makes one call now and takes in what the answer sets. A refused call is
// an error: nothing here may be refused.
func (b *browser) call(ctx context.Context, method, params string) error {
	now := time.Now()
	b.calls++
	req := &tracker.Request{
		Account: tracker.DefaultAccount, ID: "measured", ReceivedAt: now, SentAt: now,
		Agent: tracker.Agent{DeviceType: "desktop", BrowserName: "Chrome", BrowserVersion: "156", BrowserOS: "Linux"},
		Pages: []tracker.Page{{URL: "https://shop.example/product?id=7", Title: "A product", Language: "en-GB", WebsiteLanguage: "en"}},
		Calls: []tracker.Call{{ID: fmt.Sprint("tab-", b.calls), At: now, Epoch: b.epoch, Method: method, Params: []byte(params)}},
	}
	if b.device == "" {
		req.Boot = b.boot
	} else {
		req.DeviceTokens = []string{b.device}
	}
	if b.chat != "" {
		req.ChatTokens = []string{b.chat}
	}
	res, err := b.service.Batch(ctx, req)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if refused := res.Results[0].Err; refused != nil {
		return fmt.Errorf("%s: %w", method, refused)
	}
	if res.Device.Set {
		b.device = res.Device.Value
	}
	if res.Chat.Set {
		b.chat = res.Chat.Value
	}
	b.epoch = res.Epoch
	return nil
}

func (b *browser) view(ctx context.Context) error { return b.call(ctx, tracker.MethodPage, "{}") }

func (b *browser) act(ctx context.Context) error {
	return b.call(ctx, tracker.MethodTrack, `{"eventId":"action","properties":{"label":"add-to-basket"}}`)
}

func (b *browser) startChat(ctx context.Context) error {
	return b.call(ctx, tracker.MethodChat, `{"state":"started","widgetId":"`+widget+`"}`)
}

func (b *browser) authenticate(ctx context.Context, subject string) error {
	params, err := authentication(subject)
	if err != nil {
		return err
	}
	return b.call(ctx, tracker.MethodChat, params)
}

// authentication is what the SDK reports when somebody signs in.
func authentication(subject string) (string, error) {
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": widget, "ski": "k", "stp": "email", "sub": subject, "iat": time.Now().Unix(), "exp": time.Now().Unix() + 60,
	}).SignedString(secret)
	return `{"state":"authenticated","token":"` + signed + `"}`, err
}
