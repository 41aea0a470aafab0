package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// maxCalls is how many rows the live view has.
const maxCalls = 200

// liveView is the page of the last calls. Without its script it shows those of
// the moment it was opened.
type liveView struct {
	frame
	Calls []callView // newest first
	After string     // the last of them, for the stream
	Most  int        // rows
	Rules []ruleView
}

// callView is what became of a call. It says no more than tracker.Outcome does.
type callView struct {
	ID, Method string
	At         moment
	Kind       string // the result as a class
	Result     string
	Why        string
	Rule       string
	Person     string // the id as a segment of an address, "" for a visitor
}

// ruleView says what a rule is about.
type ruleView struct{ Rule, About string }

// liveRules are the rules that a call may be told by.
var liveRules = []ruleView{
	{"B4", "Live Chat tokens: signature, claims, lifetime"},
	{"B8", "nothing is recorded under a later profile of the browser than the call was made for"},
	{"B9", "what tells that a chat has started or ended"},
	{"B21", "init: the SDK begins in a page"},
	{"B22", "track: events and their properties must be defined"},
	{"B23", "updatePerson: leads only, names and values as specified"},
	{"B24", "appendToList: leads only, items as defined"},
	{"B25", "the browser keeps no cookie"},
	{"B26", "a call that is sent again is recorded once"},
	{"B28", "API keys and their scopes"},
	{"B29", "page views and other standard events; spiders are not recorded"},
	{"B30", "consent: nothing is recorded without it where it is required"},
	{"B31", "Global Privacy Control and Do Not Track"},
	{"B33", "the person was erased"},
	{"B34", "the store cannot answer; the browser sends the calls again"},
	{"B37", "origins, sizes and form of requests"},
	{"B38", "rate limits; the browser sends the calls again"},
}

func (h *handler) livePage(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return err
	}
	clock := h.clockFor(r)
	view := liveView{frame: h.frame(r, clock, "Live"), Most: maxCalls, Rules: liveRules}
	view.Live = true
	outcomes, _ := h.people.Outcomes(h.account, "")
	for i := len(outcomes) - 1; i >= max(0, len(outcomes)-maxCalls); i-- {
		view.Calls = append(view.Calls, clock.call(outcomes[i]))
	}
	if len(view.Calls) > 0 {
		view.After = view.Calls[0].ID
	}
	return h.views.write(w, http.StatusOK, h.views.live, view)
}

func (c clock) call(o tracker.Outcome) callView {
	return callView{
		ID: o.ID, Method: o.Method, At: c.second(o.Time), Kind: o.Result, Result: plain(o.Result),
		Why: why(o), Rule: o.Rule, Person: url.PathEscape(o.PersonID),
	}
}

// why says in a few words what the result comes from. The script of the page
// says it likewise.
func why(o tracker.Outcome) string {
	said := ""
	if o.Code != 0 {
		said = strconv.Itoa(o.Code) + " " + o.Name
	}
	return join(", ", said, strings.ReplaceAll(o.Reason, "_", " "))
}

// plain makes a word of the API one that is read.
func plain(word string) string {
	first, size := utf8.DecodeRuneInString(word)
	return string(unicode.ToUpper(first)) + strings.ReplaceAll(word[size:], "_", " ")
}
