//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

// process is a side, seen from here.
type process struct {
	side    string
	address string
	cmd     *exec.Cmd
	in      io.WriteCloser
	enc     *json.Encoder
	dec     *json.Decoder
	clients clients
}

func start(side string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), sideMark+"="+side)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("connecting %s: %w", side, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("connecting %s: %w", side, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", side, err)
	}
	p := &process{side: side, cmd: cmd, in: in, enc: json.NewEncoder(in), dec: json.NewDecoder(out)}
	hello, err := p.hear()
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.address = hello.Address
	p.clients.address = hello.Address
	return p, nil
}

func (p *process) hear() (t told, err error) {
	if err := p.dec.Decode(&t); err != nil {
		return t, fmt.Errorf("hearing %s: %w", p.side, err)
	}
	if t.Error != "" {
		return t, fmt.Errorf("%s: %s", p.side, t.Error)
	}
	return t, nil
}

func (p *process) ask(a asked) (told, error) {
	if err := p.enc.Encode(a); err != nil {
		return told{}, fmt.Errorf("asking %s: %w", p.side, err)
	}
	return p.hear()
}

// close ends the side and removes what it stored.
func (p *process) close() error {
	p.clients.close()
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

// settle waits until the side has nothing left to do and returns its processor
// time until then.
func (p *process) settle() (time.Duration, error) {
	const pause, most = 50 * time.Millisecond, 100
	before, err := p.ask(asked{})
	for quiet, tries := 0, 0; err == nil && quiet < 2 && tries < most; tries++ {
		time.Sleep(pause)
		var now told
		if now, err = p.ask(asked{}); now.CPU-before.CPU < pause/20 {
			quiet++
		} else {
			quiet = 0
		}
		before = now
	}
	return before.CPU, err
}

// anonymous is the memory of a side that no file stands behind, in MB: what is
// mapped from tables is the system's cache.
func (p *process) anonymous() (float64, error) { return measured.Memory(p.cmd.Process.Pid, "RssAnon") }

// startAll starts sides whose browsers are known.
func startAll(o options, names ...string) (all []*process, err error) {
	for _, name := range names {
		p, err := start(name)
		if err == nil {
			all = append(all, p)
			err = p.clients.acquaint(o)
		}
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
	}
	return all, nil
}

func closeAll(all []*process) error {
	var errs []error
	for _, p := range all {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}
