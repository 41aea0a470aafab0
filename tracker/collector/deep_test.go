package collector

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store/memory"
	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// nested is an object n deep, in which no name is given twice.
func nested(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }

// between puts a call of a method in the middle of three.
func between(method, params string) string {
	const call = `{"id":"tab-%d","at":"2026-11-22T09:59:59Z","method":%q,"params":%s}`
	return fmt.Sprintf(`{"apiKey":%q,"sentAt":"2026-11-22T10:00:00Z","boot":"0123456789abcdef0123456789abcdef","pages":[],"calls":[`+call+","+call+","+call+"]}",
		trackingKey, 1, "page", "{}", 2, method, params, 3, "page", "{}")
}

// B22: a call nested too deeply is refused alone, with the code of its method;
// those that share its batch are carried out.
func TestB22CallsNestedTooDeeply(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	definitions, err := schema.New(nil, nil, schema.Options{})
	require.NoError(t, err)
	service, err := tracker.New(st, tracker.Config{
		Accounts: map[string]tracker.AccountConfig{tracker.DefaultAccountName: {Schema: definitions}},
		Now:      func() time.Time { return testTime },
	})
	require.NoError(t, err)
	h, _ := newHandler(t, func(c *Config) { c.Tracker = service })
	for name, tt := range map[string]struct {
		method, params string
		code           int
	}{
		"track":                {"track", `{"eventId":"action","properties":` + nested(29) + "}", 2016},
		"track very deep":      {"track", `{"eventId":"action","properties":` + nested(9000) + "}", 2016},
		"track, only brackets": {"track", `{"eventId":"action","properties":{"x":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + "}}", 2016},
		"brackets in strings":  {"track", `{"eventId":"]}\"]}","properties":` + nested(29) + "}", 2016},
		"updatePerson":         {"updatePerson", nested(30), 2017},
		"appendToList":         {"appendToList", `{"attributeName":"x","value":` + nested(29) + "}", 2019},
		"chat":                 {"chat", `{"state":"started","token":` + nested(29) + "}", 2020},
		"init":                 {"init", `{"x":` + nested(29) + "}", 2020},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(h, post(between(tt.method, tt.params)))
			require.Equal(t, 200, w.Code, w.Body.String())
			results := parse(t, w).Results
			require.Len(t, results, 3)
			assert.True(t, results[0].Success)
			assert.True(t, results[2].Success)
			require.NotNil(t, results[1].Error)
			assert.Equal(t, tt.code, results[1].Error.Code)
			assert.Contains(t, results[1].Error.Message, "the arguments are nested too deeply")
		})
	}
	shallow := parse(t, serve(h, post(between("updatePerson", nested(29))))).Results
	require.NotNil(t, shallow[1].Error)
	assert.NotContains(t, shallow[1].Error.Message, "deep", "the deepest that is looked at")
}

func TestNothingElseMayBeDeep(t *testing.T) {
	deep := nested(40)
	for name, body := range map[string]string{
		"a member of a call":     strings.Replace(between("page", "{}"), `"tab-2"`, deep, 1),
		"a page":                 strings.Replace(between("page", "{}"), `"pages":[]`, `"pages":[{"url":`+deep+"}]", 1),
		"a call":                 strings.Replace(between("page", "{}"), `"calls":[`, `"calls":[`+deep+",", 1),
		"params of no call":      strings.Replace(between("page", "{}"), `"pages":[]`, `"pages":[{"params":`+deep+"}]", 1),
		"params that never end":  between("track", strings.Repeat("[", 40)),
		"calls under other name": strings.Replace(between("track", deep), `"calls"`, `"calls2"`, 1),
		"calls given twice":      strings.Replace(between("track", deep), `"pages":[]`, `"calls":[]`, 1),
		"params given twice":     strings.Replace(between("track", deep), `"method":"track"`, `"method":"track","params":{}`, 1),
		"escaped":                strings.Replace(between("track", deep), `"method":"track","params"`, `"method":"track","p\u0061rams"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode([]byte(body))
			assert.Error(t, err)
		})
	}
}

// FuzzCutDeep: whatever the params of one call are, the calls around it are
// the same, and no more than that call is cut.
func FuzzCutDeep(f *testing.F) {
	for _, n := range []int{1, 28, 29, 30, 31, 9000} {
		f.Add(nested(n))
	}
	f.Add(`{"a":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{"b":"]}"}]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}`)
	f.Add(`{"a":"\\","b":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["\"]]"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}`)
	f.Add(`{"a":` + strings.Repeat("[", 40) + `},"params":{`)
	f.Fuzz(func(t *testing.T, params string) {
		body := []byte(between("updatePerson", params))
		req, err := decode(body)
		if err != nil {
			if valid := json.Valid([]byte(params)) && strings.HasPrefix(params, "{"); valid && tooDeep([]byte(params), maxDepth-callDepth) {
				t.Fatalf("a deep call spoils its batch: %v", err)
			}
			return
		}
		for i := range req.Calls {
			call := req.Calls[i].call()
			assert.LessOrEqual(t, len(call.Params), len(body))
			assert.False(t, tooDeep(call.Params, maxDepth-callDepth))
			if req.Calls[i].deep {
				assert.NotEmpty(t, call.Fault)
				assert.JSONEq(t, "{}", string(call.Params))
			}
		}
		if json.Valid([]byte(params)) {
			require.Len(t, req.Calls, 3)
			assert.Equal(t, tooDeep([]byte(params), maxDepth-callDepth), req.Calls[1].deep)
			for _, i := range []int{0, 2} {
				assert.False(t, req.Calls[i].deep)
				assert.Equal(t, fmt.Sprint("tab-", i+1), req.Calls[i].ID)
			}
		}
	})
}
