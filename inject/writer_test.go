package inject

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run calls the injector with a recorder underneath.
func run(t testing.TB, in *Injector, next nextFunc) (*recorder, error) {
	t.Helper()
	rec := newRecorder()
	err := in.ServeHTTP(rec, navigation("GET"), next)
	return rec, err
}

// chunked writes the pieces one by one, with a declared length if asked for.
func chunked(length bool, pieces ...string) nextFunc {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", htmlUTF8)
		if length {
			w.Header().Set("Content-Length", strconv.Itoa(len(strings.Join(pieces, ""))))
		}
		for _, p := range pieces {
			n, err := io.WriteString(w, p)
			if err != nil {
				return err
			}
			if n != len(p) {
				return errors.New("short count")
			}
		}
		return nil
	}
}

func TestRule14ContentLength(t *testing.T) {
	long := strings.Repeat("<!-- comment -->", 2000) // 32 KB before the head
	for name, c := range map[string]struct {
		length bool
		pieces []string
		want   string // Content-Length
	}{
		"ok/found in the first chunk":     {true, []string{testPage}, strconv.Itoa(len(testPage) + len(testScript))},
		"ok/found later, held":            {true, []string{"<!doc", "type html", "><he", "ad><title>"}, strconv.Itoa(28 + len(testScript))},
		"ok/found at the end, held":       {true, []string{" ", " "}, strconv.Itoa(2 + len(testScript))},
		"ok/one chunk above the hold":     {true, []string{long + "<head>"}, strconv.Itoa(len(long) + 6 + len(testScript))},
		"fail/not found within 16 KiB":    {true, []string{long, "<head>"}, ""},
		"fail/never known":                {false, []string{testPage}, ""},
		"ok/unfinished keeps its length":  {true, []string{"<!-- ", "x"}, "6"},
		"ok/large page, few bytes chunks": {true, []string{"<", "h", "ead", "><p>", strings.Repeat("x", 1<<20)}, strconv.Itoa(9 + 1<<20 + len(testScript))},
	} {
		t.Run(name, func(t *testing.T) {
			rec, err := run(t, newInjector(t, nil), chunked(c.length, c.pieces...))
			require.NoError(t, err)
			assert.Equal(t, c.want, rec.header.Get("Content-Length"))
			if c.want != "" {
				assert.Equal(t, c.want, strconv.Itoa(len(rec.body)))
			}
			assert.Equal(t, strings.Join(c.pieces, ""), strings.Replace(string(rec.body), testScript, "", 1))
		})
	}
}

func TestRule14HeaderWaitsForTheFirstByte(t *testing.T) {
	in := newInjector(t, nil)
	rec := newRecorder()
	require.NoError(t, in.ServeHTTP(rec, navigation("GET"), nextFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", htmlUTF8)
		w.WriteHeader(http.StatusNotFound)
		w.WriteHeader(http.StatusOK) // a mistake that must not win
		assert.Empty(t, rec.calls)
		_, err := w.Write(nil)
		assert.NoError(t, err)
		assert.Empty(t, rec.calls)
		_, err = io.WriteString(w, testPage)
		return err
	})))
	assert.Equal(t, []string{"header Not Found", "write"}, rec.calls)
}

func TestRule14SmallPagesTakeOneWrite(t *testing.T) {
	small, large := testPage, testPage+strings.Repeat("x", spliceMax)
	for doc, writes := range map[string]int{small: 1, large: 3} {
		rec, err := run(t, newInjector(t, nil), chunked(true, doc))
		require.NoError(t, err)
		assert.Equal(t, writes, rec.writes)
	}
}

func TestRule16SameHeaderMap(t *testing.T) {
	rec, err := run(t, newInjector(t, nil), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Cache-Control", "private, max-age=5")
		return page(testPage)(w, nil)
	})
	require.NoError(t, err)
	assert.Equal(t, "a=b", rec.header.Get("Set-Cookie"))
	assert.Equal(t, "private, max-age=5", rec.header.Get("Cache-Control"))
}

func TestRule05InterimAnswersPass(t *testing.T) {
	in := newInjector(t, nil)
	rec := newRecorder()
	require.NoError(t, in.ServeHTTP(rec, navigation("GET"), nextFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		return page(testPage)(w, nil)
	})))
	assert.Equal(t, []string{"header Early Hints", "header Processing", "header OK", "write"}, rec.calls)
	assert.Equal(t, with(testMarked, testScript), string(rec.body))
}

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

// readerFrom counts what reaches the ReadFrom of the writer underneath.
type readerFrom struct {
	*recorder
	n int64
}

func (r *readerFrom) ReadFrom(src io.Reader) (int64, error) {
	b, err := io.ReadAll(src)
	r.body = append(r.body, b...)
	r.n += int64(len(b))
	return int64(len(b)), err
}

func TestRule19ReadFromInjectsAndThenDelegates(t *testing.T) {
	large := testPage + strings.Repeat("x", 100<<10)
	for name, c := range map[string]struct {
		kind, want string
		delegated  int
	}{
		"ok/page":  {htmlUTF8, with(testMarked, testScript) + strings.Repeat("x", 100<<10), len(large) - 4<<10},
		"ok/image": {"image/png", large, len(large)},
	} {
		t.Run(name, func(t *testing.T) {
			under := &readerFrom{recorder: newRecorder()}
			require.NoError(t, newInjector(t, nil).ServeHTTP(under, navigation("GET"), nextFunc(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", c.kind)
				n, err := io.Copy(w, io.LimitReader(strings.NewReader(large), int64(len(large))))
				assert.Equal(t, int64(len(large)), n)
				return err
			})))
			assert.Equal(t, c.want, string(under.body))
			assert.Equal(t, int64(c.delegated), under.n)
		})
	}
}

func TestRule19ReadFromErrorPasses(t *testing.T) {
	boom := errors.New("boom")
	rec, err := run(t, newInjector(t, nil), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", htmlUTF8)
		n, err := io.Copy(w, io.MultiReader(strings.NewReader("<htm"), failing{boom}))
		assert.Equal(t, int64(4), n)
		return err
	})
	require.ErrorIs(t, err, boom)
	assert.Equal(t, "<htm", string(rec.body), "held bytes were the page's and are not lost")
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestRule19FileServer(t *testing.T) {
	s := newSite(t, nil, func(w http.ResponseWriter, r *http.Request) error {
		http.ServeContent(w, r, "a.html", testTime, strings.NewReader(testPage))
		return nil
	})
	got := s.get()
	assert.Equal(t, with(testMarked, testScript), got.body)
	assert.Equal(t, int64(len(got.body)), got.ContentLength)
}

func TestRule19HijackMarksTheWriterDead(t *testing.T) {
	s := newSite(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", htmlUTF8)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nmine")
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, testPage)
		assert.ErrorIs(t, err, http.ErrHijacked)
		return nil
	})
	assert.Equal(t, "mine", s.get().body)
	assert.Equal(t, SkippedHijacked, s.outcome())
}

func TestRule19HijackUnsupported(t *testing.T) {
	rec, err := run(t, newInjector(t, nil), func(w http.ResponseWriter, _ *http.Request) error {
		_, _, err := http.NewResponseController(w).Hijack()
		assert.ErrorIs(t, err, http.ErrNotSupported)
		return page(testPage)(w, nil)
	})
	require.NoError(t, err)
	assert.Equal(t, with(testMarked, testScript), string(rec.body))
}

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

func TestRule19HTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = newInjector(t, nil).ServeHTTP(w, r, chunked(true, testPage))
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	got := fetch(t, s, http.MethodGet)
	require.Equal(t, 2, got.ProtoMajor)
	assert.Equal(t, with(testMarked, testScript), got.body)
	assert.Equal(t, int64(len(got.body)), got.ContentLength)
}

// TestRule01WebSocketPasses upgrades a real connection through the injector.
func TestRule01WebSocketPasses(t *testing.T) {
	s := newSite(t, nil, func(w http.ResponseWriter, r *http.Request) error {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return err
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		return rw.Flush()
	})
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /page HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello\n")
	require.NoError(t, err)
	b, err := io.ReadAll(bufio.NewReader(conn))
	require.NoError(t, err)
	assert.True(t, bytes.HasSuffix(b, []byte("\r\n\r\necho hello\n")), "%q", b)
	assert.Equal(t, SkippedUpgrade, s.outcome())
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
