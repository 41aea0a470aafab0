package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// unavailableFor is how long the SDK is asked to wait after 503; it has its
// own back-off for the times after.
const unavailableFor = 5 * time.Second

// ServeHTTP answers one batch of calls.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	site := h.site(r)
	from := h.judgeOrigin(r, site)
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	h.allowOrigin(header, r, from)
	if isPreflight(r, from) {
		answerPreflight(w)
		h.observeRequest(ResultPreflight)
		return
	}

	scratch := buffers.Get().(*[]byte)
	defer buffers.Put(scratch)
	req, refused := h.accept(r, site, from, scratch)
	var res *tracker.Response
	if refused == nil {
		res, refused = h.carryOut(r.Context(), req)
	}
	if refused != nil {
		if refused.status == http.StatusMethodNotAllowed {
			header.Set("Allow", h.allow)
		}
		writeRefusal(w, refused)
		h.observeRequest(refused.result)
		h.log.LogAttrs(r.Context(), slog.LevelDebug, "request refused", slog.Int("status", refused.status), slog.String("result", refused.result))
		return
	}
	setCookies(header, site, res)
	*scratch = appendResponse((*scratch)[:0], res) // the body in it is decoded
	writeJSON(w, http.StatusOK, *scratch)
	h.observeRequest(h.kept(r, req, res))
	h.observeCalls(req, res)
}

// buffers hold a body and afterwards the answer. Most bodies have 500 bytes to
// 2 KB; a buffer that grew holds at most maxBody+1 bytes or an answer.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 4096)
	return &b
}}

// accept takes a request in, from the cheapest check to the dearest, or says
// why not. Nothing has reached the tracker yet.
func (h *Handler) accept(r *http.Request, site Site, from caller, scratch *[]byte) (*tracker.Request, *refusal) {
	if refused := checkEnvelope(r); refused != nil {
		return nil, refused
	}
	if from == foreign {
		return nil, refuse(http.StatusForbidden, ResultOrigin, "the calling page's origin is not allowed")
	}
	now := h.now()
	// No cookie is read above this line, and below it none but what consent
	// allows (B30).
	consent, carried := h.consentOf(r), cookies{}
	if consent == tracker.ConsentAssumed {
		carried = h.readCookies(r, site)
	}
	who := subject{address: addressPrefix(h.clientIP(r))}
	who.setDevice(carried.device)
	if wait := h.limits.take(who, 1, now); wait > 0 {
		return nil, tooMany(wait)
	}
	if wait := h.limits.takeTotal(1, now); wait > 0 {
		return nil, overloaded(wait)
	}
	body, refused := readBody(r, scratch)
	if refused != nil {
		return nil, refused
	}
	wire, err := decode(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, ResultMalformed, err.Error())
	}
	warnings, refused := h.checkKey(wire.APIKey, from)
	if refused != nil {
		return nil, refused
	}
	if consent != tracker.ConsentAssumed {
		carried = h.cookiesUnder(consent, r, site, wire)
	}
	// The first call was counted before the body was read.
	if wait := h.limits.take(who, len(wire.Calls)-1, now); wait > 0 {
		return nil, tooMany(wait)
	}
	if wait := h.limits.takeTotal(len(wire.Calls)-1, now); wait > 0 {
		return nil, overloaded(wait)
	}
	req := h.request(r, wire, carried, warnings, now)
	req.Consent, req.OptedOut = consent, h.optedOut(r)
	return req, nil
}

// checkEnvelope judges what the request line and its headers say about the body.
func checkEnvelope(r *http.Request) *refusal {
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, ResultMethod, "the method is not POST")
	}
	if !isMediaType(r.Header.Get("Content-Type")) {
		return refuse(http.StatusUnsupportedMediaType, ResultMediaType, "the media type is neither application/json nor text/plain in UTF-8")
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return refuse(http.StatusUnsupportedMediaType, ResultMediaType, "a content coding is not supported")
	}
	if r.ContentLength > maxBody {
		return tooLarge()
	}
	return nil
}

func tooLarge() *refusal {
	return refuse(http.StatusRequestEntityTooLarge, ResultTooLarge, fmt.Sprintf("the body is over %d bytes", maxBody))
}

func tooMany(wait time.Duration) *refusal {
	return refuse(http.StatusTooManyRequests, ResultRateLimited, "too many calls").after(wait)
}

// overloaded asks the browser to come later. It did nothing wrong, so that is
// not 429.
func overloaded(wait time.Duration) *refusal {
	return refuse(http.StatusServiceUnavailable, ResultOverloaded, "the server takes no more calls at present").after(wait)
}

// isMediaType accepts JSON, and text/plain, which is what sendBeacon sends for
// a string.
func isMediaType(value string) bool {
	switch value {
	case "application/json", "text/plain;charset=UTF-8":
		return true
	}
	mediaType, params, err := mime.ParseMediaType(value)
	if err != nil || mediaType != "application/json" && mediaType != "text/plain" {
		return false
	}
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}

// readBody reads at most maxBody bytes into scratch, whatever Content-Length
// said.
func readBody(r *http.Request, scratch *[]byte) ([]byte, *refusal) {
	b := (*scratch)[:0]
	defer func() { *scratch = b }()
	for {
		if len(b) == cap(b) {
			grown := make([]byte, len(b), min(2*cap(b), maxBody+1))
			copy(grown, b)
			b = grown
		}
		n, err := r.Body.Read(b[len(b):min(cap(b), maxBody+1)])
		b = b[:len(b)+n]
		switch {
		case len(b) > maxBody:
			return nil, tooLarge()
		case err == io.EOF:
			return b, nil
		case err != nil:
			return nil, brokenBody(err)
		}
	}
}

// brokenBody says what an error of reading means. A body that breaks off is
// answered with 503, which keeps the calls where they are, should the browser
// still be there to read it.
func brokenBody(err error) *refusal {
	var limit *http.MaxBytesError // a tighter limit of the operator's
	if errors.As(err, &limit) {
		return tooLarge()
	}
	return refuse(http.StatusServiceUnavailable, ResultUnavailable, "the body broke off").after(unavailableFor)
}

// AutoKey is the key of pages while none that may track is configured (B28).
const AutoKey = "auto"

// checkKey applies B28.
func (h *Handler) checkKey(value string, from caller) ([]tracker.Warning, *refusal) {
	if h.keys.Len() == 0 {
		switch {
		case value != AutoKey:
			return nil, refuse(http.StatusUnauthorized, ResultUnknownKey, "unknown API key")
		case from != sameOrigin:
			return nil, refuse(http.StatusForbidden, ResultKeyScope, "the key auto is good for the site's own origin only, configure an API key")
		}
		return nil, nil
	}
	key, ok := h.keys.Find(value)
	if !ok {
		return nil, refuse(http.StatusUnauthorized, ResultUnknownKey, "unknown API key")
	}
	if !key.Has(tracker.ScopeTracking) {
		return nil, refuse(http.StatusForbidden, ResultKeyScope, "the API key lacks the scope "+tracker.ScopeTracking)
	}
	if !key.Only(tracker.ScopeTracking) {
		return keyScopes, nil
	}
	return nil, nil
}

// keyScopes is shared by requests and never changed.
var keyScopes = []tracker.Warning{{
	Code:    "key_scopes",
	Message: "the API key has further scopes; whoever reads the page's source holds them too, use one with only " + tracker.ScopeTracking,
}}

// request puts together what the tracker gets.
func (h *Handler) request(r *http.Request, wire *wireRequest, carried cookies, warnings []tracker.Warning, now time.Time) *tracker.Request {
	req := &tracker.Request{
		ID:              h.newID(),
		ReceivedAt:      now,
		SentAt:          wire.SentAt.UTC(),
		DeviceTokens:    carried.device,
		ChatTokens:      carried.chat,
		SiteCookies:     carried.site,
		SiteCookieNames: h.sessionCookies,
		Boot:            wire.Boot,
		Agent:           h.agents.of(r.UserAgent()),
		Pages:           make([]tracker.Page, len(wire.Pages)),
		Calls:           make([]tracker.Call, len(wire.Calls)),
		Warnings:        warnings,
	}
	for i, page := range wire.Pages {
		req.Pages[i] = h.redact.page(page)
	}
	for i := range wire.Calls {
		req.Calls[i] = wire.Calls[i].call()
	}
	return req
}

// carryOut hands the calls to the tracker. What went wrong there is logged and
// not shown.
func (h *Handler) carryOut(ctx context.Context, req *tracker.Request) (*tracker.Response, *refusal) {
	res, err := h.batch(ctx, req)
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() != nil: // the browser has gone
		return nil, refuse(http.StatusServiceUnavailable, ResultUnavailable, "the request was given up").after(unavailableFor)
	case tracker.Unavailable(err):
		level := slog.LevelDebug // a busy site would fill the log with it
		h.warnings.Do(func() { level = slog.LevelWarn })
		h.log.LogAttrs(ctx, level, "store unavailable, calls not taken", slog.String("request", req.ID), slog.Any("error", err))
		return nil, refuse(http.StatusServiceUnavailable, ResultUnavailable, "the store is unavailable").after(unavailableFor)
	}
	h.log.LogAttrs(ctx, slog.LevelError, "batch failed", slog.String("request", req.ID), slog.Any("error", err))
	return nil, refuse(http.StatusInternalServerError, ResultFailed, "internal error")
}

func (h *Handler) batch(ctx context.Context, req *tracker.Request) (res *tracker.Response, err error) {
	if req.Account, err = h.account(ctx); err != nil {
		return nil, err
	}
	if res, err = h.tracker.Batch(ctx, req); err != nil {
		return nil, err
	}
	return res, checkResults(req, res)
}

// checkResults holds the tracker to a result per call in their order, on which
// the SDK relies to settle its promises.
func checkResults(req *tracker.Request, res *tracker.Response) error {
	if len(res.Results) != len(req.Calls) {
		return fmt.Errorf("%d results for %d calls", len(res.Results), len(req.Calls))
	}
	for i := range res.Results {
		if res.Results[i].ID != req.Calls[i].ID {
			return fmt.Errorf("result %d is for another call", i)
		}
	}
	return nil
}
