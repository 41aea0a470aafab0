//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/livechat"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// options are the command line's.
type options struct {
	people, visitors int
	events           int // of each of them
	merged           int // events of the visitors whose merge is measured
	reads            int // how often each read is done
	check            bool
	dir              string
}

func main() {
	var o options
	flag.IntVar(&o.people, "people", 20_000, "people, who are listed and found")
	flag.IntVar(&o.visitors, "visitors", 0, "visitors, who are not")
	flag.IntVar(&o.events, "events", 10, "events of each of them")
	flag.IntVar(&o.merged, "merged", 100_000, "events of the visitors whose merge is measured")
	flag.IntVar(&o.reads, "reads", 5_000, "how often a person's page is read; the rest is read a tenth as often")
	flag.BoolVar(&o.check, "check", false, "check the whole store at the end, as caddy people check does")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "make the store in this `directory`")
	flag.Parse()
	if err := run(o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(o options, out io.Writer) (err error) {
	if o.people < someLive || o.events < 1 || o.reads < 10 || o.merged < 1 {
		return fmt.Errorf("-people: at least %d; -events and -merged: at least 1; -reads: at least 10", someLive)
	}
	dir, err := os.MkdirTemp(o.dir, "people-scale-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintf(out, "%s, %d processors, load %s, %s\n", runtime.Version(), runtime.NumCPU(), measured.Load(), time.Now().UTC().Format("15:04"))
	w := newWorld(o, time.Now())
	began := time.Now()
	if err := w.build(dir); err != nil {
		return fmt.Errorf("building: %w", err)
	}
	size, err := sizeOf(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d people and %d visitors with %d events each, %.1f GB on disk, built in %v\n",
		o.people, o.visitors, o.events, size/1e9, time.Since(began).Round(time.Second))
	if err := w.measure(dir, out); err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	if o.check {
		if err := w.checkAll(dir, out); err != nil {
			return fmt.Errorf("checking: %w", err)
		}
	}
	fmt.Fprintf(out, "\nload at the end %s\n", measured.Load())
	return nil
}

// open opens the store with its service, and says how long the store took.
func (w *world) open(dir string, opts badger.Options) (*badger.Store, *tracker.Service, time.Duration, error) {
	runtime.GC()
	began := time.Now()
	st, err := badger.Open(dir, opts)
	took := time.Since(began)
	if err != nil {
		return nil, nil, 0, err
	}
	service, err := w.service(st)
	if err != nil {
		return nil, nil, 0, errors.Join(err, st.Close())
	}
	return st, service, took, nil
}

func (w *world) service(st *badger.Store) (*tracker.Service, error) {
	definitions, err := schema.New([]schema.Definition{{ID: "action", Title: "Action", Fields: []schema.Field{
		{Name: "name", Type: schema.TypeString}, {Name: "label", Type: schema.TypeString},
	}}}, nil, schema.Options{Strict: true})
	if err != nil {
		return nil, fmt.Errorf("defining events: %w", err)
	}
	tokens, err := livechat.NewVerifier([]livechat.Widget{{ID: widget, Secrets: []livechat.Secret{{ID: "k", Key: make([]byte, 32)}}}}, livechat.Options{})
	if err != nil {
		return nil, fmt.Errorf("defining the widget: %w", err)
	}
	service, err := tracker.New(st, tracker.Config{
		Accounts: map[string]tracker.AccountConfig{tracker.DefaultAccountName: {Schema: definitions, Tokens: tokens}},
		// Nobody is forgotten while he is being read.
		VisitorTTL: 400 * day, ChatSessionTTL: 400 * day,
		Now: func() time.Time { return w.now },
	})
	return service, err
}

// end closes the store that was filled, so that it lies on disk as it will be
// found.
func end(st *badger.Store) error {
	err := st.Close()
	debug.FreeOSMemory()
	return err
}

var background = context.Background()
