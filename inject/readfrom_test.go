package inject

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
