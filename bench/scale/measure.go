//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// mergeRounds is how many visitors with very many events are merged each time
// the store is read, half of them in each of both readings.
const mergeRounds = 6

// measure opens the store and reads it as the console does, twice: first with
// every page of the files still to be mapped, and then as one that has been in
// use for a while.
func (w *world) measure(dir string, out io.Writer) (err error) {
	alone, err := openAlone(dir)
	if err != nil {
		return err
	}
	clean, err := w.openClean(dir)
	if err != nil {
		return err
	}
	// From here on as after a crash, so that nothing is read beside the reads.
	if err := os.Remove(filepath.Join(dir, "CLOSED")); err != nil {
		return fmt.Errorf("the note of the last close: %w", err)
	}
	st, service, opened, err := w.open(dir, badger.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end(st)) }()
	if err := service.Sweep(background); err != nil { // as a server does when it starts
		return err
	}
	fmt.Fprintf(out, "\nopened in %.1f ms after a clean close, in %.1f ms without its note, all tables checked; Badger alone in %.1f ms\n",
		1e3*clean.Seconds(), 1e3*opened.Seconds(), 1e3*alone.Seconds())
	for _, turn := range []string{"first reading", "the same again"} {
		fmt.Fprintf(out, "\n%s, ms\n", turn)
		if err := w.readAll(service, out); err != nil {
			return err
		}
	}
	anonymous, err := measured.Memory(os.Getpid(), "RssAnon")
	fmt.Fprintf(out, "\nanonymous memory after reading %.0f MB\n", anonymous)
	return err
}

// readAll does all reads and tells how long they took.
func (w *world) readAll(service *tracker.Service, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\ttimes\tp50\tp99\tslowest\t")
	for _, read := range w.reads(service) {
		times, err := read.repeat()
		if err != nil {
			return fmt.Errorf("%s: %w", read.name, err)
		}
		slices.Sort(times)
		ms := func(d time.Duration) float64 { return 1e3 * d.Seconds() }
		fmt.Fprintf(table, "%s\t%d\t%.3f\t%.3f\t%.3f\t\n", read.name, len(times), ms(times[len(times)/2]), ms(times[len(times)*99/100]), ms(times[len(times)-1]))
	}
	return table.Flush()
}

// openClean is how long the store takes after it was closed cleanly.
func (w *world) openClean(dir string) (time.Duration, error) {
	st, _, took, err := w.open(dir, badger.Options{})
	if err != nil {
		return 0, err
	}
	return took, end(st)
}

// checkAll holds the whole store against the layout of its keys.
func (w *world) checkAll(dir string, out io.Writer) (err error) {
	st, _, _, err := w.open(dir, badger.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end(st)) }()
	before, err := measured.Processor()
	if err != nil {
		return err
	}
	began := time.Now()
	result, err := tracker.Check(background, st, tracker.CheckOptions{Now: w.now}, func(p tracker.Problem) { fmt.Fprintln(out, p) })
	took := time.Since(began)
	if err != nil {
		return err
	}
	after, err := measured.Processor()
	if err != nil {
		return err
	}
	if result.Problems > 0 {
		return fmt.Errorf("%d problems", result.Problems)
	}
	fmt.Fprintf(out, "\nchecked %d entries in %.1f s, with %.1f s of processor time\n", result.Total(), took.Seconds(), (after - before).Seconds())
	return nil
}

// openAlone is how long Badger needs without us.
func openAlone(dir string) (time.Duration, error) {
	began := time.Now()
	db, err := engine.Open(engine.DefaultOptions(dir).WithLogger(nil).WithReadOnly(true))
	took := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("opening Badger: %w", err)
	}
	return took, db.Close()
}

// read is something the console asks for.
type read struct {
	name  string
	times int
	// prepare says what to ask for before the clock runs; nil is nothing.
	prepare func(n int) (string, error)
	do      func(asked string) error
}

func (r read) repeat() ([]time.Duration, error) {
	times := make([]time.Duration, r.times)
	for n := range times {
		asked := ""
		if r.prepare != nil {
			var err error
			if asked, err = r.prepare(n); err != nil {
				return nil, err
			}
		}
		began := time.Now()
		if err := r.do(asked); err != nil {
			return nil, err
		}
		times[n] = time.Since(began)
	}
	return times, nil
}

func (w *world) reads(service *tracker.Service) []read {
	random := rand.New(rand.NewPCG(5, 6))
	few := w.options.reads / 10
	found := func(text string, least int) error {
		page, err := service.Persons(background, tracker.DefaultAccount, tracker.PersonQuery{Text: text})
		if err == nil && len(page.Persons) < least {
			err = fmt.Errorf("%q finds %d", text, len(page.Persons))
		}
		return err
	}
	someone := func(int) (string, error) { return email(random.IntN(w.people)), nil }
	return []read{
		{"person with the newest 50 events", w.options.reads, func(n int) (string, error) {
			address, _ := someone(n)
			page, err := service.Persons(background, tracker.DefaultAccount, tracker.PersonQuery{Text: address})
			if err == nil && len(page.Persons) != 1 {
				err = fmt.Errorf("%s finds %d", address, len(page.Persons))
			}
			if err != nil {
				return "", err
			}
			return page.Persons[0].ID, nil
		}, func(id string) error { return w.page(service, id) }},
		{"the 50 most recently active", few, nil, func(string) error { return found("", min(50, w.people)) }},
		{"search: a whole e-mail", few, someone, func(address string) error { return found(address, 1) }},
		{"search: beginning of a last name", few, func(int) (string, error) { return lastName(random.IntN(w.people))[:6], nil }, func(text string) error { return found(text, 1) }},
		{"search: first and last name", few, func(int) (string, error) {
			i := random.IntN(w.people)
			return firstName(i) + " " + lastName(i), nil
		}, func(text string) error { return found(text, 1) }},
		{fmt.Sprintf("merge of a visitor with %d events, synced", w.merged), mergeRounds / 2, func(int) (string, error) {
			token := w.devices[0]
			w.devices = w.devices[1:]
			return token, nil
		}, func(token string) error {
			req := request(w.now, tracker.Call{ID: "chat-1", Method: tracker.MethodChat, Params: []byte(`{"state":"started","widgetId":"` + widget + `"}`)})
			req.DeviceTokens = []string{token}
			_, err := send(service, req)
			return err
		}},
	}
}

// page reads what the page of a person shows.
func (w *world) page(service *tracker.Service, id string) error {
	if _, err := service.Person(background, tracker.DefaultAccount, id); err != nil {
		return err
	}
	events, _, err := service.Events(background, tracker.DefaultAccount, id, tracker.EventQuery{Limit: 50})
	if err == nil && len(events) < min(50, w.events) {
		err = fmt.Errorf("%s has %d events", id, len(events))
	}
	return err
}

// sizeOf is what the files of a directory take, without what is only reserved.
func sizeOf(dir string) (bytes float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			bytes += float64(info.Size())
		}
		return err
	})
	return bytes, err
}
