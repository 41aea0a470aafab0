package inject

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRule19Flush(t *testing.T) {
	for name, c := range map[string]struct {
		length bool
		steps  []string // bytes to write, or "flush"
		sent   []string // what has been sent after each step
		end    string
	}{
		"ok/before headers, length unknown": {
			false,
			[]string{"flush", "<head>"},
			[]string{"", "<head>" + testScript},
			"<head>" + testScript,
		},
		"ok/all but the tail": {
			false,
			[]string{"<html><he", "flush", "flush", "ad>x"},
			[]string{"<html>", "<html>", "<html>", "<html><head>" + testScript + "x"},
			"<html><head>" + testScript + "x",
		},
		"ok/length known gives up exactness": {
			true,
			[]string{"<html><he", "flush", "ad>x"},
			[]string{"", "<html>", "<html><head>" + testScript + "x"},
			"<html><head>" + testScript + "x",
		},
		"ok/length known waits for the first byte": {
			true,
			[]string{"flush", "<head>x"},
			[]string{"", "<head>" + testScript + "x"},
			"<head>" + testScript + "x",
		},
		"ok/after the script": {
			false,
			[]string{"<head>", "flush", "x", "flush"},
			[]string{"<head>" + testScript, "<head>" + testScript, "<head>" + testScript + "x", "<head>" + testScript + "x"},
			"<head>" + testScript + "x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder()
			require.NoError(t, newInjector(t, nil).ServeHTTP(rec, navigation("GET"), nextFunc(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", htmlUTF8)
				if c.length {
					w.Header().Set("Content-Length", strconv.Itoa(len(strings.ReplaceAll(strings.Join(c.steps, ""), "flush", ""))))
				}
				for i, step := range c.steps {
					if step == "flush" {
						assert.NoError(t, http.NewResponseController(w).Flush())
					} else if _, err := io.WriteString(w, step); err != nil {
						return err
					}
					assert.Equal(t, c.sent[i], string(rec.body), "after step %d", i)
				}
				return nil
			})))
			assert.Equal(t, c.end, string(rec.body))
			assert.Contains(t, rec.calls, "flush")
		})
	}
}

func TestRule19FlushWithLengthKeepsItExact(t *testing.T) {
	rec, err := run(t, newInjector(t, nil), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", htmlUTF8)
		w.Header().Set("Content-Length", strconv.Itoa(len(testPage)))
		w.WriteHeader(http.StatusOK)
		assert.NoError(t, http.NewResponseController(w).Flush())
		_, err := io.WriteString(w, testPage)
		return err
	})
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(len(testPage)+len(testScript)), rec.header.Get("Content-Length"))
	assert.Equal(t, []string{"header OK", "write", "flush"}, rec.calls)
}

func TestRule19FlushOfNothingIsNoPage(t *testing.T) {
	next := func(w http.ResponseWriter, _ *http.Request) error {
		assert.NoError(t, http.NewResponseController(w).Flush())
		_, err := io.WriteString(w, testPage)
		return err
	}
	s := newSite(t, nil, next)
	assert.Equal(t, testPage, s.get().body)
	assert.Equal(t, SkippedMediaType, s.outcome())
}

func TestRule19EventsAreNotHeld(t *testing.T) {
	rec := newRecorder()
	require.NoError(t, newInjector(t, nil).ServeHTTP(rec, navigation("GET"), nextFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		assert.Equal(t, []string{"header OK"}, rec.calls)
		for range 2 {
			_, _ = io.WriteString(w, "data: <\n\n")
			assert.NoError(t, http.NewResponseController(w).Flush())
		}
		assert.Equal(t, []string{"header OK", "write", "flush", "write", "flush"}, rec.calls)
		return nil
	})))
}

func TestRule19HandlersThatAskForAFlusher(t *testing.T) {
	rec, err := run(t, newInjector(t, nil), func(w http.ResponseWriter, r *http.Request) error {
		if err := page("<html><head>")(w, r); err != nil {
			return err
		}
		w.(http.Flusher).Flush()
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"header OK", "write", "flush"}, rec.calls)
}

func TestRule19HeaderFlushOfACompressedPageWaits(t *testing.T) {
	rec := newRecorder()
	require.NoError(t, newInjector(t, nil).ServeHTTP(rec, navigation("GET"), nextFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", htmlUTF8)
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusOK)
		_, err := w.Write(nil)
		assert.NoError(t, err)
		assert.NoError(t, http.NewResponseController(w).Flush())
		assert.Empty(t, rec.calls, "whether it can be decoded is not known yet")
		return nil
	})))
	assert.Equal(t, []string{"header OK"}, rec.calls)
	assert.Equal(t, "gzip", rec.header.Get("Content-Encoding"))
	assert.Empty(t, rec.header.Get(MarkerHeader))
}
