package inject

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRule20ErrorBeforeTheFirstByte(t *testing.T) {
	boom := errors.New("boom")
	for name, next := range map[string]nextFunc{
		"ok/nothing done": func(http.ResponseWriter, *http.Request) error { return boom },
		"ok/header noted": func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", htmlUTF8)
			w.WriteHeader(http.StatusOK)
			return boom
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got Outcome
			in := newInjector(t, func(c *Config) { c.Observe = func(o Outcome) { got = o } })
			rec, err := run(t, in, next)
			assert.Same(t, boom, err)
			assert.Empty(t, rec.calls)
			assert.Empty(t, rec.header.Get(MarkerHeader))
			assert.Equal(t, SkippedError, got)
		})
	}
}

func TestRule20ErrorAfterBytes(t *testing.T) {
	boom := errors.New("boom")
	rec, err := run(t, newInjector(t, nil), func(w http.ResponseWriter, r *http.Request) error {
		_ = chunked(false, "<html><head>x")(w, r)
		return boom
	})
	assert.Same(t, boom, err)
	assert.Equal(t, "<html><head>"+testScript+"x", string(rec.body))
}

func TestRule20ErrorWhileBytesAreHeld(t *testing.T) {
	boom := errors.New("boom")
	rec, err := run(t, newInjector(t, nil), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", htmlUTF8)
		w.Header().Set("Content-Length", "999")
		_, _ = io.WriteString(w, "<!doctype html><!-- x")
		return boom
	})
	assert.Same(t, boom, err)
	assert.Equal(t, "<!doctype html><!-- x", string(rec.body), "the handler sent them, so they go out")
}

func TestRule20PanicsPass(t *testing.T) {
	var got []Outcome
	in := newInjector(t, func(c *Config) { c.Observe = func(o Outcome) { got = append(got, o) } })
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		_, _ = run(t, in, func(w http.ResponseWriter, r *http.Request) error {
			_ = chunked(true, "<html><head>x", "y")(w, r)
			panic(http.ErrAbortHandler)
		})
	})
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		_, _ = run(t, in, func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) })
	})
	assert.Equal(t, []Outcome{Injected, SkippedError}, got)
}

func TestRule20AbortedUpstreamDoesNotLookComplete(t *testing.T) {
	s := newSite(t, nil, func(w http.ResponseWriter, r *http.Request) error {
		_ = chunked(false, testPage)(w, r)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	got := s.get()
	require.ErrorIs(t, got.err, io.ErrUnexpectedEOF)
	assert.Equal(t, with(testMarked, testScript), got.body)
}

func TestRule21WriteErrorsReachTheHandler(t *testing.T) {
	gone := errors.New("connection gone")
	rec := newRecorder()
	rec.fail = gone
	err := newInjector(t, nil).ServeHTTP(rec, navigation("GET"), nextFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", htmlUTF8)
		n, err := io.WriteString(w, testPage)
		assert.Zero(t, n)
		return err
	}))
	assert.ErrorIs(t, err, gone)
}
