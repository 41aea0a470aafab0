//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

const (
	day      = 24 * time.Hour
	history  = 300 * day
	someLive = 200 // people whose session is still open
	widget   = "85ea1938-f457-496d-8532-8fa489beea63"
	// together is how many requests wait at a time: as many as share a commit.
	together = 256
)

// world is the store that is made and what is known of it.
type world struct {
	options
	now     time.Time
	devices []string // cookies of the visitors with very many events
}

func newWorld(o options, now time.Time) *world { return &world{options: o, now: now.UTC()} }

var (
	firstNames = []string{"Ada", "Berta", "Carl", "Dora", "Emil", "Frida", "Georg", "Hanna", "Ivan", "Jana", "Karl", "Lena", "Marko", "Nina", "Otto", "Petra", "Rosa", "Stipe", "Tea", "Vera"}
	syllables  = []string{"ba", "ko", "li", "mar", "ne", "po", "ri", "sa", "ti", "vu", "za", "han", "jel", "der", "mo", "gra"}
)

func firstName(i int) string { return firstNames[i%len(firstNames)] }

// lastName gives some thousand different ones.
func lastName(i int) string {
	n := len(syllables)
	return "M" + syllables[i%n] + syllables[i/n%n] + syllables[i/n/n%n] + "ic"
}

func email(i int) string { return fmt.Sprintf("person%d@mail%d.example", i, i%500) }

// at is when somebody came: spread over the history, the last few just now.
func (w *world) at(i int) time.Time {
	if i < someLive {
		return w.now.Add(-time.Duration(1+i) * time.Second)
	}
	random := rand.New(rand.NewPCG(uint64(i), 1))
	return w.now.Add(-time.Hour - time.Duration(random.Int64N(int64(history)))).Truncate(time.Millisecond)
}

// roomy is for filling a store fast; what lies on disk is the same.
var roomy = badger.Options{
	Logger:        slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	MemTableBytes: 64 << 20, RecordCacheBytes: -1,
}

// build fills a store and closes it.
func (w *world) build(dir string) error {
	st, service, _, err := w.open(dir, roomy)
	if err != nil {
		return err
	}
	var next atomic.Int64
	errs := make([]error, together)
	var all sync.WaitGroup
	for worker := range together {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= w.people+w.visitors || errs[worker] != nil {
					return
				}
				_, errs[worker] = send(service, w.arrival(i))
			}
		})
	}
	all.Wait()
	for _, failed := range errs {
		err = cmp.Or(err, failed)
	}
	for n := range mergeRounds {
		if err == nil {
			err = w.addMany(service, n)
		}
	}
	if err == nil {
		err = service.Sweep(background) // ends the sessions that are over
	}
	return errors.Join(err, end(st))
}

// send carries out a request and insists on every call of it.
func send(service *tracker.Service, req *tracker.Request) (*tracker.Response, error) {
	res, err := service.Batch(background, req)
	if err != nil {
		return nil, err
	}
	for _, result := range res.Results {
		if result.Err != nil {
			return nil, result.Err
		}
	}
	return res, nil
}

// request is what the collector makes of a request at a time.
func request(at time.Time, calls ...tracker.Call) *tracker.Request {
	for i := range calls {
		calls[i].At = at
	}
	return &tracker.Request{
		Account: tracker.DefaultAccount, ID: "request", ReceivedAt: at, SentAt: at, Calls: calls,
		Agent: tracker.Agent{DeviceType: "desktop", BrowserName: "Firefox", BrowserVersion: "140.0", BrowserOS: "Linux"},
		Pages: []tracker.Page{{
			URL: "https://shop.example/products/shoes?color=red&size=42", Title: "Red shoes, size 42",
			Referrer: "https://search.example/", Language: "en-GB", WebsiteLanguage: "en",
		}},
	}
}

func action(n int) tracker.Call {
	return tracker.Call{
		ID: "tab-" + strconv.Itoa(n), Method: tracker.MethodTrack,
		Params: fmt.Appendf(nil, `{"eventId":"action","properties":{"name":"Button clicked","label":"add-to-favorites-%d"}}`, n),
	}
}

// arrival is all that person or visitor number i ever did.
func (w *world) arrival(i int) *tracker.Request {
	calls := make([]tracker.Call, 0, w.events+2)
	calls = append(calls, tracker.Call{ID: "tab-1", Method: tracker.MethodPage})
	for n := 2; n <= w.events; n++ {
		calls = append(calls, action(n))
	}
	if i < w.people {
		calls = append(calls,
			tracker.Call{ID: "tab-" + strconv.Itoa(w.events+1), Method: tracker.MethodChat, Params: []byte(`{"state":"started","widgetId":"` + widget + `"}`)},
			tracker.Call{ID: "tab-" + strconv.Itoa(w.events+2), Method: tracker.MethodUpdatePerson, Params: fmt.Appendf(nil,
				`{"firstName":%q,"lastName":%q,"contactInformation":{"email":[{"address":%q}]},"tags":["group %d"]}`,
				firstName(i), lastName(i), email(i), i%997)})
	}
	req := request(w.at(i), calls...)
	req.Boot = fmt.Sprintf("%032x", i)
	return req
}

// addMany makes a visitor with very many events.
func (w *world) addMany(service *tracker.Service, n int) error {
	const most = 100 // calls a request
	token := ""
	for done := 0; done < w.merged; done += most {
		at := w.now.Add(-time.Duration(w.merged-done) * time.Millisecond)
		var calls []tracker.Call
		for i := done + 1; i <= min(done+most, w.merged); i++ {
			calls = append(calls, action(i))
		}
		req := request(at, calls...)
		if req.Boot = fmt.Sprintf("f%031x", n); token != "" {
			req.Boot, req.DeviceTokens = "", []string{token}
		}
		res, err := send(service, req)
		if err != nil {
			return err
		}
		token = res.Device.Value
	}
	w.devices = append(w.devices, token)
	return nil
}
