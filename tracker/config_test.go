package tracker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

func TestB28Keys(t *testing.T) {
	keys, err := NewKeys(
		Key{Value: "browser", Scopes: []string{ScopeTracking}},
		Key{Value: "all", Scopes: []string{ScopeTracking, ScopeRead, ScopeManage}},
		Key{Value: "none"},
	)
	require.NoError(t, err)
	assert.Equal(t, 3, keys.Len())
	for name, tt := range map[string]struct {
		value           string
		found, has, one bool
	}{
		"ok/single scope":       {"browser", true, true, true},
		"ok/further scopes":     {"all", true, true, false},
		"ok/no scope":           {"none", true, false, false},
		"fail/unknown":          {"other", false, false, false},
		"fail/part of a key":    {"browse", false, false, false},
		"fail/more than a key":  {"browser ", false, false, false},
		"fail/another spelling": {"Browser", false, false, false},
		"fail/empty":            {"", false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			key, found := keys.Find(tt.value)
			assert.Equal(t, tt.found, found)
			assert.Equal(t, tt.has, key.Has(ScopeTracking))
			assert.Equal(t, tt.one, key.Only(ScopeTracking))
			if found {
				assert.Equal(t, tt.value, key.Value)
			}
		})
	}
	manage, _ := keys.Find("all")
	assert.True(t, manage.Has(ScopeManage) && manage.Has(ScopeRead))
	browser, _ := keys.Find("browser")
	assert.False(t, browser.Has(ScopeManage) || browser.Only(ScopeManage))
}

func TestNoKeys(t *testing.T) {
	var none *Keys
	assert.Zero(t, none.Len())
	_, found := none.Find("any")
	assert.False(t, found)
	empty, err := NewKeys()
	require.NoError(t, err)
	assert.Zero(t, empty.Len())
	_, found = empty.Find("")
	assert.False(t, found)
}

func TestNewKeysRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		keys []Key
		want string
	}{
		"fail/empty value":   {[]Key{{Value: "a"}, {}}, "empty"},
		"fail/unknown scope": {[]Key{{Value: "s3cret-value", Scopes: []string{"web:tracking"}}}, `unknown scope "web:tracking"`},
		"fail/given twice":   {[]Key{{Value: "s3cret-value"}, {Value: "s3cret-value", Scopes: []string{ScopeRead}}}, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := NewKeys(tt.keys...)
			require.ErrorContains(t, err, tt.want)
			assert.Nil(t, keys)
			assert.NotContains(t, err.Error(), "s3cret-value", "a key is in no message")
		})
	}
}

func TestNewRefuses(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	defs, err := schema.New(nil, nil, schema.Options{})
	require.NoError(t, err)
	accounts := map[string]AccountConfig{DefaultAccountName: {Schema: defs}}
	for name, tt := range map[string]struct {
		st   store.Store
		cfg  Config
		want string
	}{
		"fail/no store":                     {nil, Config{Accounts: accounts}, "no store"},
		"fail/no schema":                    {st, Config{Accounts: map[string]AccountConfig{"shop": {}}}, `account "shop"`},
		"fail/negative session timeout":     {st, Config{SessionTimeout: -time.Minute}, "-1m0s"},
		"fail/session timeout in the ms":    {st, Config{SessionTimeout: 30 * time.Millisecond}, "30ms"},
		"fail/visitor lifetime":             {st, Config{VisitorTTL: time.Second - 1}, "under a second"},
		"fail/lifetime of a lead's chat":    {st, Config{ChatSessionTTL: -1}, "under a second"},
		"fail/lifetime of a user's session": {st, Config{AuthSessionTTL: time.Microsecond}, "under a second"},
	} {
		t.Run(name, func(t *testing.T) {
			service, err := New(tt.st, tt.cfg)
			require.ErrorContains(t, err, tt.want)
			assert.Nil(t, service)
		})
	}
}

func TestNewDefaults(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	service, err := New(st, Config{})
	require.NoError(t, err)
	assert.Equal(t, []any{int64(1_800_000), 45 * 24 * time.Hour, 45 * 24 * time.Hour, 24 * time.Hour},
		[]any{service.timeout, service.visitor, service.chat, service.auth}, "the lifetimes of the rules")
	_, err = service.Batch(t.Context(), &Request{Account: 3})
	require.ErrorIs(t, err, ErrUnknownAccount)
	service, err = New(st, Config{SessionTimeout: time.Second, VisitorTTL: time.Hour})
	require.NoError(t, err)
	assert.Equal(t, []any{int64(1000), time.Hour}, []any{service.timeout, service.visitor})
}
