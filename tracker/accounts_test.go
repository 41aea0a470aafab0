package tracker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// serviceOf is a service on st with the events of each account.
func serviceOf(t *testing.T, st store.Store, accounts map[string][]schema.Definition, change ...func(*Config)) *Service {
	t.Helper()
	cfg := Config{Accounts: map[string]AccountConfig{}, Now: func() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }}
	for name, defs := range accounts {
		sch, err := schema.New(defs, nil, schema.Options{Strict: true})
		require.NoError(t, err)
		cfg.Accounts[name] = AccountConfig{Schema: sch}
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := New(st, cfg)
	require.NoError(t, err)
	return s
}

func memoryStore(t *testing.T) store.Store {
	t.Helper()
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	return st
}

// An account keeps its number whatever is configured beside it.
func TestAccountNumbersAreStable(t *testing.T) {
	st, ctx := memoryStore(t), t.Context()
	numbers := func(names ...string) (got []Account) {
		accounts := map[string][]schema.Definition{}
		for _, name := range names {
			accounts[name] = nil
		}
		s := serviceOf(t, st, accounts)
		for _, name := range names {
			number, err := s.Account(ctx, name)
			require.NoError(t, err)
			got = append(got, number)
		}
		return got
	}
	assert.Equal(t, []Account{1, 2}, numbers("default", "shop"))
	assert.Equal(t, []Account{3, 2}, numbers("blog", "shop"), "one more, before it in the alphabet, and default left out")
	assert.Equal(t, []Account{1}, numbers("default"), "both taken out")
	assert.Equal(t, []Account{4, 3, 2, 1}, numbers("a", "blog", "shop", "default"))

	s := serviceOf(t, st, map[string][]schema.Definition{"default": nil, "shop": nil})
	_, err := s.Account(ctx, "blog")
	require.ErrorIs(t, err, ErrUnknownAccount, "in the store and not configured")
	_, err = s.Batch(ctx, &Request{Account: 3})
	require.ErrorIs(t, err, ErrUnknownAccount)
}

// Proxies that meet new names at once give each a number of its own, and all
// the same one.
func TestAccountNumbersOfManyProxies(t *testing.T) {
	st := memoryStore(t)
	names := []string{"a", "b", "c", "d"}
	accounts := map[string][]schema.Definition{}
	for _, name := range names {
		accounts[name] = nil
	}
	const proxies = 8
	var all sync.WaitGroup
	got := make([][]Account, proxies)
	for i := range got {
		s := serviceOf(t, st, accounts)
		got[i] = make([]Account, len(names))
		for j, name := range names {
			all.Go(func() {
				number, err := s.Account(context.Background(), name)
				assert.NoError(t, err)
				got[i][j] = number
			})
		}
	}
	all.Wait()
	for i := range got {
		assert.Equal(t, got[0], got[i])
	}
	given := slices.Sorted(slices.Values(got[0]))
	assert.Equal(t, []Account{2, 3, 4, 5}, given)
}

func TestAccountsOfAStoreThatIsAway(t *testing.T) {
	st := memory.New()
	s := serviceOf(t, st, map[string][]schema.Definition{"default": nil, "shop": nil})
	require.NoError(t, st.Close())
	_, err := s.Account(t.Context(), "shop")
	require.ErrorIs(t, err, store.ErrClosed)
	assert.True(t, Unavailable(err))
	number, err := s.Account(t.Context(), "default")
	require.NoError(t, err, "the default account asks no store")
	assert.Equal(t, DefaultAccount, number)
	_, err = s.Batch(t.Context(), &Request{Account: DefaultAccount})
	assert.True(t, Unavailable(err))

	ctx, cancel := context.WithCancel(t.Context())
	s.accounts.turn <- struct{}{} // somebody else is asking a slow store
	cancel()
	_, err = s.Account(ctx, "shop")
	assert.ErrorIs(t, err, context.Canceled)
}

func TestAccountNumbersRunOut(t *testing.T) {
	st := memoryStore(t)
	require.NoError(t, st.Update(t.Context(), func(tx store.Tx) error { return tx.Put(accountCountKey, encodeNumber(65534)) }))
	s := serviceOf(t, st, map[string][]schema.Definition{"a": nil})
	number, err := s.Account(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, Account(65535), number)
	_, err = serviceOf(t, st, map[string][]schema.Definition{"a": nil, "b": nil}).Account(t.Context(), "b")
	assert.ErrorIs(t, err, errTooManyAccounts)
}

func oneEvent(id string, fields ...schema.Field) []schema.Definition {
	return []schema.Definition{{ID: id, Title: id, Fields: fields}}
}

// What was stored by a definition decides what may follow it, in this process
// and in the next.
func TestSchemaChanges(t *testing.T) {
	label := schema.Field{Name: "label", Type: schema.TypeString}
	total := schema.Field{Name: "total", Type: schema.TypeDecimal}
	number := schema.Field{Name: "label", Type: schema.TypeNumeric}
	for name, tt := range map[string]struct {
		before, then []schema.Definition
		reasons      []string
	}{
		"ok/the same":             {before: oneEvent("action", label), then: oneEvent("action", label)},
		"ok/another property":     {before: oneEvent("action", label), then: oneEvent("action", total, label)},
		"ok/another event":        {before: oneEvent("action", label), then: append(oneEvent("action", label), oneEvent("other", number)...)},
		"ok/left out":             {before: oneEvent("action", label), then: nil},
		"ok/a property left out":  {before: oneEvent("action", label, total), then: oneEvent("action", total)},
		"fail/another type":       {before: oneEvent("action", label), then: oneEvent("action", number), reasons: []string{`event "action": property "label": what is stored is of type string and cannot become numeric`}},
		"fail/two at once":        {before: append(oneEvent("a", label), oneEvent("b", label)...), then: append(oneEvent("a", number), oneEvent("b", number)...), reasons: []string{`event "a"`, `event "b"`}},
		"fail/name in other case": {before: oneEvent("action", label), then: oneEvent("action", schema.Field{Name: "laBel", Type: schema.TypeString}), reasons: []string{`property "laBel" was called "label" before`}},
	} {
		t.Run(name, func(t *testing.T) {
			st, ctx := memoryStore(t), t.Context()
			first := serviceOf(t, st, map[string][]schema.Definition{"default": tt.before})
			_, err := first.knownAccounts(ctx)
			require.NoError(t, err)
			next := serviceOf(t, st, map[string][]schema.Definition{"default": tt.then})
			err = next.CheckSchemas(ctx)
			if tt.reasons == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrSchemaChange)
			for _, reason := range tt.reasons {
				require.ErrorContains(t, err, reason)
			}
			assert.NoError(t, first.CheckSchemas(ctx), "going back is always possible")
		})
	}
}

func TestSchemaIsRememberedWhenLeftOut(t *testing.T) {
	st, ctx := memoryStore(t), t.Context()
	text := oneEvent("action", schema.Field{Name: "label", Type: schema.TypeString})
	for _, defs := range [][]schema.Definition{text, nil, oneEvent("action", schema.Field{Name: "total", Type: schema.TypeDecimal})} {
		s := serviceOf(t, st, map[string][]schema.Definition{"default": defs})
		require.NoError(t, s.CheckSchemas(ctx))
		_, err := s.knownAccounts(ctx)
		require.NoError(t, err)
	}
	number := oneEvent("action", schema.Field{Name: "label", Type: schema.TypeNumeric})
	require.ErrorIs(t, serviceOf(t, st, map[string][]schema.Definition{"default": number}).CheckSchemas(ctx), ErrSchemaChange)
	other := serviceOf(t, st, map[string][]schema.Definition{"default": nil, "other": number})
	require.NoError(t, other.CheckSchemas(ctx), "another account has definitions of its own")
	_, err := other.knownAccounts(ctx)
	require.NoError(t, err)
	err = serviceOf(t, st, map[string][]schema.Definition{"other": text}).CheckSchemas(ctx)
	assert.ErrorContains(t, err, `account other: event "action"`)
}

// B34: a start goes on with the definitions that contradict nothing.
func TestB34StartWithASchemaThatContradicts(t *testing.T) {
	st, ctx := memoryStore(t), t.Context()
	label := schema.Field{Name: "label", Type: schema.TypeString}
	first := serviceOf(t, st, map[string][]schema.Definition{"default": oneEvent("action", label)})
	_, err := first.knownAccounts(ctx)
	require.NoError(t, err)

	var logged bytes.Buffer
	defs := append(oneEvent("action", schema.Field{Name: "label", Type: schema.TypeNumeric}), oneEvent("fresh", label)...)
	s := serviceOf(t, st, map[string][]schema.Definition{"default": defs}, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	call := func(n int, event, value string) *CallError {
		req := &Request{
			Account: DefaultAccount, Boot: fmt.Sprintf("%032x", 7), ReceivedAt: s.now(), SentAt: s.now(),
			Calls: []Call{{ID: fmt.Sprint("t-", n), At: s.now(), Method: MethodTrack, Params: fmt.Appendf(nil, `{"eventId":%q,"properties":{"label":%s}}`, event, value)}},
		}
		res, err := s.Batch(ctx, req)
		require.NoError(t, err)
		return res.Results[0].Err
	}
	assert.Nil(t, call(1, "action", `"a text"`), "by the earlier definition")
	refused := call(2, "action", "5")
	require.NotNil(t, refused)
	assert.Contains(t, refused.Message, "must be a string")
	assert.Nil(t, call(3, "fresh", `"x"`))
	assert.Contains(t, logged.String(), "level=ERROR")
	assert.Contains(t, logged.String(), "what is stored is of type string and cannot become numeric")
}

// Two proxies that bring contradicting definitions at once: one of them wins,
// the other keeps to it.
func TestSchemaChangesOfManyProxies(t *testing.T) {
	st := memoryStore(t)
	types := []schema.Type{schema.TypeString, schema.TypeNumeric, schema.TypeBoolean, schema.TypeDecimal}
	var all sync.WaitGroup
	taken := make([]schema.Type, len(types))
	for i, typ := range types {
		s := serviceOf(t, st, map[string][]schema.Definition{"default": oneEvent("action", schema.Field{Name: "x", Type: typ}, schema.Field{Name: "own" + string(typ), Type: typ})})
		all.Go(func() {
			known, err := s.knownAccounts(context.Background())
			if assert.NoError(t, err) {
				taken[i] = known.configs[DefaultAccount].Schema.Shapes()[0].Fields[0].Type
			}
		})
	}
	all.Wait()
	for _, typ := range taken {
		assert.Equal(t, taken[0], typ)
	}
}

func TestCheckSchemasOfAStoreThatIsAway(t *testing.T) {
	st := memory.New()
	s := serviceOf(t, st, map[string][]schema.Definition{"default": nil})
	require.NoError(t, st.Close())
	err := s.CheckSchemas(t.Context())
	assert.True(t, Unavailable(err) && !errors.Is(err, ErrSchemaChange))
}
