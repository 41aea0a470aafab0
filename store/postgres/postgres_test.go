package postgres

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/postgres/postgrestest"
	"github.com/livechat-people/caddy-people-tracking/store/storetest"
)

// TestPostgres holds every test that needs a server, so that one is started.
func TestPostgres(t *testing.T) {
	dsn := postgrestest.Start(t).Database(t)
	tables := 0
	table := func() string {
		tables++
		return fmt.Sprintf("kv_%d", tables)
	}
	for name, test := range map[string]func(*testing.T, string){
		"fail/conflicts":           testConflicts,
		"fail/made and deleted":    testMadeAndDeleted,
		"ok/blind writes":          testBlindWrites,
		"ok/tidy":                  testTidy,
		"ok/tidy under writes":     testTidyUnderWrites,
		"fail/old batch":           testOldBatch,
		"ok/upgrade":               testUpgrade,
		"fail/unknown commit":      testUnknownCommit,
		"fail/translated":          testTranslated,
		"fail/unreachable":         testUnreachable,
		"fail/timeout":             testTimeout,
		"ok/views leave one":       testViewsLeaveAConnection,
		"fail/errors tell no data": testErrorsTellNoData,
		"ok/plans":                 testPlans,
		"ok/durable":               testDurable,
		"ok/open together":         testOpenTogether,
		"ok/stats":                 testStats,
	} {
		t.Run(name, func(t *testing.T) { test(t, dsn) })
	}
	t.Run("conformance", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return open(t, dsn, Options{Table: table()}) })
	})
	t.Run("conformance, two processes", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			name := table()
			return &two{stores: [2]store.Store{open(t, dsn, Options{Table: name}), open(t, dsn, Options{Table: name})}}
		})
	})
}

func open(t *testing.T, dsn string, opts Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), dsn, opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}
