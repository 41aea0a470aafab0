package tracker

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func someErasures(n int) (out []Erasure) {
	for i := range n {
		out = append(out, Erasure{patternDigest(byte(i + 1)), fromMillis(goldenTime + int64(i))})
	}
	return out
}

func TestB33LedgerKeepsWhatItAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "people"+LedgerSuffix)
	ledger := LedgerFile(path)
	found, err := ledger.Erasures()
	require.NoError(t, err)
	assert.Empty(t, found, "there is no file yet")

	all := someErasures(5)
	require.NoError(t, ledger.Append(all[:2]))
	require.NoError(t, LedgerFile(path).Append(all[2:3]))
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	const golden = "people-erasures 1\n0101010101010101010101010101010101010101010101010101010101010101 2026-11-22T10:40:00.123Z 51daf980\n"
	assert.Equal(t, golden, string(written[:len(golden)]), "a ledger of today is read for ever")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	for name, tail := range map[string]string{
		"half a line": all[4].line()[:40], "a line without its end": strings.TrimSuffix(all[4].line(), "\n"), "blocks that were never written": strings.Repeat("\x00", 3*ledgerLine),
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, append(bytes.Clone(written), tail...), 0o600))
			found, err := ledger.Erasures()
			require.NoError(t, err)
			assert.Equal(t, all[:3], found)
			require.NoError(t, ledger.Append(all[3:4]))
			found, err = ledger.Erasures()
			require.NoError(t, err)
			assert.Equal(t, all[:4], found)
		})
	}
	for end := range len(ledgerHeader) {
		require.NoError(t, os.WriteFile(path, []byte(ledgerHeader[:end]), 0o600))
		require.NoError(t, ledger.Append(all[:1]))
		found, err := ledger.Erasures()
		require.NoError(t, err)
		assert.Equal(t, all[:1], found)
	}
}

func TestB33DamagedLedgerIsRefused(t *testing.T) {
	var whole strings.Builder
	whole.WriteString(ledgerHeader)
	for _, e := range someErasures(3) {
		whole.WriteString(e.line())
	}
	for at := range whole.Len() {
		damaged := []byte(whole.String())
		damaged[at] ^= 0x04
		found, err := ReadLedger(bytes.NewReader(damaged))
		if at == whole.Len()-1 {
			assert.Len(t, found, 2, "without its end a line was never acknowledged")
			continue
		}
		require.ErrorIs(t, err, ErrLedger, "byte %d", at)
		assert.ErrorContains(t, err, "line ")
	}
	path := filepath.Join(t.TempDir(), "other")
	const other = "something else that is long enough to be one\n"
	require.NoError(t, os.WriteFile(path, []byte(other), 0o600))
	require.ErrorIs(t, LedgerFile(path).Append(someErasures(1)), ErrLedger)
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, other, string(kept), "a file that is no ledger is left alone")
	assert.Error(t, LedgerFile(filepath.Join(path, "below")).Append(someErasures(1)))
}

func FuzzReadLedger(f *testing.F) {
	f.Add(ledgerHeader + someErasures(1)[0].line())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := ReadLedger(strings.NewReader(text))
		if err != nil {
			assert.ErrorIs(t, err, ErrLedger)
			return
		}
		again := ledgerHeader
		for _, e := range found {
			assert.Equal(t, time.UTC, e.At.Location())
			again += e.line()
		}
		assert.True(t, strings.HasPrefix(again, text[:strings.LastIndexByte(text, '\n')+1]))
	})
}
