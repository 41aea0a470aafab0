//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// clients are the connections to a side and the browsers behind them. Both
// stay from one measurement to the next.
type clients struct {
	address string
	conns   []*conn
	devices []*device
	active  int
}

// mostConns is how many connections any part opens.
const mostConns = 256

type conn struct {
	net.Conn
	address string
	out, in []byte
	body    []byte
}

func (c *clients) connect(n int) error {
	for len(c.conns) < n {
		dialed, err := net.Dial("tcp", c.address)
		if err != nil {
			return fmt.Errorf("connecting: %w", err)
		}
		c.conns = append(c.conns, &conn{Conn: dialed, address: c.address, in: make([]byte, 64<<10)})
	}
	return nil
}

func (c *clients) close() {
	for _, conn := range c.conns {
		_ = conn.Close() // nothing more is sent
	}
}

// acquaint makes browsers known, by a first page view each.
func (c *clients) acquaint(o options) error {
	c.active = o.active
	random := rand.New(rand.NewPCG(1, 2))
	for range o.devices {
		c.devices = append(c.devices, newDevice(random))
	}
	const conns = 64
	if err := c.connect(conns); err != nil {
		return err
	}
	return c.each(conns, func(i int, conn *conn) error {
		for n := i; n < len(c.devices); n += conns {
			if err := conn.track(c.devices[n], 1); err != nil {
				return err
			}
		}
		return nil
	})
}

// each runs fn for each of n connections at once.
func (c *clients) each(n int, fn func(i int, conn *conn) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i, conn := range c.conns[:n] {
		all.Go(func() { errs[i] = fn(i, conn) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// outcome is what a load came to.
type outcome struct {
	events   int
	took     time.Duration
	p50, p99 time.Duration
}

func (o outcome) rate() float64 { return float64(o.events) / o.took.Seconds() }

// work is a load: so many calls a request over so many connections, as fast as
// answers come, or at a rate.
type work struct {
	conns, calls int
	perSecond    int // events; 0 is as fast as it goes
	during       time.Duration
}

// load sends requests. A connection stands for its share of the browsers, of
// which its share of the active ones take turns, ten requests each.
func (c *clients) load(w work) (done outcome, err error) {
	if err := c.connect(w.conns); err != nil {
		return done, err
	}
	times := make([][]time.Duration, w.conns)
	began := time.Now()
	err = c.each(w.conns, func(i int, conn *conn) error {
		mine := c.devices[i*len(c.devices)/w.conns : (i+1)*len(c.devices)/w.conns]
		next := rotation(mine, max(1, c.active/w.conns))
		for n := 0; ; n++ {
			if w.perSecond > 0 {
				time.Sleep(time.Until(began.Add(time.Duration(n*w.conns+i) * time.Second * time.Duration(w.calls) / time.Duration(w.perSecond))))
			}
			sent := time.Now()
			if sent.Sub(began) >= w.during {
				return nil
			}
			if err := conn.track(next(), w.calls); err != nil {
				return err
			}
			times[i] = append(times[i], time.Since(sent))
		}
	})
	done.took = time.Since(began)
	all := slices.Concat(times...)
	if err != nil || len(all) == 0 {
		return done, errors.Join(err, missing(len(all)))
	}
	slices.Sort(all)
	done.events, done.p50, done.p99 = w.calls*len(all), all[len(all)/2], all[len(all)*99/100]
	return done, nil
}

func missing(n int) error {
	if n > 0 {
		return nil
	}
	return errors.New("nothing was sent")
}

// rotation gives the devices of a block one after the other, ten times, and
// goes on with the next block.
func rotation(devices []*device, block int) func() *device {
	const session = 10
	start, turn, at := rand.IntN(len(devices)), 0, -1
	return func() *device {
		if at++; at == block {
			if at, turn = 0, turn+1; turn == session {
				start, turn = start+block, 0
			}
		}
		return devices[(start+at)%len(devices)]
	}
}

// track sends n calls of a device and keeps what the browser would keep.
func (c *conn) track(d *device, n int) error {
	c.body = d.body(c.body[:0], n, time.Now().UTC())
	header, body, err := c.send(d)
	if err != nil {
		return err
	}
	if !d.stub && bytes.Count(body, []byte(`"success":true`)) != n {
		return fmt.Errorf("not all calls succeeded: %s", body)
	}
	if d.cookie == "" {
		d.remember(header, body)
	}
	return nil
}

func (d *device) remember(header, body []byte) {
	d.cookie, d.boot = between(header, "_people=", ";"), ""
	d.epoch = between(body, `"epoch":"`, `"`)
}

func between(text []byte, from, to string) string {
	_, rest, _ := bytes.Cut(text, []byte(from))
	found, _, _ := bytes.Cut(rest, []byte(to))
	return string(found)
}

// send sends c.body and reads the answer, which is valid until the next one.
func (c *conn) send(d *device) (header, body []byte, err error) {
	c.out = d.request(c.out[:0], c.address, c.body)
	if _, err := c.Write(c.out); err != nil {
		return nil, nil, fmt.Errorf("sending: %w", err)
	}
	for n, end := 0, -1; ; {
		more, err := c.Read(c.in[n:])
		if n += more; err != nil {
			return nil, nil, fmt.Errorf("reading: %w", errors.Join(err, io.ErrUnexpectedEOF))
		}
		if end < 0 {
			if end = bytes.Index(c.in[:n], []byte("\r\n\r\n")); end < 0 {
				continue
			}
		}
		header, body = c.in[:end+4], c.in[end+4:n]
		length, err := strconv.Atoi(between(header, "\r\nContent-Length: ", "\r\n"))
		if err != nil {
			return nil, nil, fmt.Errorf("reading the header: %w", err)
		}
		if len(body) < length {
			continue
		}
		if !bytes.HasPrefix(header, []byte("HTTP/1.1 200 ")) {
			return nil, nil, fmt.Errorf("%s: %s", header[:end], body)
		}
		return header, body, nil
	}
}

// stubs are browsers for a side that takes no calls.
func (c *clients) stubs(o options) {
	random := rand.New(rand.NewPCG(1, 2))
	c.active = o.active
	for range o.devices {
		d := newDevice(random)
		d.cookie, d.boot, d.epoch, d.stub = d.boot, "", "c8a1f00dc8a1", true
		c.devices = append(c.devices, d)
	}
}
