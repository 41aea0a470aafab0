package tracker

import (
	"context"
	"fmt"
	"slices"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Consent is what a request says about the visitor's consent (B30).
type Consent byte

const (
	// ConsentAssumed records: none is asked for, or the site's own cookie says
	// that it was given.
	ConsentAssumed Consent = iota
	// ConsentUnknown records what stands behind a consent call of the request,
	// and what a device sends that consented by one before.
	ConsentUnknown
	// ConsentRefused records nothing, whatever the calls say.
	ConsentRefused
)

// withoutConsent says that nothing of the request can be about a visitor who
// consented: the store need not be asked.
func (req *Request) withoutConsent() bool {
	return req.Consent != ConsentAssumed && decisions(req) < 0 && (req.Consent == ConsentRefused || len(req.DeviceTokens) == 0)
}

// consentCall reads a consent call; ok is false when it is malformed.
func consentCall(call *Call) (granted, ok bool) {
	var params struct {
		Granted *bool `json:"granted"`
	}
	if err := strictly(call.Params, &params); err != nil || params.Granted == nil {
		return false, false
	}
	return *params.Granted, true
}

// decisions is where a request has to be cut so that a consent call comes
// first, 0 when it does and no other follows, -1 when there is none.
func decisions(req *Request) int {
	consents := func(call Call) bool { return call.Method == MethodConsent }
	if i := slices.IndexFunc(req.Calls[min(1, len(req.Calls)):], consents); i >= 0 {
		return 1 + i
	}
	return slices.IndexFunc(req.Calls, consents)
}

// decide carries out a request that begins with a consent call.
func (s *Service) decide(ctx context.Context, req *Request, account AccountConfig) (*Response, error) {
	granted, ok := consentCall(&req.Calls[0])
	if ok && !granted {
		return s.withdraw(ctx, req, account)
	}
	return s.carryOut(ctx, req, account, granted && req.Consent != ConsentRefused)
}

// consented says whether the calls of this request may be recorded.
func (w *work) consented() (bool, error) {
	tokens := distinct(w.req.DeviceTokens)
	switch {
	case w.granted || w.req.Consent == ConsentAssumed:
		return true, nil
	case w.req.Consent == ConsentRefused || len(tokens) != 1:
		return false, nil
	}
	d, _, err := w.deviceAt(hashKey(tableToken, w.req.Account, digestOf(tokens[0])))
	return d != nil && d.consent != 0, err
}

// grant keeps with the device that its visitor consented.
func (w *work) grant(call *Call) ([]Warning, *CallError, error) {
	if _, ok := consentCall(call); !ok {
		return nil, NewCallError(CodePersonState, "granted must be true or false"), nil
	}
	if !w.retired {
		w.device.consent = max(w.device.consent, w.madeBy(w.device.consent, call))
		w.device.dirty = true
	}
	return nil, nil, nil
}

// withdraw ends what the visitor consented to: the browser loses our cookies,
// its device and a visitor are deleted. A lead or authenticated person is left
// by this browser and stays, for what is known of it came from the chat. What
// stands behind the call is not recorded.
func (s *Service) withdraw(ctx context.Context, req *Request, account AccountConfig) (*Response, error) {
	ids, err := newIDSource(s.random)
	if err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(tx store.Tx) error {
		ids.restart()
		w := newWork(s, tx, req, account, ids)
		if err := w.withdraw(&req.Calls[0]); err != nil {
			return err
		}
		return w.flush()
	})
	if err != nil {
		return nil, fmt.Errorf("withdrawing consent: %w", err)
	}
	response := unrecorded(req, notConsented)
	response.Results[0].Warnings = nil
	response.Device, response.Chat = CookieChange{Delete: true}, CookieChange{Delete: true}
	return response, nil
}

func (w *work) withdraw(call *Call) error {
	d, err := w.withdrawing()
	if err != nil || d == nil {
		return err
	}
	decided := max(d.consent, d.notBefore)
	at := w.madeBy(decided, call)
	if at < decided { // otherwise since
		return nil
	}
	w.device = d
	p, err := w.load(d.current().profile)
	if err != nil {
		return err
	}
	if p != nil && p.kind == kindVisitor && p.mergedInto.zero() {
		if err := w.hide(p, at); err != nil {
			return err
		}
	}
	if bound, err := w.liveBound(); err != nil {
		return err
	} else if bound != nil && bound.ended == 0 {
		if err := w.abandon(bound); err != nil {
			return err
		}
	}
	d.gone, d.dirty = at, true
	return w.tx.Put(jobKey(jobDevice, d.account, d.id), job{at: at, recorded: true}.encode())
}

// withdrawing is the device whose browser sent this request, found as for any
// other call: by its cookie, or else by what it was made known by, where the
// answer was lost. What was retired and is not under way any more is not that
// browser's word.
func (w *work) withdrawing() (*device, error) {
	tokens := distinct(w.req.DeviceTokens)
	var keys [][]byte
	if len(tokens) == 1 {
		keys = append(keys, hashKey(tableToken, w.req.Account, digestOf(tokens[0])))
	}
	if boot, ok := w.bootOf(tokens); ok {
		keys = append(keys, hashKey(tableBoot, w.req.Account, boot))
	}
	for _, key := range keys {
		d, since, err := w.deviceAt(key)
		if err != nil {
			return nil, err
		}
		if d != nil {
			if w.pastUse(d, since) && !d.proved(w.req) {
				d = nil
			}
			return d, nil
		}
	}
	return nil, nil
}

// abandon takes the device's own cookie out of a session that goes on.
func (w *work) abandon(c *chat) error {
	d := w.device
	if d.chatHash == (digest{}) {
		return nil
	}
	c.cookies = slices.DeleteFunc(c.cookies, func(k chatCookie) bool { return k.hash == d.chatHash })
	c.dirty = true
	return w.bury(c, d.chatHash)
}
