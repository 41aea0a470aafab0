//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/pprof"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
	_ "github.com/livechat-people/caddy-people-tracking/caddymodule"
)

// sideMark is the variable that makes this program a side that is measured;
// its value is which.
const sideMark = "PEOPLE_BENCH_SIDE"

// The sides.
const (
	ours         = "ours"
	file         = "file"
	control      = "control"
	transactions = "transactions"
	plain        = "plain"
)

// asked is what a side is told to do, told what it answers.
type (
	asked struct {
		Profile string // start a profile into this file
		End     bool   // of the profile
	}
	told struct {
		Address string        // once, at the start
		CPU     time.Duration // processor time since the start
		Error   string
	}
)

// serveSide is the main function of a side. It ends with its input.
func serveSide(side string, in io.Reader, out io.Writer) {
	enc, dec := json.NewEncoder(out), json.NewDecoder(in)
	address, stop, err := startSide(side)
	if err != nil {
		_ = enc.Encode(told{Error: err.Error()})
		return
	}
	_ = enc.Encode(told{Address: address})
	for {
		var a asked
		if dec.Decode(&a) != nil {
			break
		}
		var answer told
		if err := a.obey(&answer); err != nil {
			answer.Error = err.Error()
		}
		_ = enc.Encode(answer)
	}
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping:", err)
	}
}

func (a asked) obey(answer *told) error {
	switch {
	case a.Profile != "":
		file, err := os.Create(a.Profile)
		if err != nil {
			return fmt.Errorf("writing the profile: %w", err)
		}
		return pprof.StartCPUProfile(file)
	case a.End:
		pprof.StopCPUProfile()
	}
	var err error
	answer.CPU, err = measured.Processor()
	return err
}

const (
	benchKey    = "725f7a11b2c344d586e755b9"
	benchWidget = "85ea1938-f457-496d-8532-8fa489beea63"
)

// configuration is the Caddyfile of a side. The limits of calls are out of the
// way: all calls come from one address.
const configuration = `{
	admin off
	persist_config off
	log {
		level ERROR
	}
	%s
}
http://%s {
	%s
	respond "{}"
}
`

const people = `people_tracking {
		store badger %s {
			memtable {$PEOPLE_BENCH_MEMTABLE:8MiB}
		}
		rate_limit {
			device 1e9 1000000000
			address 1e9 1000000000
		}
		api_key ` + benchKey + ` web:tracking:sdk
		event action "Action" {
			name string
			label string
		}
	}`

// startSide starts Caddy and returns where it listens and how it is stopped.
func startSide(side string) (address string, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "people-ingest-")
	if err != nil {
		return "", nil, fmt.Errorf("making a directory: %w", err)
	}
	global, site := "", "bench_endpoint "+side+" "+dir
	switch side {
	case plain:
		site = ""
	case ours:
		global, site = fmt.Sprintf(people, dir), "people_tracking"
	}
	if address, err = freeAddress(); err == nil {
		err = loadCaddy(fmt.Sprintf(configuration, global, address, site))
	}
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return address, func() error { return errors.Join(caddy.Stop(), os.RemoveAll(dir)) }, nil
}

func loadCaddy(config string) error {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return fmt.Errorf("adapting the Caddyfile: %w", err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		return fmt.Errorf("starting Caddy: %w", err)
	}
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
