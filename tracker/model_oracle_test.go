package tracker

import (
	"fmt"
	"strings"
)

// The oracle knows what the rules say should become of every call, in plain
// maps and without any of the service's code. It never reads the store; what
// the service makes up (ids, epochs, cookies) it learns from the answers.

const (
	oMinute = int64(60 * 1000)
	oHour   = 60 * oMinute
	oDay    = 24 * oHour

	oSessionLasts = 30 * oMinute
	oVisitorLasts = 45 * oDay
	oLeadLasts    = 45 * oDay
	oAuthLasts    = oDay
	oEpochsKept   = 8
	oListHolds    = 128
)

type (
	oracle struct {
		profiles    []*oProfile
		subjects    map[string]*oProfile
		devices     []*oDevice
		tokens      map[string]oBoot // by value of our device cookie
		boots       map[string]oBoot
		chats       map[string]*oChat // by value of our chat cookie
		buried      map[string]bool
		invalidated map[string]int64
		recorded    map[string]*oActivity // acknowledged activities by label
		refused     map[string]bool       // labels that must not be found anywhere
		sessions    []*oSession
		begun       []*oChat
		merges      []*oMerge
		absorbs     bool  // leads that authenticate (B6)
		ahead       int64 // how far the clock that tokens are held against is ahead (B36)

		sites  map[string]*oChat  // by value of the site's session cookie
		signed map[string]*oToken // those values that are tokens
		asks   bool               // nothing is kept without consent (B30)
	}
	oProfile struct {
		name     string
		kind     kind
		customer bool
		into     *oProfile
		created  int64
		erased   int64 // when it was hidden for good, 0 while it is not (B30, B33)
		removed  bool  // and nothing of it is left
		active   int64 // time of the last activity, also of merged visitors
		gone     bool
		actual   id // learned from the store once
		running  *oSession
		left     *oSession // what a merge left with it
		first    string
		tags     []string
		emails   []string
		items    int
		links    map[*oProfile]bool
		hidden   map[string]bool // cleared while it had absorbed leads
	}
	// oSession is what a calm world expects: no call is late.
	oSession struct {
		labels []string
		first  int64
		last   int64
		whole  *oSession // what it is a part of since a merge was undone
		twin   bool      // its record was made then
	}
	oEpoch struct {
		name     string
		who      *oProfile
		from, to int64
		cause    string
	}
	oDevice struct {
		epochs    []*oEpoch
		done      map[string]bool // client ids carried out
		chat      *oChat
		cookie    string // value of the chat cookie it was given, unknown until the answer
		cookieIn  int64  // sentAt of the last request that presented it
		cookieAt  int64  // when it was given
		site      string // value of the site's cookie that it presented in this session
		siteIn    int64  // sentAt of the last request that did
		consent   int64  // when the visitor consented by a call
		seen      int64  // when the last request came
		successor *oDevice
		dead      bool
		rotated   int64 // when its session changed, which retires older tokens
		departed  bool  // in this request
		issued    bool  // in this request
		lost      bool  // in this request: the answer with its cookies was lost
		retired   bool  // in this request: it came with a retired token
		rotates   bool  // in this request: tokens of before were retired
		erased    int64 // when its person was, or its visitor withdrew consent
		forgotten int64 // when that will be
		notBefore int64 // calls made before are dropped: who made them was erased
	}
	oChat struct {
		who    *oProfile
		auth   bool
		until  int64 // in use up to here: within a minute of its last call
		ended  int64
		sid    string // with its widget
		issued int64

		bySite bool            // it was started by a cookie of the site's
		sites  map[string]bool // values of the site's cookie that it is known by
		day    int64           // on which these devices presented one of them
		shown  []*oDevice
	}
	oBoot struct {
		device *oDevice
		since  int64
	}
	oActivity struct {
		who *oProfile
		at  int64
	}
	oToken struct {
		subject string // type and subject
		sid     string
		issued  int64
		expires int64
		asLead  bool
	}
	oCall struct {
		Call
		n      int    // its number in its tab, 0 for ids of another form
		label  string // of activities, unique
		at     int64  // by the browser's clock
		state  string // of chat calls
		token  *oToken
		first  *string // of updatePerson; "" clears
		tag    string
		email  string
		answer int // the code of the last answer, -1 before
	}
	oRequest struct {
		now, sent    int64
		device, chat string
		boot         string
		site         string // value of the site's session cookie
		assumed      bool   // the site's own cookie says that the visitor consents
		calls        []*oCall
		before       int64 // calls made before are dropped
	}
)

func newOracle() *oracle {
	return &oracle{
		subjects: map[string]*oProfile{}, tokens: map[string]oBoot{}, boots: map[string]oBoot{}, chats: map[string]*oChat{},
		buried: map[string]bool{}, invalidated: map[string]int64{}, recorded: map[string]*oActivity{}, refused: map[string]bool{},
		sites: map[string]*oChat{}, signed: map[string]*oToken{},
	}
}

func (d *oDevice) now() *oEpoch { return d.epochs[len(d.epochs)-1] }

func (p *oProfile) root() *oProfile {
	for p.into != nil {
		p = p.into
	}
	return p
}

func (p *oProfile) person() bool { return p.kind != kindVisitor && p.into == nil }

// seen is the last sign of life that a visitor's lifetime and a person's place
// in the list count from.
func (p *oProfile) seen() int64 { return max(p.active, p.created) }

func (o *oracle) profile(k kind, now int64) *oProfile {
	p := &oProfile{
		name: fmt.Sprintf("%s%d", map[kind]string{kindVisitor: "v", kindLead: "l", kindAuthenticated: "a"}[k], len(o.profiles)),
		kind: k, created: now, links: map[*oProfile]bool{}, hidden: map[string]bool{},
	}
	o.profiles = append(o.profiles, p)
	return p
}

// request says how every call of a request must be answered, 0 for success,
// and takes what follows from them. A nil device means that nothing at all may
// be recorded (B25).
func (o *oracle) request(r *oRequest) (*oDevice, []int) {
	codes := make([]int, len(r.calls))
	if r.calls[0].Method == MethodConsent && !r.granted() {
		o.withdraw(r)
		return nil, codes
	}
	if !o.consented(r) {
		for _, c := range r.calls {
			o.refuse(c)
		}
		return nil, codes
	}
	d := o.device(r)
	if d == nil {
		for i, c := range r.calls {
			o.refuse(c)
			if !o.allDropped(r) {
				codes[i] = CodeMissingAuthorization
			}
		}
		return nil, codes
	}
	if !d.retired {
		o.chatOf(d, r)
	}
	for i, c := range r.calls {
		codes[i] = o.call(d, r, c)
		if codes[i] != 0 {
			o.refuse(c)
		}
	}
	d.seen = max(d.seen, r.now)
	return d, codes
}

func (o *oracle) refuse(c *oCall) {
	if c.label != "" && o.recorded[c.label] == nil {
		o.refused[c.label] = true
	}
}

// believed is the epoch a call was made for (B8).
func (d *oDevice) believed(stamp string, made int64) *oEpoch {
	name, behind, _ := strings.Cut(stamp, "+")
	var found *oEpoch
	for _, ep := range d.epochs {
		if behind != "" && ep.cause == behind {
			found = ep
		}
	}
	switch {
	case found != nil:
		return found
	case name != "":
		for _, ep := range d.epochs {
			if ep.name == name {
				return ep
			}
		}
		return nil
	}
	found = d.epochs[0]
	for _, ep := range d.epochs {
		if ep.from <= made {
			found = ep
		}
	}
	return found
}
