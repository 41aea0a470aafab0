//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// bareFile is the physical limit: events are judged by the schema as ever and
// written as they are, with as many bytes as the product's records have, and
// nothing is read or known of anybody. One writer appends what waits and syncs
// once.
type bareFile struct {
	schema  *schema.Schema
	file    *os.File
	queue   chan *waiting
	stopped chan struct{}
}

// What the product writes beside an event's own content: its key and fields,
// and once a request the records of device and profile.
const (
	eventOverhead   = 45 + 60
	requestOverhead = 450
	mostTogether    = 500
	cookieLife      = 45 * 24 * time.Hour
)

type waiting struct {
	record []byte
	done   chan error
}

var pool = sync.Pool{New: func() any { return &waiting{done: make(chan error, 1)} }}

func newBareFile(path string, definitions *schema.Schema) (*bareFile, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("making the bare file: %w", err)
	}
	f := &bareFile{schema: definitions, file: file, queue: make(chan *waiting, 4096), stopped: make(chan struct{})}
	go f.loop()
	return f, nil
}

// Batch implements collector.Tracker.
func (f *bareFile) Batch(_ context.Context, req *tracker.Request) (*tracker.Response, error) {
	w := pool.Get().(*waiting)
	defer pool.Put(w)
	b := append(w.record[:0], make([]byte, requestOverhead)...)
	res := &tracker.Response{Epoch: "c8a1f00dc8a1", Results: make([]tracker.Result, len(req.Calls))}
	for i := range req.Calls {
		res.Results[i].ID = req.Calls[i].ID
		var err error
		if b, err = f.event(b, req, &req.Calls[i]); err != nil {
			return nil, err
		}
	}
	w.record = b
	res.Device = tracker.CookieChange{Set: true, MaxAge: cookieLife}
	if len(req.DeviceTokens) == 1 {
		res.Device.Value = req.DeviceTokens[0]
	} else {
		res.Device.Value = rand.Text()
	}
	f.queue <- w
	return res, <-w.done
}

func (f *bareFile) event(b []byte, req *tracker.Request, call *tracker.Call) ([]byte, error) {
	b = append(b, make([]byte, eventOverhead)...)
	b = binary.BigEndian.AppendUint64(b, uint64(call.At.UnixNano()))
	if call.Method == tracker.MethodPage {
		page := req.Pages[call.Page]
		return append(append(append(b, page.URL...), page.Title...), page.Referrer...), nil
	}
	var params struct {
		EventID    string         `json:"eventId"`
		Properties jsontext.Value `json:"properties"`
	}
	if err := json.Unmarshal(call.Params, &params, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("decoding the event: %w", err)
	}
	properties, err := f.schema.CheckEvent(params.EventID, []byte(params.Properties))
	return append(append(b, params.EventID...), properties...), err
}

func (f *bareFile) loop() {
	defer close(f.stopped)
	var together []*waiting
	var buffer []byte
	for first := range f.queue {
		if len(together) > 1 {
			runtime.Gosched() // as the product does: let those just answered come again
		}
		together, buffer = append(together[:0], first), append(buffer[:0], first.record...)
		for more := true; more && len(together) < mostTogether; {
			select {
			case next, open := <-f.queue:
				if more = open; open {
					together, buffer = append(together, next), append(buffer, next.record...)
				}
			default:
				more = false
			}
		}
		_, err := f.file.Write(buffer)
		if err == nil {
			err = syscall.Fdatasync(int(f.file.Fd()))
		}
		for _, w := range together {
			w.done <- err
		}
	}
}

// Close ends the writer.
func (f *bareFile) Close() error {
	close(f.queue)
	<-f.stopped
	return f.file.Close()
}
