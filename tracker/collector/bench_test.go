package collector

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

type instantTracker struct{ res *tracker.Response }

func (i instantTracker) Batch(context.Context, *tracker.Request) (*tracker.Response, error) {
	return i.res, nil
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

type rewound struct{ strings.Reader }

func (*rewound) Close() error { return nil }

// BenchmarkServe is everything of a request but the server and the tracker.
func BenchmarkServe(b *testing.B) {
	for name, n := range map[string]int{"1 call": 1, "10 calls": 10} {
		b.Run(name, func(b *testing.B) {
			body := calls(n)
			req, err := decode([]byte(body))
			if err != nil {
				b.Fatal(err)
			}
			ids := &tracker.Request{}
			for i := range req.Calls {
				ids.Calls = append(ids.Calls, req.Calls[i].call())
			}
			answer := succeed(ids)
			answer.Device = tracker.CookieChange{Set: true, Value: "0123456789abcdef0123456789abcdef", MaxAge: 45 * 24 * time.Hour}
			h, _ := newHandler(b, func(c *Config) {
				c.Tracker = instantTracker{answer}
				c.Limits = Limits{Address: Limit{PerSecond: 1e12, Burst: 1e9}, Device: Limit{PerSecond: 1e12, Burst: 1e9}}
			})
			r := post(body)
			r.Header.Set("Cookie", "theme=dark; __Secure-people=0123456789abcdef0123456789abcdef")
			r.Header.Set("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0")
			reader := &rewound{}
			r.Body = reader
			w := &discard{header: http.Header{}}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(body)
				clear(w.header)
				h.ServeHTTP(w, r)
			}
			if w.header.Get("Retry-After") != "" || w.header.Get("Set-Cookie") == "" {
				b.Fatal("the request was refused")
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, n := range map[string]int{"1 call": 1, "10 calls": 10} {
		b.Run(name, func(b *testing.B) {
			body := []byte(calls(n))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
