package console

import (
	"flag"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

var listen = flag.String("console.listen", "", "serve the console over made-up people at this address, to look at it in a browser")

// TestServe shows the console to a developer:
//
//	go test ./console -run TestServe -timeout 0 -console.listen 127.0.0.1:8090
//
// /people/ has people, /empty/ has none.
func TestServe(t *testing.T) {
	if *listen == "" {
		t.Skip("needs -console.listen")
	}
	mux := http.NewServeMux()
	for base, people := range map[string]People{"/people/": crowd(), "/empty/": &fakePeople{}} {
		console, err := New(Config{
			People: people, User: func(*http.Request) string { return "operator" },
			Base: func(*http.Request) string { return base },
			Now:  nowAtTest,
		})
		require.NoError(t, err)
		mux.Handle(base, http.StripPrefix(strings.TrimSuffix(base, "/"), console))
	}
	keys, err := tracker.NewKeys()
	require.NoError(t, err)
	locked, err := New(Config{People: crowd(), Keys: keys})
	require.NoError(t, err)
	mux.Handle("/locked/", http.StripPrefix("/locked", locked))
	listener, err := net.Listen("tcp", *listen)
	require.NoError(t, err)
	t.Log("serving at http://" + listener.Addr().String() + "/people/")
	require.NoError(t, http.Serve(listener, mux))
}
