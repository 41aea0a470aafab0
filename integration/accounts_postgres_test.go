package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store/postgres"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
	"github.com/livechat-people/caddy-people-tracking/tracker"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// Proxies on one database that come to know the same new accounts at the same
// moment agree on their numbers, and on the first of several definitions that
// contradict each other.
func TestProxiesAgreeOnAccountsAndDefinitions(t *testing.T) {
	dsn := postgrestest.Start(t).Database(t)
	types := []schema.Type{schema.TypeString, schema.TypeNumeric, schema.TypeBoolean, schema.TypeDecimal}
	names := []string{"a", "b", "c"}
	services := make([]*tracker.Service, len(types))
	for i, typ := range types {
		st, err := postgres.Open(t.Context(), dsn, postgres.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, st.Close()) })
		definitions, err := schema.New([]schema.Definition{{ID: "action", Title: "Action", Fields: []schema.Field{{Name: "x", Type: typ}}}}, nil, schema.Options{Strict: true})
		require.NoError(t, err)
		accounts := map[string]tracker.AccountConfig{}
		for _, name := range names {
			accounts[name] = tracker.AccountConfig{Schema: definitions}
		}
		services[i], err = tracker.New(st, tracker.Config{Accounts: accounts})
		require.NoError(t, err)
	}
	numbers := make([][]tracker.Account, len(services))
	var all sync.WaitGroup
	for i, service := range services {
		all.Go(func() {
			for _, name := range names {
				number, err := service.Account(context.Background(), name)
				assert.NoError(t, err)
				numbers[i] = append(numbers[i], number)
			}
		})
	}
	all.Wait()
	for i := range numbers {
		assert.Equal(t, numbers[0], numbers[i])
	}
	assert.Equal(t, []tracker.Account{2, 3, 4}, slices.Sorted(slices.Values(numbers[0])))

	// By name: what is stored, and how many of the services contradict it.
	stored := map[string]int{}
	for _, service := range services {
		err := service.CheckSchemas(t.Context())
		if err == nil {
			continue
		}
		require.ErrorIs(t, err, tracker.ErrSchemaChange)
		for _, name := range names {
			for _, typ := range types {
				reason := fmt.Sprintf("account %s: event \"action\": property \"x\": what is stored is of type %s and", name, typ)
				if strings.Contains(err.Error(), reason) {
					stored[name+" "+string(typ)]++
				}
			}
		}
	}
	assert.Len(t, stored, len(names), "one definition of each account")
	for which, contradicted := range stored {
		assert.Equal(t, len(types)-1, contradicted, which)
	}
}
