package collector

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// MaxCalls is how many calls a request has at most, and so the least burst of a
// rate limit.
const MaxCalls = 100

// Bounds of the wire protocol.
const (
	maxBody   = 65536 // what a browser keeps alive after its page is gone
	maxCalls  = MaxCalls
	maxPages  = maxCalls // each call may come from a page of its own
	maxKey    = 256
	maxCallID = 36
	maxEpoch  = 32
	bootBytes = 32
)

type wireRequest struct {
	APIKey string            `json:"apiKey"`
	SentAt time.Time         `json:"sentAt"`
	Boot   string            `json:"boot"`
	Pages  bounded[wirePage] `json:"pages"`
	Calls  bounded[wireCall] `json:"calls"`
}

type wirePage struct {
	URL             string `json:"url"`
	Title           string `json:"title"`
	Referrer        string `json:"referrer"`
	Language        string `json:"language"`
	WebsiteLanguage string `json:"websiteLanguage"`
}

type wireCall struct {
	ID     string         `json:"id"`
	At     time.Time      `json:"at"`
	Epoch  string         `json:"epoch"`
	Page   *int           `json:"page"`
	Method string         `json:"method"`
	Params jsontext.Value `json:"params"`

	deep bool // the params were nested too deeply, and cut
}

// bounded is a list of at most maxCalls. It is refused as it grows: 64 KiB
// hold twenty thousand empty calls, which would take megabytes when decoded.
type bounded[T any] []T

func (l *bounded[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if token, err := dec.ReadToken(); err != nil || token.Kind() != jsontext.KindBeginArray {
		return errors.Join(err, errNoList)
	}
	for dec.PeekKind() != jsontext.KindEndArray {
		if len(*l) == maxCalls {
			return errTooMany
		}
		*l = append(*l, *new(T))
		if err := jsonv2.UnmarshalDecode(dec, &(*l)[len(*l)-1]); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

var (
	errNoList  = errors.New("not a list")
	errTooMany = fmt.Errorf("more than %d entries in a list", maxCalls)
	// errMalformed names no position and no content: the decoder's own errors
	// quote the body, in which keys and tokens stand.
	errMalformed = errors.New("the body is not a request of this protocol")
	errDepth     = fmt.Errorf("the body is nested deeper than %d", maxDepth)
)

// strict refuses unknown members. Members given twice and invalid UTF-8 are
// refused by default.
var strict = jsonv2.RejectUnknownMembers(true)

// decode reads a request strictly and judges everything that needs no more
// than its own text. The error says what is wrong without quoting anything;
// nothing of the result shares memory with body, which is changed where calls
// are nested too deeply.
func decode(body []byte) (*wireRequest, error) {
	var cut []int
	if tooDeep(body, maxDepth) {
		if cut = cutDeep(body, maxDepth); tooDeep(body, maxDepth) {
			return nil, errDepth
		}
	}
	req := new(wireRequest)
	if err := jsonv2.Unmarshal(body, req, strict); err != nil {
		if errors.Is(err, errTooMany) {
			return nil, errTooMany
		}
		return nil, errMalformed
	}
	for _, i := range cut {
		if i < len(req.Calls) {
			req.Calls[i].deep = true
		}
	}
	return req, req.check()
}

func (req *wireRequest) check() error {
	switch {
	case len(req.APIKey) > maxKey:
		return fmt.Errorf("apiKey is longer than %d bytes", maxKey)
	case !isTime(req.SentAt):
		return errors.New("sentAt is missing or out of range")
	case req.Boot != "" && !isHex(req.Boot, bootBytes):
		return fmt.Errorf("boot is not %d lower-case hex digits", bootBytes)
	case len(req.Calls) == 0:
		return errors.New("there are no calls")
	}
	for i := range req.Calls {
		if err := req.Calls[i].check(len(req.Pages)); err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
	}
	return nil
}

// members are the methods with what their params may have. The person object
// of updatePerson is the site's, and what is unknown in it is ignored with a
// warning (B23).
var members = map[string][]string{
	tracker.MethodInit:         {},
	tracker.MethodPage:         {},
	tracker.MethodTrack:        {"eventId", "properties"},
	tracker.MethodChat:         {"state", "widgetId", "token"},
	tracker.MethodUpdatePerson: nil,
	tracker.MethodAppendToList: {"attributeName", "value"},
	tracker.MethodConsent:      {"granted"},
}

// callDepthFault is the reason for a call whose params were cut.
const callDepthFault = "the arguments are nested too deeply"

var (
	errID     = fmt.Errorf("id is not 1 to %d of A-Za-z0-9_-", maxCallID)
	errAt     = errors.New("at is missing or out of range")
	errEpoch  = errors.New("epoch is malformed")
	errPage   = errors.New("page is no index into pages")
	errMethod = errors.New("method is unknown")
	errParams = errors.New("params is not an object with the members of the method")
)

func (c *wireCall) check(pages int) error {
	allowed, known := members[c.Method]
	switch {
	case !isWord(c.ID, 1, maxCallID):
		return errID
	case !isTime(c.At):
		return errAt
	case !isEpoch(c.Epoch):
		return errEpoch
	case c.Page != nil && (*c.Page < 0 || *c.Page >= pages):
		return errPage
	case !known:
		return errMethod
	case c.Params.Kind() != jsontext.KindBeginObject, allowed != nil && !hasOnly(c.Params, allowed):
		return errParams
	}
	return nil
}

func (c *wireCall) call() tracker.Call {
	call := tracker.Call{ID: c.ID, At: c.At.UTC(), Epoch: c.Epoch, Page: -1, Method: c.Method, Params: json.RawMessage(c.Params)}
	if c.Page != nil {
		call.Page = *c.Page
	}
	if c.deep {
		call.Fault = callDepthFault
	}
	return call
}

// isTime accepts what a browser's clock may say, however wrong, as long as it
// can be counted in nanoseconds.
func isTime(t time.Time) bool {
	year := t.UTC().Year()
	return 1970 <= year && year < 2200
}

// isEpoch accepts no epoch, an epoch, and either with the id of the chat call
// it waits for (docs/decisions/0001).
func isEpoch(s string) bool {
	for i := range len(s) {
		if s[i] == '+' {
			return isWord(s[:i], 0, maxEpoch) && isWord(s[i+1:], 1, maxCallID)
		}
	}
	return isWord(s, 0, maxEpoch)
}

func isWord(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}
