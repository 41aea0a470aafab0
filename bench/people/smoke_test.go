//go:build linux

package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// TestSmoke runs everything once, in small. It expects no figure but how many
// sessions end, and that none ends before its time.
func TestSmoke(t *testing.T) {
	o := options{parts: "ends,size", dir: t.TempDir(), sessions: 40, within: 100 * time.Millisecond, timeout: 3 * time.Second, rate: 20, people: 20, rounds: 12}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), o, &out))
	assert.Contains(t, out.String(), "Session ended on disk: 40, ")
	assert.Contains(t, out.String(), "early: 0")
	for _, operation := range operations {
		assert.Contains(t, out.String(), operation.name)
	}
}

func TestSmokeAfterADowntime(t *testing.T) {
	o := options{parts: "ends", dir: t.TempDir(), sessions: 40, within: 10 * time.Millisecond, timeout: time.Second, down: true}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), o, &out))
	assert.Contains(t, out.String(), "Session ended on disk: 40, ")
}

func TestUnknownPart(t *testing.T) {
	assert.ErrorContains(t, run(t.Context(), options{parts: "end", dir: t.TempDir()}, new(bytes.Buffer)), "there are ends and size")
}

// A transaction that runs twice, or is not committed, ends nothing twice.
func TestEndingsAreCountedOnce(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	watched := &endings{Store: st}
	ended, started := make([]byte, 45), make([]byte, 45)
	ended[0], started[0] = eventTable, eventTable
	started[eventSeqAt+1] = 1
	put := func(fail error, keys ...[]byte) error {
		return watched.Update(context.Background(), func(tx store.Tx) error {
			for _, key := range keys {
				if err := tx.Put(key, []byte{1}); err != nil {
					return err
				}
			}
			return fail
		})
	}
	require.NoError(t, put(nil, started))
	require.ErrorIs(t, put(store.ErrInvalid, ended), store.ErrInvalid)
	assert.Zero(t, watched.count())
	require.NoError(t, put(nil, ended, started))
	assert.Equal(t, 1, watched.count())
}
