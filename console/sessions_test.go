package console

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func withBody(kind, body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Content-Type", kind)
		r.Body = io.NopCloser(strings.NewReader(body))
	}
}

func TestB9ReportChat(t *testing.T) {
	const path = "/livechat/1/widgets/widget-1/sessions"
	for name, c := range map[string]struct {
		path, kind, body string
		caller           func(*http.Request)
		status           int
		says             string
	}{
		"ok/device alone":         {path, "application/json", `{"device":"d1"}`, asManager, 201, `{"sid":"sid-1"}`},
		"ok/everything":           {path, "application/json; charset=utf-8", `{"device":"d1","token":"t","sid":"s"}`, asManager, 201, `{"sid":"sid-1"}`},
		"fail/reader's key":       {path, "application/json", `{"device":"d1"}`, asReader, 403, "missing_scope"},
		"fail/operator, no proof": {path, "application/json", `{"device":"d1"}`, asOperator, 403, "cross_site"},
		"fail/unknown widget":     {"/livechat/1/widgets/other/sessions", "application/json", `{"device":"d1"}`, asManager, 404, "no such widget"},
		"fail/unknown device":     {path, "application/json", `{"device":"d2"}`, asManager, 404, "device cookie"},
		"fail/no device":          {path, "application/json", `{}`, asManager, 400, "device: "},
		"fail/long sid":           {path, "application/json", `{"device":"d1","sid":"` + strings.Repeat("x", 51) + `"}`, asManager, 400, "sid: at most 50"},
		"fail/wrong token":        {path, "application/json", `{"device":"d1","token":"wrong"}`, asManager, 400, "token: "},
		"fail/unknown member":     {path, "application/json", `{"device":"d1","who":"x"}`, asManager, 400, "bad_body"},
		"fail/two bodies":         {path, "application/json", `{"device":"d1"}{}`, asManager, 400, "bad_body"},
		"fail/a bracket behind":   {path, "application/json", `{"device":"d1"}]`, asManager, 400, "nothing behind it"},
		"fail/number":             {path, "application/json", `{"device":1}`, asManager, 400, "bad_body"},
		"fail/form":               {path, "application/x-www-form-urlencoded", `device=d1`, asManager, 415, "media_type"},
		"fail/too large":          {path, "application/json", `{"device":"` + strings.Repeat("x", maxBodyBytes) + `"}`, asManager, 413, "too_large"},
		"fail/query":              {path + "?device=d1", "application/json", `{"device":"d1"}`, asManager, 400, "bad_parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			people := small()
			w := ask(newConsole(t, people), http.MethodPost, c.path, c.caller, withBody(c.kind, c.body))
			assert.Equal(t, c.status, w.Code, w.Body.String())
			assert.Contains(t, w.Body.String(), c.says)
			if c.status == 201 {
				assert.Len(t, people.reported, 1)
				assert.Equal(t, account, people.account)
			} else {
				assert.Empty(t, people.reported)
			}
		})
	}
	people := small()
	ask(newConsole(t, people), http.MethodPost, path, asManager, withBody("application/json", `{"device":"d1","token":"t","sid":"s"}`))
	assert.Equal(t, []tracker.ChatReport{{Device: "d1", Token: "t", SID: "s"}}, people.reported)
}
