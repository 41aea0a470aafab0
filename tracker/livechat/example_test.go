package livechat_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/livechat-people/caddy-people-tracking/tracker/livechat"
)

// What a site's back end does for each page of a signed-in user, and what the
// server makes of it.
func ExampleVerifier_Verify() {
	const widgetID, keyID = "85ea1938-f457-496d-8532-8fa489beea63", "3f2a"
	secret, err := base64.StdEncoding.DecodeString("bm90IGEgc2VjcmV0LCBvbmx5IDMyIGJ5dGVzIGxvbmch")
	if err != nil {
		panic(err)
	}
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": widgetID, "ski": keyID,
		"stp": "email", "sub": "Ann@shop.example", "jti": rand.Text(), "sid": "session-7",
		"iat": now.Unix(), "exp": now.Add(15 * time.Second).Unix(),
	}).SignedString(secret)
	if err != nil {
		panic(err)
	}

	verifier, err := livechat.NewVerifier([]livechat.Widget{
		{ID: widgetID, Secrets: []livechat.Secret{{ID: keyID, Key: secret}}},
	}, livechat.Options{})
	if err != nil {
		panic(err)
	}
	claims, err := verifier.Verify(token, now)
	fmt.Println(claims.SubjectType, claims.Subject, claims.SessionID, err)
	_, err = verifier.Verify(token, now.Add(time.Minute))
	fmt.Println(err)
	// Output:
	// email ann@shop.example session-7 <nil>
	// the token has expired (exp)
}
