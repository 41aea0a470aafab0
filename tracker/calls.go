package tracker

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// batch carries out the calls of the request in their order.
func (w *work) batch() (*Response, error) {
	if consented, err := w.consented(); err != nil {
		return nil, err
	} else if !consented {
		return unrecorded(w.req, notConsented), nil
	}
	known, err := w.resolveDevice()
	switch {
	case err != nil:
		return nil, err
	case known:
	case w.before():
		return unrecorded(w.req, madeBeforeErasure), nil
	default:
		return w.refuse(NewCallError(CodeMissingAuthorization, "").by(ruleNoCookies)), nil
	}
	for i := range w.req.Calls {
		w.moment = min(w.moment, w.timeOf(&w.req.Calls[i]))
	}
	if !w.retired {
		if err := w.resolveChat(); err != nil {
			return nil, err
		}
	}
	response := &Response{Results: make([]Result, len(w.req.Calls)), asides: make([]aside, len(w.req.Calls))}
	for i := range w.req.Calls {
		call := &w.req.Calls[i]
		w.moment, w.nth = w.timeOf(call), i
		if response.Results[i], response.asides[i].repeated, err = w.carryOut(call); err != nil {
			return nil, err
		}
	}
	for i := range w.req.Calls { // by now all profiles of the request are known
		response.asides[i].person = w.personOf(&w.req.Calls[i])
	}
	if err := w.renewCookies(); err != nil {
		return nil, err
	}
	w.device.seen, w.device.dirty = max(w.device.seen, millis(w.now)), true
	if err := w.flush(); err != nil {
		return nil, err
	}
	if !w.retired {
		response.Epoch = w.device.current().name
	}
	response.Chat = w.chatSet
	if w.rotated != "" {
		response.Device = CookieChange{Set: true, Value: w.rotated, MaxAge: w.visitor}
	}
	return response, nil
}

// refuse answers every call with one error and records nothing.
func (w *work) refuse(refusal *CallError) *Response {
	response := &Response{Results: make([]Result, len(w.req.Calls))}
	for i, call := range w.req.Calls {
		response.Results[i] = Result{ID: call.ID, Err: refusal}
	}
	return response
}

// renewCookies sets the cookies again that the browser came with when it was
// active, so that they live as long as the visitor and the lead's session do,
// counted from the last activity (B15, B7). The chat cookie of an
// authenticated user ends with the browser and needs no renewal.
func (w *work) renewCookies() error {
	tokens := distinct(w.req.DeviceTokens)
	if !w.active || w.retired || w.rotated != "" || len(tokens) != 1 {
		return nil
	}
	w.rotated = tokens[0]
	bound, err := w.liveBound()
	if err != nil || bound == nil || bound.auth || w.chatSet != (CookieChange{}) {
		return err
	}
	for _, value := range distinct(w.req.ChatTokens) {
		if digestOf(value) == w.device.chatHash {
			w.chatSet = CookieChange{Set: true, Value: value, MaxAge: w.chat}
		}
	}
	return nil
}

// carryOut does one call, once: whether it was done before is asked before
// anything else is looked at (B26). A refusal is the caller's fault and leaves
// nothing but its number; an error is ours and ends the whole batch.
func (w *work) carryOut(call *Call) (result Result, repeated bool, err error) {
	result.ID = call.ID
	if w.dropped(call) {
		result.Warnings = notRecorded(madeBeforeErasure)
		return result, false, nil
	}
	seen, err := w.recorded(call)
	if err != nil {
		return result, false, err
	}
	if seen && call.Method != MethodInit {
		result.Warnings = w.repeated(call)
		return result, true, nil
	}
	result.Warnings, result.Err, err = w.perform(call)
	switch {
	case err != nil:
		return result, false, err
	case result.Err != nil:
		return result, false, w.markRefused(call)
	}
	return result, false, w.markRecorded(call)
}

// repeated is what a call that was carried out before is answered.
func (w *work) repeated(call *Call) []Warning {
	if call.Method != MethodUpdatePerson {
		return nil
	}
	_, ignored, err := w.account.Schema.ParsePerson(call.Params)
	if err != nil {
		return nil
	}
	return warningsOf(ignored)
}

func (w *work) perform(call *Call) ([]Warning, *CallError, error) {
	if call.Fault != "" {
		return nil, NewCallError(codeOf(call.Method), call.Fault), nil
	}
	switch call.Method {
	case MethodConsent:
		return w.grant(call)
	case MethodInit:
		return w.init(call)
	case MethodPage:
		return w.pageView(call)
	case MethodTrack:
		return w.track(call)
	case MethodChat:
		return w.chatCall(call)
	case MethodUpdatePerson:
		return w.updatePerson(call)
	case MethodAppendToList:
		return w.appendToList(call)
	}
	return nil, NewCallError(CodePersonState, "unknown method"), nil
}

// init needs nothing more than the visitor that resolving made.
func (w *work) init(*Call) ([]Warning, *CallError, error) {
	return append(append([]Warning(nil), w.req.Warnings...), w.warnings...), nil, nil
}

const olderEpoch = "the call was made for an earlier profile of this browser"

// activity carries out a call that is recorded in a timeline, under the
// profile it was made for (B8).
func (w *work) activity(call *Call, ev *event) ([]Warning, *CallError, error) {
	ep, standing := w.epochOf(call)
	if standing == standingStale {
		return nil, NewCallError(CodePersonState, olderEpoch).by(ruleEpochs), nil
	}
	if ep.profile.zero() {
		return notRecorded(madeBeforeErasure), nil, nil
	}
	p, err := w.load(ep.profile)
	if err != nil {
		return nil, nil, err
	}
	if p == nil {
		return nil, NewCallError(CodePersonState, olderEpoch).by(ruleEpochs), nil
	}
	if at, err := w.erasing(p); at != 0 || err != nil {
		return notRecorded(madeBeforeErasure), nil, err
	}
	ev.received, ev.claimed = millis(w.req.ReceivedAt), millis(call.At)
	ev.address = w.pageOf(call).URL
	return nil, nil, w.record(p, w.moment, ev)
}

// timeOf is when a call happened (B13).
func (w *work) timeOf(call *Call) int64 {
	return millis(eventTime(w.req.ReceivedAt, w.req.SentAt, call.At))
}

func (w *work) pageOf(call *Call) Page {
	if call.Page < 0 || call.Page >= len(w.req.Pages) {
		return Page{}
	}
	return w.req.Pages[call.Page]
}

func (w *work) pageView(call *Call) ([]Warning, *CallError, error) {
	ev := &event{definition: schema.EventPageView, page: &pageView{page: w.pageOf(call), agent: w.req.Agent}}
	return w.activity(call, ev)
}

// track records a custom event, which was judged before (B22).
func (w *work) track(call *Call) ([]Warning, *CallError, error) {
	j := &w.judged[w.nth]
	if j.refusal != nil {
		return nil, j.refusal, nil
	}
	return w.activity(call, &event{definition: j.definition, properties: j.properties})
}

// strictly decodes the parameters of a call, refusing members it does not know.
func strictly(params []byte, into any) error {
	if len(params) == 0 {
		params = []byte("{}")
	}
	return json.Unmarshal(params, into, json.RejectUnknownMembers(true))
}

// The states a chat call reports.
const (
	chatStarted       = "started"
	chatAuthenticated = "authenticated"
	chatEnded         = "ended"
)

type chatParams struct {
	State    string `json:"state"`
	WidgetID string `json:"widgetId"`
	Token    string `json:"token"`
}

// maxWidgetID bounds what a page may have kept with a session: ids of widgets
// are UUIDs.
const maxWidgetID = 64

// chatCall carries out a change of the Live Chat session. It is valid if no
// other change came after it was made: a report that arrives behind a logout
// must not undo it (B8).
func (w *work) chatCall(call *Call) ([]Warning, *CallError, error) {
	var params chatParams
	if err := strictly(call.Params, &params); err != nil {
		return nil, NewCallError(CodePersonState, "malformed parameters of a chat call"), nil
	}
	from := w.device.current().from
	if _, standing := w.epochOf(call); standing != standingNow && (w.retired || w.madeBy(from, call) < from) {
		return nil, NewCallError(CodePersonState, olderEpoch).by(ruleEpochs), nil
	}
	refusal, err := w.changeChat(call, params)
	return nil, refusal, err
}

func (w *work) changeChat(call *Call, params chatParams) (*CallError, error) {
	switch {
	case params.State == chatEnded:
		return nil, w.endCall(call)
	case params.State == chatAuthenticated && params.Token == "":
		return NewCallError(CodePersonState, "token is missing"), nil
	case params.State != chatAuthenticated && params.State != chatStarted:
		return NewCallError(CodePersonState, "state must be started, authenticated or ended"), nil
	case params.Token != "":
		return w.authenticateCall(call, params)
	case len(params.WidgetID) > maxWidgetID:
		return NewCallError(CodePersonState, fmt.Sprintf("widgetId is longer than %d bytes", maxWidgetID)), nil
	}
	bound, err := w.liveBound()
	if err != nil || bound != nil {
		return nil, err // started already
	}
	_, err = w.startChat(params.WidgetID, call.ID)
	return nil, err
}

func (w *work) authenticateCall(call *Call, params chatParams) (*CallError, error) {
	claims, invalid, err := w.verify(params.Token)
	switch {
	case err != nil:
		return nil, err
	case invalid != nil:
		return NewCallError(CodePersonState, invalid.Error()).by(ruleTokens), nil
	}
	_, err = w.authenticate(claims, call.ID)
	return nil, err
}

func (w *work) endCall(call *Call) error {
	bound, err := w.liveBound()
	if err != nil || bound == nil {
		return err
	}
	if err := w.end(bound, millis(w.now)); err != nil {
		return err
	}
	return w.depart(call.ID)
}

// present says whether a call that changes properties was made for the person
// of now; anything of an older epoch is refused (B8).
func (w *work) presentProfile(call *Call) (*profile, *CallError, error) {
	if _, standing := w.epochOf(call); standing != standingNow {
		return nil, NewCallError(CodePersonState, olderEpoch).by(ruleEpochs), nil
	}
	p, err := w.profile()
	return p, nil, err
}
