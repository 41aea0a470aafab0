package console

import (
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"
)

// maxBodyBytes bounds what is sent: a device cookie, a token of a few hundred
// bytes and a sid, or the reason of a decision.
const maxBodyBytes = 16 << 10

func readBody(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBodyBytes))
	if err != nil {
		return nil, errTooLarge
	}
	return raw, nil
}

// decodeJSON reads one value strictly: no member that it does not know, in this
// case of letters, since a program that misspells one would otherwise take it
// for heard, none twice, and UTF-8 only. shape says what the body has to be.
func decodeJSON(r *http.Request, raw []byte, into any, shape string) error {
	if !isOfType(r, "application/json") {
		return errMediaType
	}
	if json.Unmarshal(raw, into, json.RejectUnknownMembers(true)) != nil { // it quotes the body
		return badBody("the body must be " + shape + ", each member once and nothing behind it")
	}
	return nil
}

func readForm(r *http.Request) (url.Values, error) {
	if !isOfType(r, "application/x-www-form-urlencoded") {
		return nil, &problem{http.StatusUnsupportedMediaType, "media_type", "this address takes the form of the console's pages; programs use api/merges"}
	}
	raw, err := readBody(r)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, badBody("the form is malformed")
	}
	return form, nil
}

// isOfType holds the Content-Type against a media type, whatever its parameters.
func isOfType(r *http.Request, media string) bool {
	given, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && given == media
}

func badBody(message string) *problem {
	return &problem{http.StatusBadRequest, "bad_body", message}
}

// badMember refuses a member of the body, by its name.
func badMember(name, rule string) *problem { return badBody(name + ": " + rule) }
