package collector

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// consentBody is a page view, behind a consent call where there is a decision.
func consentBody(decision string) string {
	body := strings.Replace(oneCall, `"track","params":{"eventId":"action","properties":{"name":"Button clicked"}}`, `"page","params":{}`, 1)
	if decision == "" {
		return body
	}
	return strings.Replace(body, `"calls":[`, `"calls":[{"id":"k3v9x2ab-0","at":"2026-11-22T09:59:59.000Z","method":"consent","params":{"granted":`+decision+`}},`, 1)
}

// What of a request's cookies reaches the tracker, and what it is told about
// consent (B30, B31).
func TestB30CookiesAreReadAsConsentAllows(t *testing.T) {
	const ours = "__Secure-people=d1; __Secure-people_chat=c1; "
	const sites = "shop_chat=s1; "
	nothing, own, all := "", "d1 c1", "d1 c1 s1"
	required, withCookie := Consent{Required: true}, Consent{Required: true, Cookie: "cmp", Value: "all"}
	implied := Consent{Cookie: "cmp", Value: "all"}
	for name, c := range map[string]struct {
		consent  Consent
		gpc, dnt bool
		cookies  string
		header   string
		decision string
		want     tracker.Consent
		read     string
	}{
		"nothing is asked":                       {cookies: ours + sites, want: tracker.ConsentAssumed, read: all},
		"required/nothing is known":              {consent: required, cookies: sites, want: tracker.ConsentUnknown, read: nothing},
		"required/our chat cookie alone":         {consent: required, cookies: "__Secure-people_chat=c1; " + sites, want: tracker.ConsentUnknown, read: nothing},
		"required/our cookie":                    {consent: required, cookies: ours + sites, want: tracker.ConsentUnknown, read: all},
		"required/granted here":                  {consent: required, cookies: sites, decision: "true", want: tracker.ConsentUnknown, read: " s1"},
		"required/withdrawn here":                {consent: required, cookies: ours + sites, decision: "false", want: tracker.ConsentUnknown, read: all},
		"required/another's cookie":              {consent: required, cookies: "cmp=all; " + sites, want: tracker.ConsentUnknown, read: nothing},
		"cookie/given":                           {consent: withCookie, cookies: ours + sites + "cmp=all", want: tracker.ConsentAssumed, read: all},
		"cookie/given once of two":               {consent: withCookie, cookies: sites + "cmp=none; cmp=all", want: tracker.ConsentAssumed, read: " s1"},
		"cookie/absent":                          {consent: withCookie, cookies: sites, want: tracker.ConsentUnknown, read: nothing},
		"cookie/refused":                         {consent: withCookie, cookies: ours + sites + "cmp=none", want: tracker.ConsentRefused, read: nothing},
		"cookie/refused, whatever the page says": {consent: withCookie, cookies: ours + sites + "cmp=none", decision: "true", want: tracker.ConsentRefused, read: own},
		"cookie/withdrawn":                       {consent: withCookie, cookies: ours + sites + "cmp=none", decision: "false", want: tracker.ConsentRefused, read: own},
		"implied/absent":                         {consent: implied, cookies: ours + sites, want: tracker.ConsentAssumed, read: all},
		"implied/refused":                        {consent: implied, cookies: ours + sites + "cmp=none", want: tracker.ConsentRefused, read: nothing},
		"gpc/sent":                               {gpc: true, cookies: ours + sites, header: "Sec-GPC: 1", want: tracker.ConsentRefused, read: nothing},
		"gpc/sent, whatever the page says":       {gpc: true, consent: withCookie, cookies: ours + "cmp=all", header: "Sec-GPC: 1", decision: "true", want: tracker.ConsentRefused, read: own},
		"gpc/not asked to":                       {dnt: true, cookies: ours + sites, header: "Sec-GPC: 1", want: tracker.ConsentAssumed, read: all},
		"gpc/off":                                {gpc: true, cookies: ours + sites, header: "Sec-GPC: 0", want: tracker.ConsentAssumed, read: all},
		"dnt/sent":                               {dnt: true, cookies: ours + sites, header: "DNT: 1", want: tracker.ConsentRefused, read: nothing},
		"dnt/not asked to":                       {gpc: true, cookies: ours + sites, header: "DNT: 1", want: tracker.ConsentAssumed, read: all},
		"dnt/no opinion":                         {dnt: true, cookies: ours + sites, header: "DNT: null", want: tracker.ConsentAssumed, read: all},
	} {
		t.Run(name, func(t *testing.T) {
			h, fake := newHandler(t, func(cfg *Config) {
				cfg.Consent, cfg.RespectGPC, cfg.RespectDNT, cfg.SessionCookies = c.consent, c.gpc, c.dnt, []string{"shop_chat"}
			})
			r := post(consentBody(c.decision))
			r.Header.Set("Cookie", c.cookies)
			if header, value, given := strings.Cut(c.header, ": "); given {
				r.Header.Set(header, value)
			}
			require.Equal(t, 200, serve(h, r).Code)
			require.Len(t, fake.requests, 1)
			req := fake.requests[0]
			assert.Equal(t, c.want, req.Consent)
			read := strings.Join(append(req.DeviceTokens, req.ChatTokens...), " ")
			for _, cookie := range req.SiteCookies {
				read += " " + cookie.Value
			}
			assert.Equal(t, c.read, read)
		})
	}
}

func TestB31OptedOutRequestsAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		consent Consent
		header  string
		kept    bool
		want    []Observation
	}{
		"opted out":         {Consent{}, "1", false, []Observation{{"", ResultOptedOut}, {"page", "not_recorded"}}},
		"without consent":   {Consent{Required: true}, "", false, []Observation{{"", ResultNoConsent}, {"page", "not_recorded"}}},
		"consented before":  {Consent{Required: true}, "", true, []Observation{{"", ResultOK}, {"page", ResultOK}}},
		"a spider, as ever": {Consent{}, "", false, []Observation{{"", ResultOK}, {"page", "not_recorded"}}},
		"nothing of a kind": {Consent{}, "", true, []Observation{{"", ResultOK}, {"page", ResultOK}}},
	} {
		t.Run(name, func(t *testing.T) {
			var seen []Observation
			h, fake := newHandler(t, func(cfg *Config) {
				cfg.Consent, cfg.RespectGPC, cfg.Observe = c.consent, true, func(o Observation) { seen = append(seen, o) }
			})
			fake.answer = func(req *tracker.Request) (*tracker.Response, error) {
				res := succeed(req)
				if !c.kept {
					res.Results[0].Warnings = []tracker.Warning{{Code: tracker.NotRecorded, Message: "why"}}
				}
				return res, nil
			}
			r := post(consentBody(""))
			r.Header.Set("Sec-GPC", c.header)
			serve(h, r)
			assert.Equal(t, c.want, seen)
			require.Len(t, fake.requests, 1)
			assert.Equal(t, c.header == "1", fake.requests[0].OptedOut)
		})
	}
}

func TestB30ConsentCookieIsJudged(t *testing.T) {
	for name, consent := range map[string]Consent{
		"no value": {Cookie: "cmp"}, "no name": {Value: "all"}, "no cookie's name": {Cookie: "a b", Value: "all"}, "no cookie's value": {Cookie: "cmp", Value: "a;b"},
		"our own": {Cookie: "__Secure-people", Value: "x"},
	} {
		_, err := New(Config{Tracker: &fakeTracker{}, Site: func(*http.Request) Site { return Site{} }, Consent: consent})
		assert.ErrorContains(t, err, "consent cookie", name)
	}
}
