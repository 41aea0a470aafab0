package tracker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

type (
	// simBrowser is one browser with its cookie jar, its storage and its tabs.
	simBrowser struct {
		name      string
		device    simCookie
		chat      simCookie
		boot      string
		bootSince int64
		answered  int64 // when the last answer came, 0 before
		skew      int64 // how far its clock is ahead
		tabs      []*simTab
		history   []*simSent
		home      *oDevice
		site      simCookie // the site's own session cookie
	}
	simCookie struct {
		value   string
		expires int64 // 0 when it ends with the browser
	}
	// simTab is one page: what it believes and what it could not send yet.
	simTab struct {
		name    string
		n       int
		epoch   string
		pending []*oCall
	}
	// simSent is a request that may be repeated.
	simSent struct {
		tab   *simTab
		calls []*oCall
		at    int64
	}
)

func (c simCookie) at(now int64) string {
	if c.expires != 0 && c.expires <= now {
		return ""
	}
	return c.value
}

func (c *simCookie) change(ch CookieChange, now int64) {
	switch {
	case ch.Delete:
		*c = simCookie{}
	case ch.Set:
		*c = simCookie{value: ch.Value}
		if ch.MaxAge > 0 {
			c.expires = now + ch.MaxAge.Milliseconds()
		}
	}
}

// newBoot is what the SDK keeps until it is answered.
func (s *sim) newBoot(b *simBrowser) {
	s.serial++
	b.boot, b.bootSince, b.answered = fmt.Sprintf("%032x", s.serial), s.at(), 0
	b.history = nil
	for _, t := range b.tabs {
		t.pending = nil
	}
}

func (s *sim) newTab(b *simBrowser) *simTab {
	s.serial++
	tab := &simTab{name: fmt.Sprintf("t%d", s.serial)}
	const most = 6
	if b.tabs = append(b.tabs, tab); len(b.tabs) > most {
		b.tabs = b.tabs[1:]
	}
	return tab
}

// make is a call made now, stamped with what the page believes.
func (s *sim) make(b *simBrowser, tab *simTab, method string, params any) *oCall {
	raw, err := json.Marshal(params)
	if err != nil {
		panic(err)
	}
	c := &oCall{at: s.at() + b.skew, answer: -1}
	c.Call = Call{At: fromMillis(c.at), Epoch: tab.epoch, Method: method, Params: raw}
	if s.chance(12) { // a client that numbers in a way of its own
		s.serial++
		c.ID = fmt.Sprintf("own_%d", s.serial)
		return c
	}
	tab.n++
	c.n = tab.n
	c.ID = tab.name + "-" + strconv.Itoa(tab.n)
	return c
}

func (s *sim) makeActivity(b *simBrowser, tab *simTab) *oCall {
	s.serial++
	label := fmt.Sprintf("e%d", s.serial)
	var c *oCall
	if s.chance(3) {
		c = s.make(b, tab, MethodPage, m{})
	} else {
		c = s.make(b, tab, MethodTrack, m{"eventId": "action", "properties": m{"label": label}})
	}
	c.label = label
	return c
}

// deliver sends calls with the cookies of this moment and compares the answer
// with the oracle's. slow is how long the request was on its way; lost says
// that the browser never sees the answer.
func (s *sim) deliver(b *simBrowser, tab *simTab, calls []*oCall, slow int64, lost bool) {
	if s.violation != nil || len(calls) == 0 {
		return
	}
	s.prepare(b)
	s.now = s.now.Add(time.Millisecond)
	now := s.at()
	for _, c := range calls {
		if s.calm && c.answer < 0 {
			c.at = now + b.skew
			c.At = fromMillis(c.at)
		}
	}
	r := &oRequest{now: now, sent: now - slow + b.skew, device: b.device.at(now), chat: b.chat.at(now), site: b.site.at(now), calls: calls}
	r.assumed = s.oracle.asks && s.chance(4)
	if b.answered == 0 {
		r.boot = b.boot
	}
	req := s.request(r)
	response, err := s.service.Batch(context.Background(), req)
	s.note("%s.%s %s device %.6s chat %.6s site …%s boot %.6s lost %v: %v",
		b.name, tab.name, s.now.Format("02 15:04:05.000"), r.device, r.chat, r.site[max(0, len(r.site)-6):], r.boot, lost, describe(calls))
	if err != nil {
		s.fail("batch: %v", err)
		return
	}
	device, codes := s.oracle.request(r)
	s.compare(device, r, codes, response)
	for i, c := range calls {
		c.answer = codes[i]
	}
	if device == nil {
		b.tabs = nil // whoever clears cookies opens the pages anew, sooner or later
	}
	if s.violation != nil {
		return
	}
	if b.home != device { // client ids are one device's (B26)
		b.home, b.history = device, nil
	}
	const kept = 40
	if b.history = append(b.history, &simSent{tab, calls, now}); len(b.history) > kept {
		b.history = b.history[1:]
	}
	if lost {
		return
	}
	b.device.change(response.Device, now)
	b.chat.change(response.Chat, now)
	if response.Epoch != "" {
		tab.epoch, b.answered = response.Epoch, now
	}
}

// prepare does what the SDK does before it sends.
func (s *sim) prepare(b *simBrowser) {
	switch now := s.at(); {
	case b.answered != 0 && now-b.answered >= oDay:
		history := b.history
		s.newBoot(b)
		b.history = history // the cookie may well be there
	case b.answered == 0 && now-b.bootSince > 20*oHour:
		s.newBoot(b)
	}
}

func (s *sim) request(r *oRequest) *Request {
	s.serial++
	req := &Request{
		Account: DefaultAccount, ID: fmt.Sprintf("r%d", s.serial), ReceivedAt: s.now.Add(s.ahead), SentAt: fromMillis(r.sent),
		Agent: Agent{DeviceType: "desktop"}, Boot: r.boot,
	}
	if r.device != "" {
		req.DeviceTokens = []string{r.device}
	}
	if r.chat != "" {
		req.ChatTokens = []string{r.chat}
	}
	if s.oracle.asks && !r.assumed {
		req.Consent = ConsentUnknown
	}
	if req.SiteCookieNames = []string{"site"}; r.site != "" {
		req.SiteCookies = []SiteCookie{{"site", r.site}}
	}
	for _, c := range r.calls {
		call := c.Call
		call.Page = len(req.Pages)
		req.Pages = append(req.Pages, Page{URL: "https://shop.example/" + c.label, Title: "page"})
		req.Calls = append(req.Calls, call)
	}
	return req
}

func describe(calls []*oCall) []string {
	var out []string
	for _, c := range calls {
		line := c.ID + " " + c.Method + " " + c.label + c.state + " of " + fromMillis(c.at).Format("02 15:04:05")
		if c.token != nil {
			line += " as " + c.token.subject + " " + c.token.sid
		}
		if c.Epoch != "" {
			line += " under " + c.Epoch
		}
		out = append(out, line)
	}
	return out
}

// compare holds an answer against what the oracle said, and tells the oracle
// the names that the service gave.
func (s *sim) compare(d *oDevice, r *oRequest, codes []int, response *Response) {
	for i, result := range response.Results {
		code := 0
		if result.Err != nil {
			code = result.Err.Code
		}
		if code != codes[i] {
			s.fail("call %s is answered %d (%v), the rules say %d", r.calls[i].ID, code, result.Err, codes[i])
			return
		}
	}
	if d == nil {
		if response.Device.Set || response.Chat.Set || response.Epoch != "" {
			s.fail("a browser without cookies was given something")
		}
		return
	}
	if d.retired {
		if response.Device.Set || response.Chat.Set || response.Chat.Delete || response.Epoch != "" {
			s.fail("a retired token was given something: %+v", response)
		}
		return
	}
	if name := d.now().name; name != "" && name != response.Epoch {
		s.fail("the epoch changed from %s to %s, and nothing had happened", name, response.Epoch)
	}
	for _, other := range s.oracle.devices {
		for _, ep := range other.epochs {
			if ep.name == response.Epoch && ep != d.now() {
				s.fail("the epoch %s stays, although the profile changed to %s", ep.name, d.now().who.name)
			}
		}
	}
	d.now().name = response.Epoch
	if value := response.Device.Value; response.Device.Set && s.oracle.tokens[value].device != d {
		s.oracle.tokens[value] = oBoot{d, max(r.now, d.rotated)}
	}
	switch {
	case d.issued && response.Chat.Set:
		d.cookie = response.Chat.Value
		s.oracle.chats[d.cookie] = d.chat
	case d.issued != response.Chat.Set && response.Chat.Value != d.cookie, d.departed != response.Chat.Delete:
		s.fail("chat cookie: %+v, but issued %v, departed %v", response.Chat, d.issued, d.departed)
	}
	s.identify(d, response.Epoch)
}

// identify learns which stored profiles the ones of a device are, once, and
// the names of its epochs.
func (s *sim) identify(d *oDevice, epoch string) {
	var stored *device
	err := s.store.View(context.Background(), func(r store.Reader) error {
		records, err := r.Scan(store.Range{From: []byte{tableDevice}, To: []byte{tableDevice + 1}, Limit: store.MaxScan})
		for _, record := range records {
			found, err := decodeDevice(DefaultAccount, lastID(record.Key), record.Value)
			if err != nil {
				return err
			}
			if current := found.current(); current != nil && current.name == epoch {
				stored = found
			}
		}
		return err
	})
	if err != nil || stored == nil || len(stored.epochs) != len(d.epochs) {
		s.fail("no device has the epoch %q and %d before: %v", epoch, len(d.epochs)-1, err)
		return
	}
	for i, ep := range d.epochs {
		who, actual := ep.who, stored.epochs[i].profile
		ep.name = stored.epochs[i].name
		switch {
		case who.erased != 0:
		case who.actual.zero():
			if i := slices.IndexFunc(s.oracle.profiles, func(p *oProfile) bool { return p.actual == actual }); i >= 0 {
				s.fail("%s is the stored profile of %s", who.name, s.oracle.profiles[i].name)
			}
			who.actual = actual
		case who.actual != actual:
			s.fail("the device should be %s, and is another profile", who.name)
		}
	}
}
