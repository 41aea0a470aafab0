package tracker

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
)

// id names a profile, device, chat, session, event, merge or list item.
type id [16]byte

func (i id) zero() bool     { return i == id{} }
func (i id) String() string { return hex.EncodeToString(i[:]) }

// parseID reads what String wrote; ok is false for anything else.
func parseID(s string) (i id, ok bool) {
	if len(s) != 2*len(i) {
		return id{}, false
	}
	n, err := hex.Decode(i[:], []byte(s))
	return i, err == nil && n == len(i) && hex.EncodeToString(i[:]) == s
}

// digest is the SHA-256 under which a token, cookie or boot is kept: the store
// never holds the value itself.
type digest [sha256.Size]byte

func digestOf(value string) digest { return sha256.Sum256([]byte(value)) }

// idSource makes the ids and tokens of one request from a seed drawn before
// the transaction, so that a transaction which runs again makes the same ones.
type idSource struct {
	seed [32]byte
	n    uint64
}

func newIDSource(random io.Reader) (*idSource, error) {
	s := &idSource{}
	if _, err := io.ReadFull(random, s.seed[:]); err != nil {
		return nil, fmt.Errorf("drawing randomness for ids: %w", err)
	}
	return s, nil
}

// restart makes the source give its ids from the first again.
func (s *idSource) restart() { s.n = 0 }

func (s *idSource) next() [32]byte {
	var block [40]byte
	copy(block[:], s.seed[:])
	binary.BigEndian.PutUint64(block[32:], s.n)
	s.n++
	return sha256.Sum256(block[:])
}

// id is a random 128-bit id.
func (s *idSource) id() (i id) {
	b := s.next()
	copy(i[:], b[:])
	return i
}

// token is a cookie value: 128 random bits in hex.
func (s *idSource) token() string {
	b := s.next()
	return hex.EncodeToString(b[:16])
}

// epoch is an opaque word for a pairing of device and profile.
func (s *idSource) epoch() string {
	b := s.next()
	return base64.RawURLEncoding.EncodeToString(b[:9])
}
