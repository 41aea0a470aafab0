package inject

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
