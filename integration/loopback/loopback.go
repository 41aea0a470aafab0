// Package loopback finds addresses of this machine for servers of a test.
package loopback

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// handedOut are the ports given so far: a test may not have taken its own yet.
var handedOut sync.Map

// Ports that no system gives to outgoing connections: Linux begins at 32768,
// others later. One of those could be taken again before the server of a test
// listens on it.
const (
	lowest  = 11_000 // browsers go to no 10080
	highest = 32_000
)

// Free returns "127.0.0.1:port" with a port that nobody listens on, another one
// each time.
func Free(t testing.TB) string {
	t.Helper()
	var err error
	for range 1000 {
		var listener *net.TCPListener
		port := lowest + rand.IntN(highest-lowest)
		if listener, err = net.ListenTCP("tcp", &net.TCPAddr{Port: port}); err != nil { // on every interface, as Caddy does
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatalf("letting a port go: %v", err)
		}
		if _, twice := handedOut.LoadOrStore(port, true); !twice {
			return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		}
	}
	t.Fatalf("finding a free port: %v", err)
	return ""
}
