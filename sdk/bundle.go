package sdk

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"sync"
)

//go:embed dist/sdk.js
var plainScript string

// rulesScript is plainScript and what carries out rules, which it takes from
// the constant RULES.
//
//go:embed dist/rules.js
var rulesScript string

// Bundle is the script as a site serves it. It is immutable, and an
// [net/http.Handler] that serves the script on whatever path it is mounted.
type Bundle struct {
	script     []byte
	hash       string
	integrity  string
	compressed func() []byte
}

// Plain returns the script of a site without rules.
var Plain = sync.OnceValue(func() *Bundle { return newBundle(plainScript) })

// WithRules returns the script of a site with rules, as package instrument
// compiles them: JSON, which is data in the script and never run. Other rules
// make another hash, so that browsers fetch the script anew.
func WithRules(rules []byte) *Bundle {
	return newBundle("{const RULES=" + string(rules) + ";" + rulesScript + "}\n")
}

func newBundle(script string) *Bundle {
	b := &Bundle{script: []byte(script), hash: hashOf(script), integrity: integrityOf(script)}
	b.compressed = sync.OnceValue(func() []byte { return compress(b.script) })
	return b
}

// Script returns the script, ASCII only. The caller may change the copy.
func (b *Bundle) Script() []byte { return bytes.Clone(b.script) }

// Hash names the script in its URL: the first 16 hex digits of its SHA-256.
func (b *Bundle) Hash() string { return b.hash }

// Integrity returns the script's value for an integrity attribute, "sha384-"
// and Base64. [Bundle.Tag] leaves the attribute out: while servers of two
// versions answer side by side, a browser would refuse the other's script.
func (b *Bundle) Integrity() string { return b.integrity }

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

func integrityOf(s string) string {
	sum := sha512.Sum384([]byte(s))
	return "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
}

func compress(script []byte) []byte {
	var b bytes.Buffer
	// Neither can fail: the level is valid and a Buffer takes everything.
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(script)
	_ = w.Close()
	return b.Bytes()
}
