//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
	"github.com/livechat-people/caddy-people-tracking/store"
)

// TestMain lets the test binary be a side, as the program itself is.
func TestMain(m *testing.M) {
	if side := os.Getenv(sideMark); side != "" {
		serveSide(side, os.Stdin, os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// TestSmoke runs every part in small. It expects no figure: that every call of
// every side is answered with success is what the clients insist on.
func TestSmoke(t *testing.T) {
	o := options{rounds: 1, turn: 20 * time.Millisecond, devices: mostConns, active: mostConns, merged: 250, minute: 60 * time.Millisecond, rest: time.Millisecond}
	require.NoError(t, o.read("rate,transactions,merge,memory", ", 16 "))
	var out bytes.Buffer
	require.NoError(t, run(o, &out))
	for _, line := range []string{"1 call, 16 connections", "10 calls, 16 connections", "control", "transactions", "\n250 ", "flat out", "steady"} {
		assert.Contains(t, out.String(), line)
	}
}

// TestFileHoldsEveryEvent looks into the file that rates are compared with.
func TestFileHoldsEveryEvent(t *testing.T) {
	e := endpoint{Side: file, Dir: t.TempDir()}
	require.NoError(t, e.Provision(caddy.Context{}))
	clients := clients{address: serve(t, &e)}
	require.NoError(t, clients.connect(1))
	d := &device{boot: strings.Repeat("0", 32), tab: "tab"}
	require.NoError(t, clients.conns[0].track(d, 10))
	assert.NotEmpty(t, d.cookie)
	require.NoError(t, clients.conns[0].track(d, 1))
	clients.close()
	require.NoError(t, e.Cleanup())
	written, err := os.ReadFile(filepath.Join(e.Dir, "bare"))
	require.NoError(t, err)
	assert.Equal(t, 9, bytes.Count(written, []byte("add-to-favorites")))
	assert.Equal(t, 2, bytes.Count(written, []byte("https://shop.example/products/shoes")))
	assert.Greater(t, len(written), 11*eventOverhead+2*requestOverhead)
}

// TestSeparateKeepsTheContract checks what the tracker needs of the store that
// the product is compared with.
func TestSeparateKeepsTheContract(t *testing.T) {
	st, err := newTransactions(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	ctx := context.Background()
	require.NoError(t, st.Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Put([]byte("a"), []byte("1")), tx.Put([]byte("b"), []byte("2")), tx.Put([]byte("c"), []byte("3")))
	}))
	require.NoError(t, st.View(ctx, func(r store.Reader) error {
		absent, err := r.Get([]byte("d"))
		assert.Empty(t, absent)
		require.NoError(t, err)
		for reverse, want := range map[bool]string{false: "ab", true: "ba"} {
			found, err := r.Scan(store.Range{From: []byte("a"), To: []byte("c"), Limit: 9, Reverse: reverse})
			require.NoError(t, err)
			keys := ""
			for _, entry := range found {
				keys += string(entry.Key)
			}
			assert.Equal(t, want, keys)
		}
		return nil
	}))
}

func TestRotationGivesEachBrowserItsSession(t *testing.T) {
	devices := []*device{{}, {}, {}, {}, {}, {}}
	next := rotation(devices, 2)
	block := map[*device]int{}
	for range 20 {
		block[next()]++
	}
	require.Len(t, block, 2)
	for d, requests := range block {
		assert.Equal(t, 10, requests)
		assert.NotSame(t, d, next())
	}
}

func TestRatiosCompareRoundByRound(t *testing.T) {
	assert.Equal(t, measured.Quartiles{Low: 2, Median: 2, High: 2}, ratios([]float64{4, 6}, []float64{2, 3}))
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for name, c := range map[string]struct {
		o           options
		parts, only string
	}{
		"unknown part":       {options{rounds: 1, devices: 256, active: 256}, "rate,disk", ""},
		"no round":           {options{devices: 256, active: 256}, "rate", ""},
		"too few browsers":   {options{rounds: 1, devices: 16, active: 16}, "rate", ""},
		"not a pattern":      {options{rounds: 1, devices: 256, active: 256}, "rate", "("},
		"too few are active": {options{rounds: 1, devices: 256, active: 1}, "rate", ""},
	} {
		t.Run(name, func(t *testing.T) { assert.Error(t, c.o.read(c.parts, c.only)) })
	}
}

// serve puts an endpoint on a port of its own.
func serve(t *testing.T, e *endpoint) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, e.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errors.New("not a call") })))
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
