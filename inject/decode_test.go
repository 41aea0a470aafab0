package inject

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// flusher is what compressing writers have in common.
type flusher interface {
	io.WriteCloser
	Flush() error
}

var compressors = map[string]func(io.Writer) flusher{
	"gzip":    func(w io.Writer) flusher { return gzip.NewWriter(w) },
	"x-gzip":  func(w io.Writer) flusher { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) flusher { return zlib.NewWriter(w) },
	"zstd": func(w io.Writer) flusher {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			panic(err)
		}
		return z
	},
	"br": func(w io.Writer) flusher { return brotli.NewWriter(w) },
}

func compress(t testing.TB, coding, body string) string {
	t.Helper()
	var b bytes.Buffer
	z := compressors[coding](&b)
	_, err := io.WriteString(z, body)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

func encoded(coding string, pieces ...string) nextFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Content-Encoding", coding)
		return chunked(true, pieces...)(w, r)
	}
}

func TestRule09Decodes(t *testing.T) {
	long := testPage + strings.Repeat("<p>Some text, again and again.", 10000)
	wantLong := strings.Replace(long, "<head>", "<head>"+testScript, 1)
	for coding := range compressors {
		t.Run("ok/"+coding, func(t *testing.T) {
			body := compress(t, coding, long)
			for name, pieces := range map[string][]string{"whole": {body}, "bytes": strings.Split(body, "")} {
				rec, err := run(t, newInjector(t, nil), encoded(coding, pieces...))
				require.NoError(t, err, name)
				require.Equal(t, wantLong, string(rec.body), name)
				assert.Empty(t, rec.header.Values("Content-Encoding"))
				assert.Empty(t, rec.header.Values("Content-Length"))
			}
		})
	}
}

func TestRule09BareDeflate(t *testing.T) {
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, 9)
	require.NoError(t, err)
	_, _ = io.WriteString(z, testPage)
	require.NoError(t, z.Close())
	rec, err := run(t, newInjector(t, nil), encoded("deflate", b.String()))
	require.NoError(t, err)
	assert.Equal(t, with(testMarked, testScript), string(rec.body))
}

func TestRule09GzipMembersAndWhatFollows(t *testing.T) {
	half := len(testPage) / 2
	first, second := compress(t, "gzip", testPage[:half]), compress(t, "gzip", testPage[half:])
	for name, body := range map[string]string{
		"ok/two members":  first + second,
		"ok/zero padding": compress(t, "gzip", testPage) + "\x00\x00\x00\x00",
		"ok/rubbish":      compress(t, "gzip", testPage) + "<!-- late -->",
	} {
		t.Run(name, func(t *testing.T) {
			for _, pieces := range [][]string{{body}, strings.Split(body, "")} {
				rec, err := run(t, newInjector(t, nil), encoded("gzip", pieces...))
				require.NoError(t, err)
				assert.Equal(t, with(testMarked, testScript), string(rec.body))
			}
		})
	}
}

// TestRule09StreamsThroughFlushes: what the origin flushed must reach the
// client, though the rest of the compressed page is not there yet.
func TestRule09StreamsThroughFlushes(t *testing.T) {
	for coding, open := range compressors {
		t.Run("ok/"+coding, func(t *testing.T) {
			rec := newRecorder()
			require.NoError(t, newInjector(t, nil).ServeHTTP(rec, navigation("GET"), nextFunc(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", htmlUTF8)
				w.Header().Set("Content-Encoding", coding)
				z := open(w)
				_, _ = io.WriteString(z, "<html><head>")
				assert.NoError(t, z.Flush())
				assert.NoError(t, http.NewResponseController(w).Flush())
				assert.Equal(t, "<html><head>"+testScript, string(rec.body))
				assert.Equal(t, "flush", rec.calls[len(rec.calls)-1])
				_, _ = io.WriteString(z, "<p>later")
				return z.Close()
			})))
			assert.Equal(t, "<html><head>"+testScript+"<p>later", string(rec.body))
		})
	}
}

// TestRule09PassesWhatItCannotDecode: while nothing was sent, the bytes can
// still go out as they came, with their header.
func TestRule09PassesWhatItCannotDecode(t *testing.T) {
	amp := "<html amp><head>"
	for name, c := range map[string]struct {
		coding, body string
		want         Outcome
	}{
		"fail/no gzip":               {"gzip", testPage, SkippedCorrupt},
		"fail/no deflate":            {"deflate", "\xff\xff\xff" + testPage, SkippedCorrupt},
		"fail/no zstd":               {"zstd", testPage, SkippedCorrupt},
		"fail/no brotli":             {"br", "\xff\xff" + testPage, SkippedCorrupt},
		"fail/cut off at once":       {"gzip", compress(t, "gzip", testPage)[:12], SkippedCorrupt},
		"fail/AMP":                   {"gzip", compress(t, "gzip", amp), SkippedAMP},
		"fail/AMP, zstd":             {"zstd", compress(t, "zstd", amp), SkippedAMP},
		"fail/nothing in it":         {"gzip", compress(t, "gzip", ""), SkippedEmpty},
		"fail/nothing, then rubbish": {"gzip", compress(t, "gzip", "") + "rubbish", SkippedEmpty},
		"fail/empty":                 {"gzip", "", SkippedEmpty},
		"fail/endless gzip header":   {"gzip", "\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03" + strings.Repeat("n", holdMax+1), SkippedCorrupt},
		"fail/16 KiB of nothing":     {"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + strings.Repeat("\x00\x00\x00\xff\xff", holdMax/5+1), SkippedEncoding},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pieces := range [][]string{{c.body}, strings.Split(c.body, "")} {
				var got Outcome
				in := newInjector(t, func(cfg *Config) { cfg.Observe = func(o Outcome) { got = o } })
				rec, err := run(t, in, encoded(c.coding, pieces...))
				require.NoError(t, err)
				if c.body != "" {
					assert.Equal(t, c.want, got)
				}
				assert.Equal(t, c.body, string(rec.body))
				if c.body != "" {
					assert.Equal(t, c.coding, rec.header.Get("Content-Encoding"))
					assert.NotEmpty(t, rec.header.Get("Content-Length"))
				}
				assert.Empty(t, rec.header.Get(MarkerHeader))
			}
		})
	}
}

func TestRule09CorruptionLaterBreaksOff(t *testing.T) {
	body := compress(t, "gzip", testPage+strings.Repeat("<p>text", 50000))
	cut := body[:len(body)-9]
	s := newSite(t, nil, encodedUnknown("gzip", cut))
	got := s.get()
	require.Error(t, got.err, "the client must see that the page is not whole")
	assert.Contains(t, got.body, testScript)

	broken := []byte(body)
	broken[len(broken)/2] ^= 0xff
	_, err := run(t, newInjector(t, nil), encodedUnknown("gzip", string(broken[:len(broken)/2]), string(broken[len(broken)/2:])))
	assert.ErrorIs(t, err, errCorrupt, "the handler learns it from Write")
}

// encodedUnknown is encoded without a Content-Length.
func encodedUnknown(coding string, pieces ...string) nextFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Content-Encoding", coding)
		return chunked(false, pieces...)(w, r)
	}
}

// TestRule09BombIsStopped feeds 80 MiB of zeros that zstd makes a few KB of.
func TestRule09BombIsStopped(t *testing.T) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	require.NoError(t, err)
	_, _ = io.WriteString(z, testPage)
	zeros := make([]byte, 1<<20)
	for range 80 {
		_, _ = z.Write(zeros)
	}
	require.NoError(t, z.Close())
	require.Less(t, b.Len(), 80<<10, "the bomb must exceed the ratio")

	var sent int
	under := &counter{recorder: newRecorder(), n: &sent}
	err = newInjector(t, nil).ServeHTTP(under, navigation("GET"), encodedUnknown("zstd", b.String()))
	require.ErrorIs(t, err, errBudget)
	assert.LessOrEqual(t, sent, budgetFree+1<<20)
}

func TestRule09ZstdWindowIsBounded(t *testing.T) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<20))
	require.NoError(t, err)
	_, _ = io.WriteString(z, strings.Repeat(testPage, 200000)[:12<<20]) // more than the window allowed
	require.NoError(t, z.Close())
	var got Outcome
	in := newInjector(t, func(c *Config) { c.Observe = func(o Outcome) { got = o } })
	rec, err := run(t, in, encodedUnknown("zstd", b.String()))
	require.NoError(t, err)
	assert.Equal(t, SkippedCorrupt, got)
	assert.Equal(t, b.Bytes(), rec.body)
}

func TestRule09NoCoroutineIsLeftBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	in := newInjector(t, nil)
	body := compress(t, "gzip", testPage)
	for range 20 {
		assert.Panics(t, func() {
			_, _ = run(t, in, func(w http.ResponseWriter, r *http.Request) error {
				_ = encoded("gzip", body[:len(body)-4])(w, r)
				panic(http.ErrAbortHandler)
			})
		})
		_, _ = run(t, in, encoded("gzip", testPage))
		_, _ = run(t, in, encoded("gzip", body))
		_, err := run(t, in, func(http.ResponseWriter, *http.Request) error { return errors.New("x") })
		require.Error(t, err)
		require.NoError(t, in.ServeHTTP(newRecorder(), navigation("HEAD"), encoded("gzip", body)))
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before+1)
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("hostile input") }

func TestRule21PanicOfADecoder(t *testing.T) {
	_, err := read(panicking{}, make([]byte, 9))
	assert.ErrorContains(t, err, "hostile input")
}

func TestRule09HeadDropsTheCoding(t *testing.T) {
	rec := newRecorder()
	require.NoError(t, newInjector(t, nil).ServeHTTP(rec, navigation("HEAD"), page("", "Content-Encoding: gzip", "Content-Length: 99", `Etag: "a"`)))
	assert.Empty(t, rec.header.Get("Content-Encoding"))
	assert.Empty(t, rec.header.Get("Content-Length"))
	assert.Equal(t, `"a-i1a2b3c4d"`, rec.header.Get("Etag"))
}

func FuzzRule09Decode(f *testing.F) {
	for coding := range compressors {
		f.Add(coding, []byte(compress(f, coding, testPage)), uint8(7))
	}
	f.Fuzz(func(t *testing.T, coding string, body []byte, size uint8) {
		if compressors[coding] == nil || len(body) == 0 {
			return
		}
		var pieces []string
		for n := int(size) + 1; len(body) > 0; body = body[min(n, len(body)):] {
			pieces = append(pieces, string(body[:min(n, len(body))]))
		}
		rec := newRecorder()
		defer func() {
			if p := recover(); p != nil {
				require.Equal(t, http.ErrAbortHandler, p)
				require.NotEmpty(t, rec.calls)
			}
		}()
		err := newInjector(t, nil).ServeHTTP(rec, navigation("GET"), encodedUnknown(coding, pieces...))
		if err == nil && rec.header.Get("Content-Encoding") != "" {
			require.Equal(t, strings.Join(pieces, ""), string(rec.body), "passed untouched")
		}
	})
}
