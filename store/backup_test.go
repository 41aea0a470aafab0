package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

var ctx = context.Background()

// filled is a store with entries of all sizes.
func filled(t testing.TB, n int) store.Store {
	s := memory.New()
	random := rand.New(rand.NewPCG(5, 6))
	for i := range n {
		require.NoError(t, s.Update(ctx, func(tx store.Tx) error {
			key := fmt.Appendf(nil, "%05d", i)
			size := 1 + i%300
			switch i % 100 {
			case 7:
				size = store.MaxValueBytes
				key = append(key, bytes.Repeat([]byte("k"), store.MaxKeyBytes-len(key))...)
			case 8:
				size = 1
			}
			value := make([]byte, size)
			for j := range value {
				value[j] = byte(random.Uint32()) | 1
			}
			return tx.Put(key, value)
		}))
	}
	return s
}

func everything(t testing.TB, s store.Store) []store.Entry {
	var all []store.Entry
	require.NoError(t, s.View(ctx, func(r store.Reader) error {
		for e, err := range store.Entries(r, store.Range{}) {
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return nil
	}))
	return all
}

func TestBackupRestore(t *testing.T) {
	for _, n := range []int{0, 1, 200, 201, 3000} {
		s := filled(t, n)
		var out bytes.Buffer
		written, err := store.Backup(ctx, s, &out)
		require.NoError(t, err)
		assert.EqualValues(t, n, written)
		restored := memory.New()
		read, err := store.Restore(ctx, restored, &out, nil)
		require.NoError(t, err)
		assert.EqualValues(t, n, read.Entries)
		assert.Equal(t, everything(t, s), everything(t, restored))
	}
}

// busy updates the store whenever something is written to it.
type busy struct {
	bytes.Buffer
	s     store.Store
	times int
}

func (b *busy) Write(p []byte) (int, error) {
	b.times++
	err := b.s.Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Delete(fmt.Appendf(nil, "%05d", 2000+b.times)), tx.Put(fmt.Appendf(nil, "new%d", b.times), []byte("v")))
	})
	if err != nil {
		return 0, err
	}
	return b.Buffer.Write(p)
}

func TestBackupIsOneSnapshot(t *testing.T) {
	s := filled(t, 3000)
	before := everything(t, s)
	out := &busy{s: s}
	_, err := store.Backup(ctx, s, out)
	require.NoError(t, err)
	require.Greater(t, out.times, 3)
	restored := memory.New()
	_, err = store.Restore(ctx, restored, &out.Buffer, nil)
	require.NoError(t, err)
	assert.Equal(t, before, everything(t, restored))
}

func backup(t testing.TB, n int) []byte {
	var out bytes.Buffer
	_, err := store.Backup(ctx, filled(t, n), &out)
	require.NoError(t, err)
	return out.Bytes()
}

func TestRestoreRefusesDamage(t *testing.T) {
	whole := backup(t, 20)
	refused := func(data []byte, what string) {
		t.Helper()
		_, err := store.Restore(ctx, memory.New(), bytes.NewReader(data), nil)
		require.ErrorIs(t, err, store.ErrBackup, what)
		_, err = store.VerifyBackup(ctx, bytes.NewReader(data))
		require.ErrorIs(t, err, store.ErrBackup, what)
	}
	step := len(whole)/500 + 1
	for i := 0; i < len(whole); i += step {
		refused(whole[:i], fmt.Sprintf("cut at %d", i))
		flipped := bytes.Clone(whole)
		flipped[i] ^= 0x10
		refused(flipped, fmt.Sprintf("flipped at %d", i))
	}
	refused(append(bytes.Clone(whole), 0), "trailing byte")
	refused([]byte("other file"), "other file")
}

func TestRestoreRefusesAStoreThatHoldsSomething(t *testing.T) {
	for name, held := range map[string]store.Entry{
		"another key":               {Key: []byte("00000x"), Value: []byte("v")},
		"another value":             {Key: []byte("00000"), Value: []byte("v")},
		"more than the backup does": {Key: []byte("zzz"), Value: []byte("v")},
	} {
		s := memory.New()
		if name == "more than the backup does" {
			s = filled(t, 5).(*store.Group)
		}
		require.NoError(t, s.Update(ctx, func(tx store.Tx) error { return tx.Put(held.Key, held.Value) }))
		before := everything(t, s)
		_, err := store.Restore(ctx, s, bytes.NewReader(backup(t, 5)), nil)
		require.ErrorIs(t, err, store.ErrNotEmpty, name)
		assert.Equal(t, before, everything(t, s), name)
	}
}

func TestBackupFails(t *testing.T) {
	s := filled(t, 3000)
	_, err := store.Backup(ctx, s, failing{})
	require.ErrorIs(t, err, errFull)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = store.Backup(ended, s, &bytes.Buffer{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = store.Restore(ended, memory.New(), bytes.NewReader(backup(t, 5)), nil)
	require.ErrorIs(t, err, context.Canceled)
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

// Whatever a file holds, Restore ends with an error or a store like the one
// that was backed up.
func FuzzRestore(f *testing.F) {
	f.Add(backup(f, 0))
	f.Add(backup(f, 3))
	f.Add([]byte("people-kv\x01E\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := memory.New()
		defer s.Close()
		n, err := store.Restore(ctx, s, bytes.NewReader(data), nil)
		if err == nil {
			assert.LessOrEqual(t, len(everything(t, s)), int(n.Entries)) //nolint:gosec // a few
		}
	})
}
