package tracker

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What became of a call; NotRecorded is the fourth.
const (
	Recorded = "recorded"
	Repeated = "repeated" // it was carried out before, and answered as then (B26)
	Refused  = "refused"
)

// Methods of outcomes that are none of a call.
const (
	MethodBatch   = "batch"   // a request that was refused as a whole
	MethodUnknown = "unknown" // whatever the browser called it
)

// Outcome is what became of a call. Its values are from fixed sets but for
// the time and the ids: nothing that a browser sent stands in it.
type Outcome struct {
	ID     string    `json:"id"` // its place among the outcomes, for Service.Outcomes
	Time   time.Time `json:"time"`
	Method string    `json:"method"` // one of the Method constants
	Result string    `json:"result"` // Recorded, Repeated, NotRecorded or Refused
	// Reason is why nothing was recorded (no_consent, opted_out, spider,
	// erased) or why a request was refused as a whole, "" otherwise.
	Reason string `json:"reason,omitempty"`
	Code   int    `json:"code,omitempty"` // of the error, 0 for none
	Name   string `json:"name,omitempty"` // likewise
	Rule   string `json:"rule,omitempty"` // the rule that decided: B22
	// PersonID is the lead or authenticated person that the call belongs to, ""
	// for a visitor, of whom nothing is told (B16).
	PersonID string `json:"personId,omitempty"`
}

const (
	heldOutcomes = 1000 // of an account, 100 bytes each
	maxWatchers  = 16   // of an account
)

// ErrTooManyWatchers is returned by Watch to whoever comes after maxWatchers.
var ErrTooManyWatchers = errors.New("tracker: too many watch the live view")

// outcome is an Outcome as it is held. The texts are constants.
type outcome struct {
	at                           int64
	person                       id
	method, result, reason, rule string
	code                         int
}

// live holds the last outcomes of each account in memory. Calls of several
// proxies on one database are not brought together: that would cost every call
// a write.
type live struct {
	run      string // tells the numbers of this service from those of one before
	mu       sync.Mutex
	accounts map[Account]*ring
}

// ring is the last outcomes of an account. Outcome n, counted from 1, stands at
// (n-1) % heldOutcomes.
type ring struct {
	held     []outcome
	count    uint64 // all there were
	watchers map[chan struct{}]struct{}
}

func newLive(started time.Time) *live {
	return &live{run: strconv.FormatInt(started.UnixMilli(), 36), accounts: make(map[Account]*ring, 1)}
}

// of returns the ring of a configured account. The lock is held.
func (l *live) of(a Account) *ring {
	r := l.accounts[a]
	if r == nil {
		r = &ring{watchers: make(map[chan struct{}]struct{})}
		l.accounts[a] = r
	}
	return r
}

func (r *ring) add(o outcome) {
	if len(r.held) < heldOutcomes {
		r.held = append(r.held, o)
	} else {
		r.held[r.count%heldOutcomes] = o
	}
	r.count++
}

// wake never waits: a watcher that has not come yet finds all there is when it
// does.
func (r *ring) wake() {
	for news := range r.watchers {
		select {
		case news <- struct{}{}:
		default:
		}
	}
}

// tell holds what became of the calls of a request.
func (l *live) tell(req *Request, res *Response) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.of(req.Account)
	for i := range res.Results {
		r.add(outcomeOf(req, &req.Calls[i], &res.Results[i], res.aside(i)))
	}
	r.wake()
}

// aside is what the live view tells of a call, and its answer does not.
type aside struct {
	person   id // whose call it was, zero for a visitor
	repeated bool
}

func (r *Response) aside(i int) (known aside) {
	if i < len(r.asides) {
		known = r.asides[i]
	}
	return known
}

// addAsides puts those of an earlier part of the request before its own.
func (r *Response) addAsides(earlier *Response) {
	all := make([]aside, len(earlier.Results), len(earlier.Results)+len(r.asides))
	copy(all, earlier.asides)
	r.asides = append(all, r.asides...)
}

func outcomeOf(req *Request, call *Call, result *Result, beside aside) outcome {
	does := methods[call.Method] // its texts are constants, that of the call is the browser's
	o := outcome{at: millis(req.ReceivedAt), method: does.name, result: Recorded, rule: does.rule, person: beside.person}
	if o.method == "" {
		o.method = MethodUnknown
	}
	switch {
	case result.Err != nil:
		o.result, o.code = Refused, result.Err.Code
		if result.Err.rule != "" {
			o.rule = result.Err.rule
		}
	case beside.repeated:
		o.result, o.rule = Repeated, ruleRepeats
	case len(result.Warnings) == 1 && result.Warnings[0].Code == NotRecorded:
		o.result = NotRecorded
		o.reason, o.rule = omitted(req, result.Warnings[0].Message)
	}
	return o
}

// RefusedRequest holds that a request was refused as a whole. reason and rule
// are constants of the caller's. It asks no store: of an account whose number
// is not known yet nothing is held.
func (s *Service) RefusedRequest(account, reason, rule string) {
	number := DefaultAccount
	if account != DefaultAccountName {
		known := s.accounts.known.Load()
		if known == nil || known.numbers[account] == 0 {
			return
		}
		number = known.numbers[account]
	}
	o := outcome{at: millis(s.now()), method: MethodBatch, result: Refused, reason: reason, rule: rule, code: CodePersonState}
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	r := s.live.of(number)
	r.add(o)
	r.wake()
}

// Outcomes returns what became of the last calls of an account that this
// service answered, oldest first, and forgets them after 1,000 more. after is
// the id of one of them, for those that came later; missed is how many of these
// are forgotten. With any other text it returns all that are held.
func (s *Service) Outcomes(a Account, after string) (list []Outcome, missed uint64) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	r := s.live.accounts[a]
	if r == nil {
		return nil, 0
	}
	first := r.count - uint64(len(r.held)) // before the first that is held
	if n, ok := s.live.number(after); ok && n <= r.count {
		missed = max(first, n) - n
		first = max(first, n)
	}
	list = make([]Outcome, 0, r.count-first)
	for n := first; n < r.count; n++ {
		list = append(list, s.live.shown(r.held[n%heldOutcomes], n+1))
	}
	return list, missed
}

// number reads the id of an outcome of this service.
func (l *live) number(id string) (n uint64, ok bool) {
	digits, ok := strings.CutPrefix(id, l.run+"-")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

func (l *live) shown(o outcome, n uint64) Outcome {
	shown := Outcome{
		ID: l.run + "-" + strconv.FormatUint(n, 10), Time: fromMillis(o.at).UTC(),
		Method: o.method, Result: o.result, Reason: o.reason, Code: o.code, Name: callErrors[o.code].name, Rule: o.rule,
	}
	if !o.person.zero() {
		shown.PersonID = o.person.String()
	}
	return shown
}

// Watch gives a channel that is ready when Outcomes has something new, until
// stop. Nobody waits for a watcher.
func (s *Service) Watch(a Account) (news <-chan struct{}, stop func(), err error) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	r := s.live.of(a)
	if len(r.watchers) >= maxWatchers {
		return nil, nil, ErrTooManyWatchers
	}
	ready := make(chan struct{}, 1)
	r.watchers[ready] = struct{}{}
	return ready, func() {
		s.live.mu.Lock()
		defer s.live.mu.Unlock()
		delete(r.watchers, ready)
	}, nil
}

// forget takes an erased person's id out of what is held (B33).
func (l *live) forget(a Account, person id) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.accounts[a]; r != nil {
		for i := range r.held {
			if r.held[i].person == person {
				r.held[i].person = id{}
			}
		}
	}
}

// personOf is the person that a call belongs to, as far as this request came to
// know it: zero for a visitor, and where the profile was not needed. Merged
// profiles lead to the person they are part of.
func (w *work) personOf(call *Call) id {
	ep, standing := w.epochOf(call)
	if standing == standingStale {
		return id{}
	}
	p := w.profiles[ep.profile]
	for hops := 0; p != nil && hops < maxMergeHops && !p.mergedInto.zero(); hops++ {
		p = w.profiles[p.mergedInto]
	}
	if p == nil || !p.person() {
		return id{}
	}
	return p.id
}
