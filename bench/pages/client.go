//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// clients are open connections by address. They stay open from one
// measurement to the next.
type clients map[string][]*client

type client struct {
	conn net.Conn
	in   *bufio.Reader
	buf  []byte
}

func (c clients) do(o order) (outcome, error) {
	for len(c[o.Address]) < o.Conns {
		conn, err := net.Dial("tcp", o.Address)
		if err != nil {
			return outcome{}, err
		}
		c[o.Address] = append(c[o.Address], &client{conn, bufio.NewReaderSize(conn, 64<<10), make([]byte, 64<<10)})
	}
	request := []byte("GET " + o.Path + " HTTP/1.1\r\nHost: " + o.Address + "\r\n" + strings.Join(o.Header, "\r\n") + "\r\n\r\n")
	if o.Pause {
		return c[o.Address][0].watch(request)
	}
	return together(c[o.Address][:o.Conns], request, o.Requests)
}

// together sends the request over all connections until there were enough.
func together(conns []*client, request []byte, requests int) (outcome, error) {
	var (
		left  atomic.Int64
		group sync.WaitGroup
		mu    sync.Mutex
		took  = make([]time.Duration, 0, requests)
		done  outcome
		errs  []error
	)
	left.Store(int64(requests))
	for _, conn := range conns {
		group.Go(func() {
			times, bytes, err := conn.load(request, &left)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, times...)
			done.Bytes += bytes
			errs = append(errs, err)
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return done, err
	}
	slices.Sort(took)
	done.P50, done.P99 = took[len(took)/2], took[len(took)*99/100]
	return done, nil
}

func (c *client) load(request []byte, left *atomic.Int64) (times []time.Duration, bytes int, err error) {
	for left.Add(-1) >= 0 {
		began := time.Now()
		body, err := c.send(request)
		if err != nil {
			return times, bytes, err
		}
		for {
			n, err := body.Read(c.buf)
			bytes += n
			if err == io.EOF {
				break
			} else if err != nil {
				return times, bytes, fmt.Errorf("reading the body: %w", err)
			}
		}
		times = append(times, time.Since(began))
	}
	return times, bytes, nil
}

func (c *client) send(request []byte) (io.Reader, error) {
	if _, err := c.conn.Write(request); err != nil {
		return nil, fmt.Errorf("sending: %w", err)
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", res.Status)
	}
	return res.Body, nil
}

// watch notes when the parts of a page with a pause arrive.
func (c *client) watch(request []byte) (done outcome, err error) {
	began := time.Now()
	body, err := c.send(request)
	if err != nil {
		return done, err
	}
	var page []byte
	for {
		n, err := body.Read(c.buf)
		page = append(page, c.buf[:n]...)
		if n > 0 && done.First == 0 {
			done.First = time.Since(began)
		}
		if done.Mark == 0 && bytes.Contains(page, []byte(mark)) {
			done.Mark = time.Since(began)
		}
		if err == io.EOF {
			done.Bytes = len(page)
			return done, nil
		} else if err != nil {
			return done, fmt.Errorf("reading the body: %w", err)
		}
	}
}
