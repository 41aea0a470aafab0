package tracker

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// Scopes of API keys. A browser needs ScopeTracking and nothing else.
const (
	ScopeTracking = "web:tracking:sdk" // the SDK's calls
	ScopeRead     = "people:read"      // read persons and events
	ScopeManage   = "people:manage"    // everything ScopeRead may, and change
)

// Account is the number under which an account's people, keys, definitions,
// cookies and indexes are stored; nothing of one account is honoured in
// another.
type Account uint16

// DefaultAccount owns what is configured outside any account.
const DefaultAccount Account = 1

// Key is an API key with its scopes.
type Key struct {
	Value  string
	Scopes []string
}

// Has says whether the key carries scope.
func (k Key) Has(scope string) bool { return slices.Contains(k.Scopes, scope) }

// Only says whether scope is the key's single scope.
func (k Key) Only(scope string) bool { return len(k.Scopes) == 1 && k.Scopes[0] == scope }

// Keys finds API keys. Lookups go through a hash, so that their time says
// nothing about how much of a guess was right.
type Keys struct {
	byHash map[[sha256.Size]byte]Key
}

// NewKeys returns the set of keys; an empty value or one given twice is an error.
func NewKeys(keys ...Key) (*Keys, error) {
	set := &Keys{byHash: make(map[[sha256.Size]byte]Key, len(keys))}
	for _, key := range keys {
		if key.Value == "" {
			return nil, errors.New("api key: empty")
		}
		for _, scope := range key.Scopes {
			if scope != ScopeTracking && scope != ScopeRead && scope != ScopeManage {
				return nil, fmt.Errorf("api key: unknown scope %q, allowed are %s, %s and %s", scope, ScopeTracking, ScopeRead, ScopeManage)
			}
		}
		hash := sha256.Sum256([]byte(key.Value))
		if _, twice := set.byHash[hash]; twice {
			return nil, errors.New("api key: the same key is given twice")
		}
		set.byHash[hash] = key
	}
	return set, nil
}

// Len is the number of keys; a nil set has none.
func (s *Keys) Len() int {
	if s == nil {
		return 0
	}
	return len(s.byHash)
}

// Find returns the key with this value; a nil set has none.
func (s *Keys) Find(value string) (Key, bool) {
	if s == nil {
		return Key{}, false
	}
	key, ok := s.byHash[sha256.Sum256([]byte(value))]
	return key, ok
}
