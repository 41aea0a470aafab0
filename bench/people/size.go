//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// few are the people of the small store. It is made anew after some rounds,
// because half of the operations make one more.
const (
	few       = 10
	renewedAt = 10 // rounds
)

// crowd is a store with people: every other one is a lead who started a chat,
// the rest signed in with an address.
type crowd struct {
	store   store.Store
	service *tracker.Service
	people  int
	known   []*browser // some of its leads
	made    int        // users who signed in for the first time while measuring
}

// newCrowd fills a new store.
func newCrowd(ctx context.Context, dir string, people int) (*crowd, error) {
	st, err := badger.Open(dir, badger.Options{})
	if err != nil {
		return nil, err
	}
	c := &crowd{store: st, people: people}
	if c.service, err = newService(st, tracker.DefaultSessionTimeout); err != nil {
		return c, err
	}
	known := make([]*browser, people)
	err = inParallel(people, func(i int) error {
		b := newBrowser(c.service)
		if err := b.view(ctx); err != nil {
			return err
		}
		if i%2 == 1 {
			return b.authenticate(ctx, address(i))
		}
		if i < 100_000 {
			known[i] = b
		}
		return b.startChat(ctx)
	})
	for _, b := range known {
		if b != nil {
			c.known = append(c.known, b)
		}
	}
	return c, err
}

func address(i int) string { return fmt.Sprintf("person-%d@example.com", i) }

// operations are what is measured: what depends on finding one among many.
var operations = []struct {
	name string
	// prepare returns what is timed.
	prepare func(context.Context, *crowd) (func() error, error)
}{
	{"select: an event of a lead who is known by cookies", func(ctx context.Context, c *crowd) (func() error, error) {
		b := c.known[rand.IntN(len(c.known))] //nolint:gosec // no secret
		return func() error { return b.act(ctx) }, nil
	}},
	{"select: the first event of a new visitor", func(ctx context.Context, c *crowd) (func() error, error) {
		b := newBrowser(c.service)
		return func() error { return b.act(ctx) }, nil
	}},
	{"merge: a visitor starts a chat, a lead is made", func(ctx context.Context, c *crowd) (func() error, error) {
		b := newBrowser(c.service)
		return func() error { return b.startChat(ctx) }, b.view(ctx)
	}},
	{"merge: a visitor signs in as somebody who is there", func(ctx context.Context, c *crowd) (func() error, error) {
		b := newBrowser(c.service)
		subject := address(rand.IntN(c.people/2)*2 + 1) //nolint:gosec // no secret
		return func() error { return b.authenticate(ctx, subject) }, b.view(ctx)
	}},
	{"merge: a visitor signs in as somebody new", func(ctx context.Context, c *crowd) (func() error, error) {
		b := newBrowser(c.service)
		c.made++
		subject := fmt.Sprintf("new-%d@example.com", c.made)
		return func() error { return b.authenticate(ctx, subject) }, b.view(ctx)
	}},
}

// measureSize takes turns between a store with few people and one with many,
// so that whatever else the machine does meets both.
func measureSize(ctx context.Context, o options, dir string, out io.Writer) (err error) {
	began := time.Now()
	many, err := newCrowd(ctx, filepath.Join(dir, "many"), o.people)
	if many != nil {
		defer func() { err = errors.Join(err, many.store.Close()) }()
	}
	if err != nil {
		return err
	}
	filled := time.Since(began)
	took := make([][2][]time.Duration, len(operations))
	var small *crowd
	defer func() {
		if small != nil {
			err = errors.Join(err, small.store.Close())
		}
	}()
	for round := range o.rounds {
		if round%renewedAt == 0 {
			if small, err = renew(ctx, small, filepath.Join(dir, fmt.Sprint("few-", round))); err != nil {
				return err
			}
		}
		if err := oneRound(ctx, [2]*crowd{small, many}, round, took); err != nil {
			return err
		}
	}
	_, err = io.WriteString(out, describeSize(o, filled, took))
	return err
}

func renew(ctx context.Context, old *crowd, dir string) (*crowd, error) {
	if old != nil {
		if err := old.store.Close(); err != nil {
			return nil, err
		}
	}
	return newCrowd(ctx, dir, few)
}

// oneRound measures every operation on both stores, in an order that changes.
func oneRound(ctx context.Context, crowds [2]*crowd, round int, took [][2][]time.Duration) error {
	for i, operation := range operations {
		for turn := range crowds {
			side := (turn + round + i) % 2
			timed, err := operation.prepare(ctx, crowds[side])
			if err != nil {
				return err
			}
			began := time.Now()
			if err := timed(); err != nil {
				return err
			}
			took[i][side] = append(took[i][side], time.Since(began))
		}
	}
	return nil
}

func describeSize(o options, filled time.Duration, took [][2][]time.Duration) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d people were made in %.0f s; %d rounds, medians (quartiles)\n\n", o.people, filled.Seconds(), o.rounds)
	fmt.Fprintf(&out, "| | %d people | %d people | ratio of medians |\n| --- | --- | --- | --- |\n", few, o.people)
	for i, operation := range operations {
		small, many := took[i][0], took[i][1]
		fmt.Fprintf(&out, "| %s | %s (%s–%s) | %s (%s–%s) | %.2f |\n", operation.name,
			in(small, 0.5), in(small, 0.25), in(small, 0.75), in(many, 0.5), in(many, 0.25), in(many, 0.75),
			float64(quantile(many, 0.5))/float64(quantile(small, 0.5)))
	}
	return out.String()
}
