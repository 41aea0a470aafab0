package collector

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func TestDecodedSharesNothingWithTheBody(t *testing.T) {
	body := []byte(calls(3))
	req, err := decode(body)
	require.NoError(t, err)
	before, err := json.Marshal(req)
	require.NoError(t, err)
	for i := range body {
		body[i] = 'X' // the buffer is used for the answer and the next request
	}
	after, err := json.Marshal(req)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}

func TestHasOnly(t *testing.T) {
	allowed := []string{"a", "b"}
	for object, want := range map[string]bool{
		`{}`:                                true,
		`{"a":1}`:                           true,
		` { "b" : "c" , "a" : "d" } `:       true,
		`{"a":{"c":1},"b":[{"c":1},"c"]}`:   true,
		`{"a":"x\",\"c\":1"}`:               true,
		`{"a":"\\","b":"}{"}`:               true,
		`{"c":1}`:                           false,
		`{"a":1,"c":1}`:                     false,
		`{"a":{"b":1},"c":[]}`:              false,
		`{"a":["b",{"a":"b"}],"ab":"true"}`: false,
		`{"\u0061":1}`:                      false,
		`{"":1}`:                            false,
	} {
		assert.Equal(t, want, hasOnly([]byte(object), allowed), object)
	}
}

// FuzzDecode: what is accepted keeps every promise that the tracker is given,
// and hasOnly agrees with a real parser.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(oneCall))
	f.Add([]byte(calls(2)))
	f.Add([]byte(`{"sentAt":"2026-11-22T10:00:00Z","calls":[{"id":"a","at":"2026-11-22T10:00:00+14:00","epoch":"+b","method":"chat","params":{"state":"ended"}}]}`))
	f.Add([]byte(`{"calls":[[[[[]]]]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := decode(body)
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		require.True(t, utf8.Valid(body))
		require.True(t, jsontext.Value(body).IsValid(), "no duplicates at any depth")
		assert.LessOrEqual(t, len(req.Pages), maxPages)
		assert.True(t, 1 <= len(req.Calls) && len(req.Calls) <= maxCalls)
		assert.True(t, req.Boot == "" || isHex(req.Boot, 32))
		assert.Positive(t, req.SentAt.UnixNano()+1)
		for i := range req.Calls {
			call := req.Calls[i].call()
			assert.Regexp(t, `^[A-Za-z0-9_-]{1,36}$`, call.ID)
			assert.Regexp(t, `^[A-Za-z0-9_-]{0,32}(\+[A-Za-z0-9_-]{1,36})?$`, call.Epoch)
			assert.True(t, -1 <= call.Page && call.Page < len(req.Pages))
			assert.Positive(t, call.At.UnixNano()+1)
			allowed, known := members[call.Method]
			require.True(t, known)
			var params map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(call.Params, &params))
			for name := range params {
				if allowed != nil {
					assert.Contains(t, allowed, name)
				}
			}
		}
	})
}

// FuzzAnswer: whatever bytes come, the answer is one of the two shapes, and no
// secret of the request is in it.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(oneCall), "application/json", "https://shop.example", "same-origin", "d")
	f.Add([]byte(calls(2)), "text/plain;charset=UTF-8", "https://shop.example", "", "a; __Secure-people=b")
	f.Add([]byte("\xff{"), "text/plain", "null", "cross-site", "\"")
	const secret = "S3CR3T-c00kie-and-t0ken"
	h, _ := newHandler(f, func(c *Config) {
		c.Limits = Limits{Address: Limit{PerSecond: 1e9, Burst: 1e9}, Device: Limit{PerSecond: 1e9, Burst: 1e9}}
		c.SessionCookies = []string{"lc"}
	})
	f.Fuzz(func(t *testing.T, body []byte, mediaType, origin, metadata, cookie string) {
		// A secret in every place of the body where a string may stand.
		text := strings.NewReplacer(trackingKey, trackingKey, "Button clicked", secret, "Shoes", secret, "k3v9x2ab", "k3v9x2ab").Replace(string(body))
		r := post(text)
		r.Header.Set("Content-Type", mediaType)
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", metadata)
		r.Header.Set("Cookie", "lc="+secret+"; __Secure-people_chat="+secret+"; __Secure-people="+cookie)
		w := serve(h, r)
		a := parse(t, w)
		if w.Code == http.StatusOK {
			require.NotNil(t, a.Epoch)
			require.NotEmpty(t, a.Results)
			for _, result := range a.Results {
				assert.NotEmpty(t, result.ID)
				assert.True(t, result.Success)
				assert.Nil(t, result.Error)
			}
			assert.Nil(t, a.Success)
		} else {
			require.Contains(t, []int{400, 401, 403, 413, 415}, w.Code)
			require.NotNil(t, a.Error)
			assert.Equal(t, 2020, a.Error.Code)
			assert.Empty(t, w.Header().Values("Set-Cookie"))
		}
		assert.NotContains(t, w.Body.String(), secret)
		assert.NotContains(t, w.Body.String(), trackingKey)
	})
}

// TestAnswerQuotesWhateverItIsGiven: a tracker's cause may name a property as
// the page wrote it.
func TestAnswerQuotesWhateverItIsGiven(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		raw := make([]byte, random.IntN(40))
		for i := range raw {
			raw[i] = byte(random.IntN(256))
		}
		res := &tracker.Response{Epoch: string(raw), Results: []tracker.Result{
			{ID: "a", Err: tracker.NewCallError(tracker.CodeTrack, string(raw))},
			{ID: "b", Warnings: []tracker.Warning{{Code: string(raw), Message: string(raw)}}},
		}}
		body := appendResponse(nil, res)
		require.True(t, jsontext.Value(body).IsValid(), "%q", body)
		var a answer
		require.NoError(t, json.Unmarshal(body, &a))
		want := strings.ToValidUTF8(string(raw), "\ufffd")
		if utf8.Valid(raw) {
			require.Equal(t, want, *a.Epoch)
			require.Equal(t, "Error when calling track(). Cause: "+want, a.Results[0].Error.Message)
			require.Equal(t, want, a.Results[1].Data.Warnings[0].Message)
		}
	}
}

// Handlers are used by many requests at once; run with -race.
func TestConcurrentRequests(t *testing.T) {
	h, fake := newHandler(t, func(c *Config) {
		c.Observe = func(Observation) {}
		c.SessionCookies = []string{"lc"}
		c.Origins = []string{"https://blog.example"}
	})
	const workers, each = 8, 40
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for i := range each {
				id := fmt.Sprintf("w%d-%d", worker, i)
				r := post(strings.Replace(oneCall, "k3v9x2ab-1", id, 1))
				r.RemoteAddr = fmt.Sprintf("203.0.%d.1:9", worker)
				r.Header.Set("Cookie", "__Secure-people="+id+"; lc=x")
				r.Header.Set("User-Agent", "Browser/"+id)
				w := serve(h, r)
				if assert.Equal(t, 200, w.Code) {
					assert.Contains(t, w.Body.String(), `{"id":"`+id+`","success":true,"data":null}`, "buffers are not mixed up")
				}
				bad := post(oneCall[:100+i])
				io.Discard.Write(serve(h, bad).Body.Bytes())
			}
		})
	}
	group.Wait()
	assert.Len(t, fake.requests, workers*each)
}
