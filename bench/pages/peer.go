//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// peerMark is the variable that makes this program the peer: upstream and
// clients, in a process of their own.
const peerMark = "PEOPLE_BENCH_PEER"

// order asks the peer for requests.
type order struct {
	Address  string
	Path     string
	Header   []string // name: value
	Conns    int
	Requests int  // of all connections together
	Pause    bool // one request to a page with a pause
}

// outcome is what became of them.
type outcome struct {
	P50, P99 time.Duration // of a request, until its last byte
	Bytes    int           // of all bodies together
	First    time.Duration // until the first byte of the body
	Mark     time.Duration // until all that came before the pause
	Error    string
}

// peer is the process, seen from the one that is measured.
type peer struct {
	origin string // the upstream's address
	cmd    *exec.Cmd
	in     io.WriteCloser
	enc    *json.Encoder
	dec    *json.Decoder
}

func startPeer() (*peer, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), peerMark+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("connecting the peer: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("connecting the peer: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the peer: %w", err)
	}
	p := &peer{cmd: cmd, in: in, enc: json.NewEncoder(in), dec: json.NewDecoder(out)}
	if err := p.dec.Decode(&p.origin); err != nil {
		return nil, errors.Join(fmt.Errorf("greeting the peer: %w", err), p.close())
	}
	return p, nil
}

// do has the peer carry out an order.
func (p *peer) do(o order) (outcome, error) {
	var done outcome
	if err := p.enc.Encode(o); err != nil {
		return done, fmt.Errorf("telling the peer: %w", err)
	}
	if err := p.dec.Decode(&done); err != nil {
		return done, fmt.Errorf("asking the peer: %w", err)
	}
	if done.Error != "" {
		return done, fmt.Errorf("%s%s: %s", o.Address, o.Path, done.Error)
	}
	return done, nil
}

func (p *peer) close() error {
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

// servePeer is the peer's main function. It ends with its input.
func servePeer(in io.Reader, out io.Writer) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := &http.Server{Handler: http.HandlerFunc(origin)}
	go func() { _ = server.Serve(l) }()
	enc, dec := json.NewEncoder(out), json.NewDecoder(in)
	_ = enc.Encode(l.Addr().String())
	clients := clients{}
	for {
		var o order
		if dec.Decode(&o) != nil {
			return
		}
		done, err := clients.do(o)
		if err != nil {
			done.Error = err.Error()
		}
		_ = enc.Encode(done)
	}
}
