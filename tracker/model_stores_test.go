package tracker

import (
	"context"
	"flag"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
	"github.com/livechat-people/caddy-people-tracking/store/postgres"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
)

// go test ./tracker -run 'TestModel$' -model.store=postgres
var modelStore = flag.String("model.store", "memory", "what TestModel keeps its worlds in: memory, rounds, badger or postgres")

// modelStores return an empty store each time, which the caller closes. The
// kinds differ in what a mistake in a transaction's function comes to: in rounds
// and in PostgreSQL each function runs many times over.
var modelStores = map[string]func(*testing.T) func() store.Store{
	"memory": func(*testing.T) func() store.Store { return func() store.Store { return memory.New() } },
	"rounds": func(*testing.T) func() store.Store { return func() store.Store { return memory.NewInRounds() } },
	"badger": func(t *testing.T) func() store.Store {
		return func() store.Store {
			st, err := badger.Open(t.TempDir(), badger.Options{BallastBytes: -1})
			require.NoError(t, err)
			return st
		}
	},
	"postgres": func(t *testing.T) func() store.Store {
		dsn, worlds := postgrestest.Start(t).Database(t), 0
		return func() store.Store {
			worlds++
			st, err := postgres.Open(context.Background(), dsn, postgres.Options{Table: fmt.Sprint("world", worlds)})
			require.NoError(t, err)
			return st
		}
	},
}

// TestModelOnEveryStore is TestModel in small on what the worlds of every day
// are kept in: by default with a part of its operations.
func TestModelOnEveryStore(t *testing.T) {
	for kind, part := range map[string]int{"rounds": 5, "badger": 20, "postgres": 25} {
		t.Run(kind, func(t *testing.T) {
			runModel(t, modelStores[kind](t), *modelOps/part)
		})
	}
}
