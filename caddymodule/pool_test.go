package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
)

type logger = *slog.Logger

var discard = slog.New(slog.DiscardHandler)

// recorder keeps the messages that were logged.
type recorder struct {
	said []string
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }

func (r *recorder) WithAttrs([]slog.Attr) slog.Handler { return r }

func (r *recorder) WithGroup(string) slog.Handler { return r }

func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	r.said = append(r.said, record.Message)
	return nil
}

// fakeStore answers nothing, and counts how often it was closed.
type fakeStore struct {
	closed *int
	err    error // of every call
}

func (f fakeStore) View(context.Context, func(store.Reader) error) error { return f.err }
func (f fakeStore) Update(context.Context, func(store.Tx) error) error   { return f.err }
func (f fakeStore) Close() error {
	if f.closed != nil {
		*f.closed++
	}
	return nil
}

func newLease(name string, reload bool, open func(logger) (store.Store, error)) *lease {
	return &lease{place: place{key: name, name: name, open: open}, reload: reload, log: discard, after: time.After}
}

// P5: the HTTP server may be up before the app is started.
func TestP5ACallBeforeStartOpensTheStore(t *testing.T) {
	opened, closed := 0, 0
	l := newLease("/p5", false, func(logger) (store.Store, error) {
		opened++
		return fakeStore{closed: &closed}, nil
	})
	require.NoError(t, l.View(t.Context(), nil), "before Start")
	_, err := l.take() // Start
	require.NoError(t, err)
	require.NoError(t, l.Update(t.Context(), nil))
	assert.Equal(t, 1, opened)
	require.NoError(t, l.release())
	assert.Equal(t, 1, closed)
	require.ErrorIs(t, l.Update(t.Context(), nil), store.ErrClosed, "after Cleanup nothing is opened again")
	assert.Equal(t, 1, opened)
}

// P3: Cleanup without Start gives nothing back, and no lease gives back twice.
func TestP3ReleaseGivesBackOnlyWhatWasTaken(t *testing.T) {
	closed := 0
	open := func(logger) (store.Store, error) { return fakeStore{closed: &closed}, nil }
	running := newLease("/p3", false, open)
	_, err := running.take()
	require.NoError(t, err)

	rejected := newLease("/p3", true, open)
	require.NoError(t, rejected.release())
	next := newLease("/p3", true, open)
	_, err = next.take()
	require.NoError(t, err)
	require.NoError(t, next.release())
	require.NoError(t, next.release())
	assert.Zero(t, closed)
	require.NoError(t, running.View(t.Context(), nil))
	require.NoError(t, running.release())
	assert.Equal(t, 1, closed)
}

func TestB34LeaseOfAStoreThatDoesNotOpen(t *testing.T) {
	cause := errors.New("flipped bit")
	open := func(logger) (store.Store, error) { return nil, cause }

	t.Run("fail/reload", func(t *testing.T) {
		l := newLease("/b34-reload", true, open)
		_, err := l.take()
		require.ErrorIs(t, err, cause)
		require.ErrorContains(t, err, "/b34-reload")
		require.ErrorIs(t, l.View(t.Context(), nil), store.ErrUnavailable)
		require.NoError(t, l.release())
		_, held := stores.References("/b34-reload")
		assert.False(t, held)
	})
	t.Run("ok/cold start", func(t *testing.T) {
		l := newLease("/b34-cold", false, open)
		_, err := l.take()
		require.NoError(t, err)
		err = l.Update(t.Context(), nil)
		require.ErrorIs(t, err, store.ErrUnavailable)
		assert.NotContains(t, err.Error(), "flipped", "causes are for the log")
		again := newLease("/b34-cold", true, open)
		_, err = again.take()
		require.NoError(t, err, "a reload that names the same store is not refused")
		require.NoError(t, l.release())
		require.NoError(t, again.release())
	})
}

// B34: a start waits for no store that takes long to open, as a large one does
// after a crash.
func TestB34StoreThatTakesLongToOpen(t *testing.T) {
	finish := make(chan struct{})
	l := newLease("/slow", false, func(logger) (store.Store, error) {
		<-finish
		return fakeStore{}, nil
	})
	l.after = func(time.Duration) <-chan time.Time { // nobody waits
		now := make(chan time.Time)
		close(now)
		return now
	}
	log := new(recorder)
	l.log = slog.New(log)
	_, err := l.take()
	require.NoError(t, err)
	require.ErrorIs(t, l.Update(t.Context(), nil), store.ErrUnavailable)
	app := &App{clock: systemClock, lease: l}
	require.EqualError(t, app.ready(t.Context()), "the store is not open yet")
	close(finish)
	require.Eventually(t, func() bool { return app.ready(t.Context()) == nil }, 10*time.Second, time.Millisecond)
	require.NoError(t, l.release())
	assert.Equal(t, []string{
		"the store takes long to open: pages are served meanwhile, but nothing is tracked",
		"the store is open, tracking works from now on",
	}, log.said)
}

func TestP2CanonicalDirectory(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(root, "real"), 0o700))
	require.NoError(t, os.Symlink(filepath.Join(root, "real"), filepath.Join(root, "link")))
	t.Chdir(root)
	for written, want := range map[string]string{
		"real":                  "real",
		"./real/":               "real",
		"link":                  "real",
		"link/new/deep":         "real/new/deep",
		"link/../new":           "new", // as filepath.Join writes it, without the link
		root + "/link/people":   "real/people",
		"real/x/../people/../y": "real/y",
	} {
		got, err := canonicalDir(written)
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(root, want), got, written)
	}
}

func TestB34ReadinessOfAStoreThatAnswersNoMore(t *testing.T) {
	silent := &fakeStore{}
	app := &App{clock: systemClock, lease: newLease("/silent", false, func(logger) (store.Store, error) { return silent, nil })}
	require.NoError(t, app.ready(t.Context()))
	silent.err = store.ErrUnavailable
	require.EqualError(t, app.ready(t.Context()), "the store does not answer")
	require.NoError(t, app.lease.release())
	require.EqualError(t, app.ready(t.Context()), "the store is not open")
}

func TestB34ReadinessOfAStoreThatRefuses(t *testing.T) {
	assert.NoError(t, refusing(badger.Stats{}))
	assert.EqualError(t, refusing(badger.Stats{DiskFull: true}), "the disk is almost full")
	assert.EqualError(t, refusing(badger.Stats{DiskFull: true, Broken: true}), "a write to the disk failed")
	assert.ErrorContains(t, refusing(badger.Stats{Damaged: true}), "a table of the store is damaged")
	assert.EqualError(t, refusing(badger.Stats{Broken: true, Lost: true}), "the store's directory was removed or replaced")
}

func TestB34ReadinessOfAStoreWhoseDirectoryIsRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "people")
	app := &App{clock: systemClock, lease: newLease(dir, false, func(logger) (store.Store, error) {
		return badger.Open(dir, badger.Options{BallastBytes: -1})
	})}
	require.NoError(t, app.ready(t.Context()))
	require.NoError(t, os.RemoveAll(dir))
	red := func() bool { return app.ready(t.Context()) != nil }
	require.Eventually(t, red, time.Minute, 10*time.Millisecond, "the store looks each second")
	require.EqualError(t, app.ready(t.Context()), "the store's directory was removed or replaced")
	require.ErrorIs(t, app.lease.release(), store.ErrUnavailable, "a reload that drops the store ends")
}

// The store outlives the configuration that opened it and its log files.
func TestStoreLogsWhereTheNewestConfigurationDoes(t *testing.T) {
	var log logger
	open := func(given logger) (store.Store, error) {
		log = given.With(slog.String("engine", "fake")).WithGroup("store")
		return fakeStore{}, nil
	}
	first, second, rejected := new(recorder), new(recorder), new(recorder)
	lease := func(r *recorder) *lease {
		l := newLease("/log", false, open)
		l.log = slog.New(r)
		_, err := l.take()
		require.NoError(t, err)
		return l
	}
	one := lease(first)
	log.Info("a")
	bad := lease(rejected)
	log.Info("b")
	require.NoError(t, bad.release())
	log.Info("c")
	two := lease(second)
	require.NoError(t, one.release())
	log.Info("d")
	require.NoError(t, two.release())
	log.Info("e")
	assert.Equal(t, []string{"a", "c"}, first.said)
	assert.Equal(t, []string{"b"}, rejected.said)
	assert.Equal(t, []string{"d", "e"}, second.said)
}

// P3: what a rejected configuration wanted of the store is not left behind.
func TestP3RejectedConfigurationTunesNothing(t *testing.T) {
	var tuned []string
	lease := func(name string) *lease {
		l := newLease("/tune", false, func(logger) (store.Store, error) { return fakeStore{}, nil })
		l.tune = func(store.Store) { tuned = append(tuned, name) }
		_, err := l.take()
		require.NoError(t, err)
		return l
	}
	running, rejected := lease("running"), lease("rejected")
	require.NoError(t, rejected.release())
	next := lease("next")
	require.NoError(t, running.release())
	require.NoError(t, next.release())
	assert.Equal(t, []string{"running", "rejected", "running", "next"}, tuned)
}
