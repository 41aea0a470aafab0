package inject

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
)

// reverseProxy is a handler that forwards everything to the given server.
func reverseProxy(to string) nextFunc {
	target, err := url.Parse(to)
	if err != nil {
		panic(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	return func(w http.ResponseWriter, r *http.Request) error {
		proxy.ServeHTTP(w, r)
		return nil
	}
}

// counter only counts what is written.
type counter struct {
	*recorder
	n *int
}

func (c *counter) Write(p []byte) (int, error) {
	*c.n += len(p)
	return len(p), nil
}

// pieceByPiece writes doc in pieces of the given lengths; 0 flushes.
func pieceByPiece(doc, cuts []byte, length, known bool) nextFunc {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/html")
		if known {
			w.Header().Set("Content-Type", htmlUTF8)
		}
		if length {
			w.Header().Set("Content-Length", strconv.Itoa(len(doc)))
		}
		for _, n := range cuts {
			if n == 0 {
				if err := http.NewResponseController(w).Flush(); err != nil {
					return err
				}
				continue
			}
			cut := min(int(n), len(doc))
			if _, err := w.Write(doc[:cut]); err != nil {
				return err
			}
			doc = doc[cut:]
		}
		_, err := w.Write(doc)
		return err
	}
}
