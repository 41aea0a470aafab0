//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/livechat-people/caddy-people-tracking/caddymodule"
)

// The sides that are compared.
const (
	plain   = iota // reverse_proxy alone
	control        // the same once more
	ours           // with people_tracking
	sides
)

// orders are all ways to take the sides one after another, so that each
// follows each other one equally often.
var orders = [][sides]int{
	{plain, control, ours},
	{ours, control, plain},
	{control, ours, plain},
	{plain, ours, control},
	{ours, plain, control},
	{control, plain, ours},
}

// inOrder is how a round takes them.
func inOrder(round int) [sides]int { return orders[round%len(orders)] }

// A variant is what all three sides of a comparison have besides.
type variant string

const (
	bare    variant = "bare"    // the proxy and nothing else
	encode  variant = "encode"  // encode gzip outside of it
	flushes variant = "flushes" // the proxy sends every piece at once
)

// bench is Caddy with its sites, and the peer.
type bench struct {
	peer  *peer
	sites map[variant][sides]string // addresses
	dir   string                    // the store's
}

func newBench() (*bench, error) {
	peer, err := startPeer()
	if err != nil {
		return nil, err
	}
	b := &bench{peer: peer, sites: make(map[variant][sides]string)}
	if b.dir, err = os.MkdirTemp("", "people-bench-"); err == nil {
		err = b.startCaddy()
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) startCaddy() error {
	var config strings.Builder
	fmt.Fprintf(&config, "{\nadmin off\npersist_config off\nlog {\nlevel ERROR\n}\npeople_tracking {\nstore badger %s\n}\n}\n", b.dir)
	variants := map[variant][2]string{
		bare:    {"", ""},
		encode:  {"encode gzip", ""},
		flushes: {"", "flush_interval -1"},
	}
	free, err := freeAddresses(len(variants) * sides)
	if err != nil {
		return err
	}
	for v, lines := range variants {
		addresses := [sides]string(free)
		free = free[sides:]
		for side, address := range addresses {
			directive := ""
			if side == ours {
				directive = "people_tracking"
			}
			fmt.Fprintf(&config, "http://%s {\n%s\n%s\nreverse_proxy %s {\n%s\n}\n}\n", address, lines[0], directive, b.peer.origin, lines[1])
		}
		b.sites[v] = addresses
	}
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config.String()), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return fmt.Errorf("adapting the Caddyfile: %w", err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		return fmt.Errorf("starting Caddy: %w", err)
	}
	return nil
}

func (b *bench) close() {
	err := errors.Join(caddy.Stop(), b.peer.close(), os.RemoveAll(b.dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, "stopping:", err)
	}
}

// freeAddresses keeps each port until it has them all: one that was let go
// can be handed out again.
func freeAddresses(n int) ([]string, error) {
	addresses := make([]string, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}
