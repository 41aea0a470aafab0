package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// visitor is a browser with the SDK's habits: cookies in a jar, boot until it
// was answered, the newest epoch on every call.
type visitor struct {
	*world
	client *http.Client
	name   string
	epoch  string // of the newest answer this page has had
	known  bool   // an answer came at some time: the SDK sends no boot any more
	n      int
}

func (w *world) visitor(name string) *visitor {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	// A reload closes idle connections, and unlike a browser's fetch Go's client
	// does not repeat a POST that met one.
	transport := &http.Transport{DisableKeepAlives: true}
	return &visitor{world: w, client: &http.Client{Jar: jar, Transport: transport, Timeout: 10 * time.Second}, name: name}
}

type call struct {
	ID     string `json:"id"`
	At     string `json:"at"`
	Epoch  string `json:"epoch,omitempty"`
	Page   int    `json:"page"`
	Method string `json:"method"`
	Params any    `json:"params"`
}

type result struct {
	ID      string
	Success bool
	Data    json.RawMessage
	Error   *struct {
		Code                            int
		Name, Message, Origin, Platform string
	}
}

const stampLayout = "2006-01-02T15:04:05.000Z"

func (v *visitor) call(method string, params any) call {
	v.n++
	return call{ID: fmt.Sprintf("%s-%d", v.name, v.n), At: now().Format(stampLayout), Epoch: v.epoch, Method: method, Params: params}
}

type m = map[string]any

func (v *visitor) body(calls ...call) []byte {
	v.t.Helper()
	batch := m{
		"apiKey": trackingKey, "sentAt": now().Format(stampLayout),
		"pages": []m{{"url": v.site + "/" + v.name, "title": v.name, "referrer": "", "language": "en-GB", "websiteLanguage": "en"}},
		"calls": calls,
	}
	if !v.known {
		batch["boot"] = fmt.Sprintf("%032x", []byte((v.name + "................")[:16]))
	}
	raw, err := json.Marshal(batch)
	require.NoError(v.t, err)
	return raw
}

// batch is a request to the collector as a page of the site makes it.
func (w *world) batch(body []byte) *http.Request {
	req, err := http.NewRequest(http.MethodPost, w.site+"/_people/v1/batch", bytes.NewReader(body))
	if err != nil {
		panic(err) // the address is ours
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", w.site)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36")
	return req
}

// post sends a body to the collector.
func (w *world) post(client *http.Client, body []byte, change ...func(*http.Request)) (int, []byte) {
	w.t.Helper()
	req := w.batch(body)
	for _, c := range change {
		c(req)
	}
	res, err := client.Do(req)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, res.Body.Close()) }()
	answer, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res.StatusCode, answer
}

// send posts calls and takes in the answer; every request comes a moment later.
func (v *visitor) send(calls ...call) []result {
	v.t.Helper()
	body := v.body(calls...)
	pass(time.Millisecond)
	status, answer := v.post(v.client, body)
	require.Equal(v.t, http.StatusOK, status, string(answer))
	var response struct {
		Epoch   string
		Results []result
	}
	require.NoError(v.t, json.Unmarshal(answer, &response))
	require.Len(v.t, response.Results, len(calls))
	v.epoch, v.known = response.Epoch, true
	return response.Results
}

func (v *visitor) must(method string, params any) {
	v.t.Helper()
	r := v.send(v.call(method, params))[0]
	require.True(v.t, r.Success, "%s: %+v", method, r.Error)
}

func (v *visitor) open() {
	v.t.Helper()
	for _, r := range v.send(v.call("init", m{}), v.call("page", m{})) {
		require.True(v.t, r.Success, "%+v", r.Error)
	}
}

func (v *visitor) track(label string) {
	v.t.Helper()
	v.must("track", m{"eventId": "action", "properties": m{"label": label}})
}

func (v *visitor) startChat() { v.t.Helper(); v.must("chat", m{"state": "started"}) }

func (v *visitor) authenticate(token string) {
	v.t.Helper()
	v.must("chat", m{"state": "authenticated", "widgetId": widgetID, "token": token})
}

// visit opens a further page: its calls carry no epoch before its first answer.
func (v *visitor) visit() {
	v.t.Helper()
	v.epoch = ""
	v.open()
}

func token(t testing.TB, subject, sid string) string {
	t.Helper()
	secret, err := base64.StdEncoding.DecodeString(secret64)
	require.NoError(t, err)
	claims := jwt.MapClaims{
		"iss": widgetID, "jti": fmt.Sprint(now().UnixNano()), "sub": subject, "stp": "email", "ski": "demo",
		"iat": now().Unix(), "exp": now().Add(time.Minute).Unix(),
	}
	if sid != "" {
		claims["sid"] = sid
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	require.NoError(t, err)
	return signed
}
