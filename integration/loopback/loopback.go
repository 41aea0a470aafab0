// Package loopback finds addresses of this machine for servers of a test.
package loopback

import (
	"net"
	"sync"
	"testing"
)

// handedOut are the addresses given so far: the system may offer a port again
// that a test has not taken yet.
var handedOut sync.Map

// Free returns "127.0.0.1:port" with a port that nobody listens on, another one
// each time.
func Free(t testing.TB) string {
	t.Helper()
	for {
		listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatalf("finding a free port: %v", err)
		}
		address := listener.Addr().String()
		if err := listener.Close(); err != nil {
			t.Fatalf("letting a port go: %v", err)
		}
		if _, twice := handedOut.LoadOrStore(address, true); !twice {
			return address
		}
	}
}
