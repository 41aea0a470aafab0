package memory_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
	"github.com/livechat-people/caddy-people-tracking/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memory.New() })
}

func TestConformanceInRounds(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memory.NewInRounds() })
}

func TestInRoundsRunsAFunctionForEachRead(t *testing.T) {
	runs := 0
	require.NoError(t, memory.NewInRounds().Update(context.Background(), func(tx store.Tx) error {
		runs++
		for i := range 3 {
			if _, err := tx.Get([]byte{'a' + byte(i)}); err != nil {
				return err
			}
		}
		return nil
	}))
	assert.Equal(t, 4, runs)
}
