package collector

import (
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// What may become of a request as a whole.
const (
	ResultOK          = "ok"         // carried out; each call has its own result
	ResultNoConsent   = "no_consent" // likewise, and nothing was recorded (B30)
	ResultOptedOut    = "opted_out"  // likewise, because of Sec-GPC or DNT (B31)
	ResultPreflight   = "preflight"
	ResultMethod      = "method"         // 405
	ResultMediaType   = "media_type"     // 415
	ResultTooLarge    = "too_large"      // 413
	ResultOrigin      = "foreign_origin" // 403
	ResultRateLimited = "rate_limited"   // 429
	ResultOverloaded  = "overloaded"     // 503, by the total
	ResultMalformed   = "malformed"      // 400
	ResultUnknownKey  = "unknown_key"    // 401
	ResultKeyScope    = "key_scope"      // 403
	ResultUnavailable = "unavailable"    // 503
	ResultFailed      = "failed"         // 500
)

// Observation is the outcome of a request or of one of its calls. All its
// values are from fixed sets and so fit for labels of a metric.
type Observation struct {
	// Method is the call's (tracker.MethodInit and so on), "" for the request
	// as a whole.
	Method string
	// Result is one of the Result constants for a request, for a call "ok",
	// "not_recorded" or the code of its error in decimal.
	Result string
}

// refusalRules are the rules by which requests are refused as a whole.
var refusalRules = map[string]string{
	ResultMethod: "B37", ResultMediaType: "B37", ResultTooLarge: "B37", ResultOrigin: "B37", ResultMalformed: "B37",
	ResultRateLimited: "B38", ResultOverloaded: "B38",
	ResultUnknownKey: "B28", ResultKeyScope: "B28",
	ResultUnavailable: "B34", ResultFailed: "",
}

// Results are all that may become of a request.
func Results() []string {
	return append(slices.Sorted(maps.Keys(refusalRules)), ResultOK, ResultNoConsent, ResultOptedOut, ResultPreflight)
}

// RefusedBy says whether a request with this result was refused as a whole, and
// by which rule: "" for a fault of ours, which is by none.
func (o Observation) RefusedBy() (rule string, refused bool) {
	if o.Method == "" {
		rule, refused = refusalRules[o.Result]
	}
	return rule, refused
}

func (h *Handler) observeRequest(result string) {
	if h.observe != nil {
		h.observe(Observation{Result: result})
	}
}

// kept is what became of a request that was carried out.
func (h *Handler) kept(r *http.Request, req *tracker.Request, res *tracker.Response) string {
	switch {
	case req.Consent == tracker.ConsentAssumed || !unkept(res):
		return ResultOK
	case h.optedOut(r):
		return ResultOptedOut
	}
	return ResultNoConsent
}

func (h *Handler) observeCalls(req *tracker.Request, res *tracker.Response) {
	if h.observe == nil {
		return
	}
	for i, call := range req.Calls {
		result := ResultOK
		if err := res.Results[i].Err; err != nil {
			result = strconv.Itoa(err.Code)
		} else if notRecorded(&res.Results[i]) {
			result = tracker.NotRecorded
		}
		h.observe(Observation{Method: call.Method, Result: result})
	}
}
