// Package console is the people viewer and the People REST API: leads and
// authenticated people, their timelines and the merges that brought activity
// to them, over the queries of package tracker. A visitor is not shown by any
// of its routes (B16): what tracker does not find is answered with 404.
//
// What it shows was typed by strangers. Every value is escaped by
// html/template, nothing is loaded from elsewhere, links lead to http and https
// only, and the content security policy allows neither inline script nor style.
package console

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// People is what the console needs of tracker.Service. Every method answers
// tracker.ErrNotFound for a visitor, an unknown id and a malformed one alike
// (B16), and an error that tracker.Unavailable knows while the store cannot
// answer, after which the call may be repeated.
type People interface {
	// Persons lists newest activity first, or answers tracker.ErrBadCursor.
	Persons(ctx context.Context, account tracker.Account, query tracker.PersonQuery) (tracker.PersonPage, error)
	Person(ctx context.Context, account tracker.Account, id string) (tracker.Person, error)
	// Events lists newest first, or answers tracker.ErrBadCursor.
	Events(ctx context.Context, account tracker.Account, id string, query tracker.EventQuery) (events []tracker.Event, nextCursor string, err error)
	Merges(ctx context.Context, account tracker.Account, id string) ([]tracker.Merge, error)
	// Erase hides a person for good and returns once that is recorded; the
	// removal goes on (B33).
	Erase(ctx context.Context, account tracker.Account, id string) error
	// Export writes everything held of a person. An error that comes before
	// anything was written is answered; later the document stays unfinished.
	Export(ctx context.Context, account tracker.Account, id string, w io.Writer) error
	// UndoMerge and RedoMerge decide about a merge and answer what it is then
	// (B18), or tracker.ErrNotFound or ErrMergeChanged.
	UndoMerge(ctx context.Context, account tracker.Account, mergeID string, d tracker.Decision) (tracker.Merge, error)
	RedoMerge(ctx context.Context, account tracker.Account, mergeID string, d tracker.Decision) (tracker.Merge, error)
	// InvalidateSession ends the Live Chat sessions with this sid (B7), known or
	// not; tracker.ErrNotFound is about the widget.
	InvalidateSession(ctx context.Context, account tracker.Account, widgetID, sid string) error
	// ReportChat starts the session of a device and answers its sid (B9 f), or
	// tracker.ErrNotFound, ErrBadSessionID or ErrBadToken.
	ReportChat(ctx context.Context, account tracker.Account, widgetID string, report tracker.ChatReport) (sid string, err error)
	// Outcomes are those of the last calls behind the one with the id after,
	// oldest first, and how many between are forgotten.
	Outcomes(account tracker.Account, after string) (list []tracker.Outcome, missed uint64)
	// Watch gives a channel that is ready when there are more, until stop, or
	// answers tracker.ErrTooManyWatchers.
	Watch(account tracker.Account) (news <-chan struct{}, stop func(), err error)
}

// Config is what a console is made of. People, Keys' account and User decide
// who sees whom; nothing has a default that lets anybody in.
type Config struct {
	// People answers the queries. Required.
	People People
	// Account is the one whose people are shown; zero is tracker.DefaultAccount.
	Account tracker.Account
	// Keys are the account's API keys for programs; nil has none.
	Keys *tracker.Keys
	// User names the operator whom the server authenticated, "" when nobody;
	// nil never lets a user in.
	User func(*http.Request) string
	// Base is the public path the console is mounted under, for the links it
	// writes. nil is "/". The paths of requests are relative to it: whoever
	// mounts the console strips the prefix first.
	Base func(*http.Request) string
	// Now is the clock that relative times are counted from; nil is time.Now.
	Now func() time.Time
	// Stopping ends the streams of the live view when it is closed, which would
	// else hold up the shutdown of their server; nil never does.
	Stopping <-chan struct{}
	// Every ticks until stop, for signs of life in these streams; nil is a ticker
	// of the system's clock.
	Every func(time.Duration) (tick <-chan time.Time, stop func())
	// Logger takes internal errors; nil is slog.Default.
	Logger *slog.Logger
}

type handler struct {
	people   People
	account  tracker.Account
	keys     *tracker.Keys
	user     func(*http.Request) string
	base     func(*http.Request) string
	now      func() time.Time
	stopping <-chan struct{}
	every    func(time.Duration) (tick <-chan time.Time, stop func())
	log      *slog.Logger
	assets   *assets
	views    views
	mux      *http.ServeMux
}

// New returns the console. It serves the paths of its route table below the
// mount point, see Config.Base.
func New(config Config) (http.Handler, error) {
	if config.People == nil {
		return nil, errors.New("console: no people to show")
	}
	h := &handler{
		people: config.People, account: config.Account, keys: config.Keys,
		user: config.User, base: config.Base, now: config.Now, stopping: config.Stopping, every: config.Every, log: config.Logger,
	}
	if h.account == 0 {
		h.account = tracker.DefaultAccount
	}
	if h.user == nil {
		h.user = func(*http.Request) string { return "" }
	}
	if h.base == nil {
		h.base = func(*http.Request) string { return "/" }
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.every == nil {
		h.every = every
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	var err error
	if h.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if h.views, err = parseViews(); err != nil {
		return nil, err
	}
	h.mux = h.newMux()
	return h, nil
}
