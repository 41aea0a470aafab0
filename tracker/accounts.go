package tracker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// DefaultAccountName is the account of what is configured outside any other.
const DefaultAccountName = "default"

// ErrUnknownAccount is returned for an account the service was not given.
var ErrUnknownAccount = errors.New("tracker: unknown account")

// ErrSchemaChange is wrapped by what CheckSchemas returns for definitions that
// contradict what is stored; the wrapping text lists them.
var ErrSchemaChange = errors.New("the definitions contradict what is stored")

// accounts are the accounts of one configuration. Their names are configured,
// their numbers are in the store, and so are the definitions that values were
// stored by: those of earlier configurations, and of other proxies.
type accounts struct {
	configured map[string]AccountConfig
	known      atomic.Pointer[knownAccounts]
	turn       chan struct{} // held by whoever finds them out
}

// knownAccounts are the accounts with their numbers, by whose definitions
// calls are judged.
type knownAccounts struct {
	numbers map[string]Account
	configs map[Account]AccountConfig
}

func newAccounts(configured map[string]AccountConfig) *accounts {
	return &accounts{configured: configured, turn: make(chan struct{}, 1)}
}

// Account is the number of a configured account. The store gave it when the
// name was first used, and it never changes. The error is the store's or
// ErrUnknownAccount.
func (s *Service) Account(ctx context.Context, name string) (Account, error) {
	if _, configured := s.accounts.configured[name]; !configured {
		return 0, fmt.Errorf("%w %q", ErrUnknownAccount, name)
	}
	if name == DefaultAccountName {
		return DefaultAccount, nil
	}
	known, err := s.knownAccounts(ctx)
	if err != nil {
		return 0, err
	}
	return known.numbers[name], nil
}

// configOf is what belongs to an account, as far as it is known by now. It
// asks no store: whoever has another number than the default's has it from
// Account.
func (s *Service) configOf(a Account) (AccountConfig, bool) {
	if known := s.accounts.known.Load(); known != nil {
		config, ok := known.configs[a]
		return config, ok
	}
	config, ok := s.accounts.configured[DefaultAccountName]
	return config, ok && a == DefaultAccount
}

// CheckSchemas compares the definitions of every account with those that
// values were stored by, and changes nothing. A configuration whose
// definitions contradict them should not be taken into use: the error is then
// an ErrSchemaChange with all reasons, else the store's.
func (s *Service) CheckSchemas(ctx context.Context) error {
	var reasons []string
	err := s.store.View(ctx, func(r store.Reader) error {
		reasons = nil
		for _, name := range slices.Sorted(maps.Keys(s.accounts.configured)) {
			number, found, err := accountNumber(r, name)
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			verdict, err := judgeSchema(r, number, s.accounts.configured[name].Schema)
			if err != nil {
				return fmt.Errorf("account %s: %w", name, err)
			}
			for _, contradiction := range verdict.contradictions {
				reasons = append(reasons, accountPrefix(name)+contradiction.reason)
			}
		}
		return nil
	})
	if err != nil || len(reasons) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", ErrSchemaChange, strings.Join(reasons, "; "))
}

// accountPrefix leaves the account out of messages where nobody named one.
func accountPrefix(name string) string {
	if name == DefaultAccountName {
		return ""
	}
	return "account " + name + ": "
}

// knownAccounts finds out numbers and stored definitions, once. An event or
// attribute whose definition contradicts what is stored keeps the earlier one,
// and the log says so: a start never fails for it (B34).
func (s *Service) knownAccounts(ctx context.Context) (*knownAccounts, error) {
	if known := s.accounts.known.Load(); known != nil {
		return known, nil
	}
	select {
	case s.accounts.turn <- struct{}{}:
		defer func() { <-s.accounts.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if known := s.accounts.known.Load(); known != nil {
		return known, nil
	}
	known, err := s.findAccounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("finding out about accounts: %w", err)
	}
	s.accounts.known.Store(known)
	return known, nil
}

func (s *Service) findAccounts(ctx context.Context) (*knownAccounts, error) {
	numbers, err := s.allocate(ctx)
	if err != nil {
		return nil, err
	}
	known := &knownAccounts{numbers: numbers, configs: make(map[Account]AccountConfig, len(numbers))}
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		config, number := s.accounts.configured[name], numbers[name]
		contradictions, err := s.remember(ctx, number, config.Schema)
		if err != nil {
			return nil, err
		}
		earlier := make([]schema.Shape, len(contradictions))
		for i, c := range contradictions {
			earlier[i] = c.earlier
			s.log.LogAttrs(ctx, slog.LevelError, "a definition contradicts what is stored: the earlier one stays in force",
				slog.String("account", name), slog.String("reason", c.reason))
		}
		if config.Schema, err = config.Schema.With(earlier); err != nil {
			return nil, err
		}
		known.configs[number] = config
	}
	return known, nil
}

// allocate gives every account its number. Two proxies that meet a new name at
// once agree, because both read and write the count of numbers.
func (s *Service) allocate(ctx context.Context) (map[string]Account, error) {
	numbers := make(map[string]Account, len(s.accounts.configured))
	names := slices.Sorted(maps.Keys(s.accounts.configured))
	if slices.Equal(names, []string{DefaultAccountName}) {
		numbers[DefaultAccountName] = DefaultAccount
		return numbers, nil
	}
	err := s.store.Update(ctx, func(tx store.Tx) error {
		for _, name := range names {
			number, found, err := accountNumber(tx, name)
			if err == nil && !found {
				number, err = nextNumber(tx, name)
			}
			if err != nil {
				return err
			}
			numbers[name] = number
		}
		return nil
	})
	return numbers, err
}

func accountNumber(r store.Reader, name string) (number Account, found bool, err error) {
	if name == DefaultAccountName {
		return DefaultAccount, true, nil
	}
	value, err := r.Get(accountNameKey(name))
	if err != nil || len(value) == 0 {
		return 0, false, err
	}
	number, err = decodeNumber(value)
	return number, true, err
}

var errTooManyAccounts = errors.New("tracker: all numbers of accounts are given out")

func nextNumber(tx store.Tx, name string) (Account, error) {
	last := DefaultAccount
	value, err := tx.Get(accountCountKey)
	if err == nil && len(value) > 0 {
		last, err = decodeNumber(value)
	}
	switch {
	case err != nil:
		return 0, err
	case last == math.MaxUint16:
		return 0, errTooManyAccounts
	}
	if err := tx.Put(accountCountKey, encodeNumber(last+1)); err != nil {
		return 0, err
	}
	return last + 1, tx.Put(accountNameKey(name), encodeNumber(last+1))
}

func encodeNumber(a Account) []byte {
	e := newEncoder(4)
	e.uint(1, uint64(a))
	return e.b
}

func decodeNumber(value []byte) (a Account, err error) {
	err = decodeValue(value, func(f field) {
		if f.number == 1 && f.value <= math.MaxUint16 {
			a = Account(f.value)
		}
	})
	if err == nil && a == 0 {
		err = fmt.Errorf("number of an account: %w", errMalformed)
	}
	return a, err
}
