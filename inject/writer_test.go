package inject

import (
	"errors"
	"io"
	"net/http"
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
