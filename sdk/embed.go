// Package sdk holds the browser side of people tracking: the script with the
// global class PeopleTrackingSDK, the tag that loads it and the handler that
// serves it.
//
// The script is bundled from the TypeScript in src. The bundle is committed, so
// building needs no further tool; after changing src run go generate.
package sdk

import (
	"crypto/sha256"
	"crypto/sha512"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
)

//go:generate go run ./generate

//go:embed dist/sdk.js
var script string

var (
	hash      = hashOf(script)
	integrity = integrityOf(script)
)

// Script returns the bundle, ASCII only. The caller may change the copy.
func Script() []byte { return []byte(script) }

// Hash names the bundle in its URL: the first 16 hex digits of its SHA-256.
func Hash() string { return hash }

// Integrity returns the bundle's value for an integrity attribute,
// "sha384-" and Base64. [Tag] leaves the attribute out: while servers of two
// versions answer side by side, a browser would refuse the other's script.
func Integrity() string { return integrity }

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

func integrityOf(s string) string {
	sum := sha512.Sum384([]byte(s))
	return "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
}
