// Package tracker knows who is here and what they did: it selects the profile
// of every SDK call, keeps visitors, leads and authenticated people with their
// activity sessions and events, and answers what the console asks. The rules
// it keeps are called B1, B2, … in its tests and in docs/rules.md.
package tracker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/livechat"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// The lifetimes a Config starts from.
const (
	DefaultSessionTimeout = 30 * time.Minute
	DefaultVisitorTTL     = 45 * 24 * time.Hour
	DefaultChatSessionTTL = 45 * 24 * time.Hour
	DefaultAuthSessionTTL = 24 * time.Hour
)

// Config is what a Service works by. Zero values mean the defaults.
type Config struct {
	Accounts map[string]AccountConfig // by name

	SessionTimeout time.Duration // an activity session ends this long after its last activity
	VisitorTTL     time.Duration // a visitor without activity is deleted after it
	ChatSessionTTL time.Duration // a lead's Live Chat session without calls ends after it
	AuthSessionTTL time.Duration // likewise an authenticated user's
	// AbsorbLeads merges the lead of a started chat into whom it authenticates
	// as, instead of linking both (B6).
	AbsorbLeads bool

	// EventRetention is how long events and ended sessions are kept, at least
	// MinEventRetention; 0 is for ever.
	EventRetention time.Duration

	Ledger Ledger // of erasures, beside the store; nil keeps them in the store alone

	Now    func() time.Time // the clock, for a service that shares none
	Clock  *Clock           // shared by the services of a process; nil makes one of Now
	Random io.Reader
	Logger *slog.Logger
}

// AccountConfig is what belongs to one account.
type AccountConfig struct {
	Schema *schema.Schema
	Tokens *livechat.Verifier // nil verifies no token
}

// Service carries out SDK calls and answers queries. It keeps nothing but the
// store and what it read there of its accounts, so that several may work on one: of two configurations during a
// reload, or of several proxies.
type Service struct {
	store    store.Store
	accounts *accounts
	timeout  int64 // milliseconds
	visitor  time.Duration
	chat     time.Duration
	auth     time.Duration
	ledger   Ledger
	absorb   bool

	retention time.Duration // of events, 0 for ever
	clock     *Clock
	now       func() time.Time // by the clock
	random    io.Reader
	log       *slog.Logger

	outdated atomic.Bool  // see watchLayout
	compared atomic.Bool  // the clock, with the store's
	noted    atomic.Int64 // see noteAlive

	live *live // what became of the last calls

	swept atomic.Int64 // no open session has an earlier deadline in the queue; 0 where that is not known
}

// New returns a Service on st, which stays the caller's to close.
func New(st store.Store, cfg Config) (*Service, error) {
	if st == nil {
		return nil, errors.New("tracker: no store")
	}
	s := &Service{
		store:   st,
		timeout: orDefault(cfg.SessionTimeout, DefaultSessionTimeout).Milliseconds(),
		visitor: orDefault(cfg.VisitorTTL, DefaultVisitorTTL),
		chat:    orDefault(cfg.ChatSessionTTL, DefaultChatSessionTTL),
		auth:    orDefault(cfg.AuthSessionTTL, DefaultAuthSessionTTL),
		absorb:  cfg.AbsorbLeads,
		ledger:  cfg.Ledger, retention: cfg.EventRetention,
		clock: cfg.Clock, random: cfg.Random, log: cfg.Logger,
		accounts: newAccounts(cfg.Accounts),
	}
	for _, lifetime := range []time.Duration{cfg.SessionTimeout, cfg.VisitorTTL, cfg.ChatSessionTTL, cfg.AuthSessionTTL} {
		if lifetime < 0 || (lifetime > 0 && lifetime < time.Second) {
			return nil, fmt.Errorf("tracker: lifetime %s is under a second", lifetime)
		}
	}
	for name, account := range cfg.Accounts {
		if account.Schema == nil {
			return nil, fmt.Errorf("tracker: account %q has no schema", name)
		}
	}
	if cfg.EventRetention != 0 && cfg.EventRetention < MinEventRetention {
		return nil, fmt.Errorf("tracker: event retention %s is under %s", cfg.EventRetention, MinEventRetention)
	}
	if s.clock == nil {
		s.clock = NewClock(cfg.Now, nil)
	}
	s.now = s.clock.Now
	s.live = newLive(s.now())
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Batch carries out the calls of one request in their order, inside one
// transaction, and returns once that is durable: an answer of success means on
// disk. What is wrong with a single call is in its result; the error is the
// store's (store.ErrUnavailable and the like) or ErrUnknownAccount, and then
// nothing was recorded, unless the outcome of the commit is unknown: repeating
// the request is right in either case (B26).
func (s *Service) Batch(ctx context.Context, req *Request) (*Response, error) {
	response, err := s.batch(ctx, req)
	if err == nil {
		s.live.tell(req, response)
	}
	return response, err
}

func (s *Service) batch(ctx context.Context, req *Request) (*Response, error) {
	known, err := s.knownAccounts(ctx)
	if err != nil {
		return nil, err
	}
	account, ok := known.configs[req.Account]
	if !ok {
		return nil, fmt.Errorf("%w %d", ErrUnknownAccount, req.Account)
	}
	if s.outdated.Load() {
		return nil, errOutdated
	}
	if req, err = s.received(ctx, req); err != nil {
		return nil, err
	}
	if req.Agent.DeviceType == deviceSpider {
		return unrecorded(req, ofSpiders), nil
	}
	if req.withoutConsent() {
		return unrecorded(req, notConsented), nil
	}
	if decided := decisions(req); decided > 0 {
		return s.inTwo(ctx, req, decided)
	} else if decided == 0 {
		return s.decide(ctx, req, account)
	}
	return s.carryOut(ctx, req, account, false)
}

// received makes sure that no request is of a later time than the earliest
// clock gives (B36): whoever read the clock may not have known the store's.
func (s *Service) received(ctx context.Context, req *Request) (*Request, error) {
	now, err := s.moment(ctx)
	if err != nil || s.clock.lonesome || !req.ReceivedAt.After(now) {
		return req, err
	}
	early := *req
	early.ReceivedAt = now
	return &early, nil
}

// carryOut carries out calls none of which, but for the first when it is
// granted, is about consent.
func (s *Service) carryOut(ctx context.Context, req *Request, account AccountConfig, granted bool) (*Response, error) {
	response, err := s.run(ctx, req, account, granted)
	switch {
	case !errors.Is(err, store.ErrTooLarge):
		return response, err
	case len(req.Calls) > 1:
		return s.inTwo(ctx, req, len(req.Calls)/2)
	}
	return tooLarge(req.Calls[0]), nil
}

// tooLarge refuses a single call that writes more than one transaction takes.
func tooLarge(call Call) *Response {
	refusal := NewCallError(codeOf(call.Method), "the call changes too much at once; send it in parts")
	return &Response{Results: []Result{{ID: call.ID, Err: refusal}}}
}

const deviceSpider = "spider"

// unrecorded answers a request that is accepted and leaves no trace.
func unrecorded(req *Request, why string) *Response {
	response := &Response{Results: make([]Result, len(req.Calls))}
	for i, call := range req.Calls {
		response.Results[i] = Result{ID: call.ID, Warnings: notRecorded(why)}
	}
	return response
}

// NotRecorded is the code of the warning on a call that succeeds and leaves no
// trace: of a spider, without consent, or of before an erasure.
const NotRecorded = "not_recorded"

// notRecorded is the warning of a call that succeeds and leaves no trace.
func notRecorded(why string) []Warning {
	return []Warning{{Code: NotRecorded, Message: why}}
}

func (s *Service) run(ctx context.Context, req *Request, account AccountConfig, granted bool) (*Response, error) {
	ids, err := newIDSource(s.random)
	if err != nil {
		return nil, err
	}
	judged := account.judge(req.Calls)
	var response *Response
	var note []slog.Attr
	err = s.store.Update(ctx, func(tx store.Tx) error {
		ids.restart()
		w := newWork(s, tx, req, account, ids)
		w.judged = judged
		w.granted = granted
		var err error
		response, err = w.batch()
		note = w.notes
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("recording a batch: %w", err)
	}
	for _, attr := range note {
		s.log.LogAttrs(ctx, slog.LevelWarn, "site session cookie ignored", attr)
	}
	return response, nil
}

// inTwo carries out a batch in two transactions, the first of which ends
// before the call at middle. The second sees what the first did: the cookies it
// was given, as the browser would send them.
func (s *Service) inTwo(ctx context.Context, req *Request, middle int) (*Response, error) {
	first, second := *req, *req
	first.Calls, second.Calls = req.Calls[:middle], req.Calls[middle:]
	one, err := s.batch(ctx, &first)
	if err != nil {
		return nil, err
	}
	second.DeviceTokens = carry(second.DeviceTokens, one.Device)
	second.ChatTokens = carry(second.ChatTokens, one.Chat)
	two, err := s.batch(ctx, &second)
	if err != nil {
		return nil, err
	}
	two.addAsides(one)
	two.Results = append(one.Results, two.Results...)
	if !two.Device.Delete {
		two.Epoch = orElse(two.Epoch, one.Epoch)
	}
	two.Device = later(one.Device, two.Device)
	two.Chat = later(one.Chat, two.Chat)
	return two, nil
}

func carry(tokens []string, change CookieChange) []string {
	switch {
	case change.Set:
		return []string{change.Value}
	case change.Delete:
		return nil
	}
	return tokens
}

func later(one, two CookieChange) CookieChange {
	if two.Set || two.Delete {
		return two
	}
	return one
}
