package inject

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var testTime = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

func TestRule15Headers(t *testing.T) {
	date := testTime.Format(http.TimeFormat)
	synthetic := fmt.Sprintf(`W/"i1a2b3c4d-%x"`, testTime.Unix())
	for name, c := range map[string]struct {
		field string // of the answer, as "Name: value"
		want  []string
		of    string // the field that is looked at, if another
	}{
		"ok/strong tag":              {field: `Etag: "abc"`, want: []string{`"abc-i1a2b3c4d"`}},
		"ok/weak tag":                {field: `Etag: W/"abc"`, want: []string{`W/"abc-i1a2b3c4d"`}},
		"ok/empty tag":               {field: `Etag: ""`, want: []string{`"-i1a2b3c4d"`}},
		"ok/malformed tag stays":     {field: `Etag: abc`, want: []string{`abc`}},
		"ok/date makes a tag":        {field: "Last-Modified: " + date, of: "Etag", want: []string{synthetic}},
		"ok/date stays":              {field: "Last-Modified: " + date, want: []string{date}},
		"ok/bad date makes none":     {field: "Last-Modified: yesterday", of: "Etag"},
		"ok/no ranges":               {field: "Accept-Ranges: bytes"},
		"ok/no Content-MD5":          {field: "Content-MD5: x"},
		"ok/no Digest":               {field: "Digest: x"},
		"ok/no Content-Digest":       {field: "Content-Digest: x"},
		"ok/no Repr-Digest":          {field: "Repr-Digest: x"},
		"ok/Vary added":              {field: "Vary: Cookie", want: []string{"Cookie, Sec-Fetch-Dest"}},
		"ok/Vary present":            {field: "Vary: cookie, sec-fetch-dest", want: []string{"cookie, sec-fetch-dest"}},
		"ok/Vary star":               {field: "Vary: *", want: []string{"*"}},
		"ok/Vary not if not kept":    {field: "Cache-Control: no-store", of: "Vary"},
		"ok/marker":                  {field: "X-A: b", of: MarkerHeader, want: []string{"injected"}},
		"ok/Cache-Control untouched": {field: "Cache-Control: max-age=60", want: []string{"max-age=60"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD"} {
				rec := newRecorder()
				require.NoError(t, newInjector(t, nil).ServeHTTP(rec, navigation(method), page(testPage, c.field)))
				of := c.of
				if of == "" {
					of, _, _ = strings.Cut(c.field, ": ")
				}
				assert.Equal(t, c.want, rec.header.Values(of), method)
			}
		})
	}
}

func TestRule15HeadLikeGetWithoutLength(t *testing.T) {
	next := page("", `Etag: "abc"`, "Content-Length: 79")
	s := newSite(t, nil, next)
	got := fetch(t, s.Server, http.MethodHead)
	assert.Equal(t, `"abc-i1a2b3c4d"`, got.Header.Get("Etag"))
	assert.Equal(t, "Sec-Fetch-Dest", got.Header.Get("Vary"))
	assert.Equal(t, int64(-1), got.ContentLength)
	assert.Equal(t, Injected, s.outcome())
}

func TestRule15Trailers(t *testing.T) {
	s := newSite(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", htmlUTF8)
		w.Header().Add("Trailer", "Content-Digest, X-Sum")
		w.Header().Add("Trailer", "Repr-Digest")
		_, _ = io.WriteString(w, testPage)
		w.Header().Set("Content-Digest", "sha-256=:x:")
		w.Header().Set("Repr-Digest", "sha-256=:x:")
		w.Header().Set("X-Sum", "kept")
		w.Header().Set(http.TrailerPrefix+"Digest", "x")
		w.Header().Set(http.TrailerPrefix+"Content-MD5", "x")
		w.Header().Set(http.TrailerPrefix+"X-More", "kept")
		return nil
	})
	got := s.get()
	assert.Equal(t, with(testMarked, testScript), got.body)
	assert.Equal(t, http.Header{"X-Sum": {"kept"}, "X-More": {"kept"}}, got.Trailer)
}

// TestRule15Revalidation plays a browser: load, then confirm the copy.
func TestRule15Revalidation(t *testing.T) {
	for name, set := range map[string]func(http.Header){
		"ok/strong tag":   func(h http.Header) { h.Set("Etag", `"v1"`) },
		"ok/weak tag":     func(h http.Header) { h.Set("Etag", `W/"v1"`) },
		"ok/only a date":  func(http.Header) {},
		"ok/tag and date": func(h http.Header) { h.Set("Etag", `"v1"`) },
	} {
		t.Run(name, func(t *testing.T) {
			modified := testTime
			if strings.HasSuffix(name, "tag") {
				modified = time.Time{} // ServeContent then sends no Last-Modified
			}
			s := newSite(t, nil, func(w http.ResponseWriter, r *http.Request) error {
				set(w.Header())
				http.ServeContent(w, r, "a.html", modified, strings.NewReader(testPage))
				return nil
			})
			first := s.get()
			require.Equal(t, http.StatusOK, first.StatusCode)
			tag := first.Header.Get("Etag")
			require.Contains(t, tag, "i1a2b3c4d")

			headers := []string{"If-None-Match: " + tag}
			if v := first.Header.Get("Last-Modified"); v != "" {
				headers = append(headers, "If-Modified-Since: "+v)
			}
			second := s.get(headers...)
			assert.Equal(t, http.StatusNotModified, second.StatusCode)
			assert.Equal(t, tag, second.Header.Get("Etag"), "the client finds its copy again")
			assert.Equal(t, "Sec-Fetch-Dest", second.Header.Get("Vary"))
			assert.Empty(t, second.Header.Get("Accept-Ranges"))

			old := s.get(`If-None-Match: "v1"`, "If-Modified-Since: "+testTime.Format(http.TimeFormat))
			assert.Equal(t, http.StatusOK, old.StatusCode, "a copy without the script is never confirmed")
			assert.Contains(t, old.body, testScript)

			headers[0] = "If-None-Match: " + strings.Replace(tag, "1a2b3c4d", "00000000", 1)
			assert.Equal(t, http.StatusOK, s.get(headers...).StatusCode, "nor one with another version")
		})
	}
}

func TestRule04RangeGivesTheWholePageWhereItCannotFit(t *testing.T) {
	s := newSite(t, nil, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Etag", `"v1"`)
		http.ServeContent(w, r, "a.html", testTime, strings.NewReader(testPage))
		return nil
	})
	plain := s.get("Range: bytes=0-4")
	assert.Equal(t, http.StatusPartialContent, plain.StatusCode)
	assert.Equal(t, testPage[:5], plain.body)
	for _, validator := range []string{`"v1-i1a2b3c4d"`, testTime.Format(http.TimeFormat)} {
		got := s.get("Range: bytes=5-", "If-Range: "+validator)
		assert.Equal(t, http.StatusOK, got.StatusCode, validator)
		assert.Equal(t, with(testMarked, testScript), got.body)
	}
}

func TestRule15A304WithoutATag(t *testing.T) {
	for sent, want := range map[string]string{
		`"a-i1a2b3c4d"`:                  `"a-i1a2b3c4d"`,
		`"a-i1a2b3c4d", "b-i1a2b3c4d"`:   "", // either may be meant
		`"a-i1a2b3c4d", W/"i1a2b3c4d-1"`: "",
		`"a-i00000000"`:                  "",
	} {
		rec, r := newRecorder(), navigation("GET")
		r.Header.Set("If-None-Match", sent)
		require.NoError(t, newInjector(t, nil).ServeHTTP(rec, r, page("", "Status: 304")))
		assert.Equal(t, want, rec.header.Get("Etag"), sent)
	}
}
