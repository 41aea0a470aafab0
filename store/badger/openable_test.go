package badger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// parts are the places in a table without compression, as Badger finds them.
type parts struct {
	content                   []byte
	lastBlock, lastBlockSum   int // the block's checksum ends 4 bytes before the index
	index, indexSum, indexEnd int // the index ends 4 bytes before its checksum
}

func partsOf(t testing.TB, content []byte) parts {
	t.Helper()
	begin := func(end int) int { return end - 4 - int(binary.BigEndian.Uint32(content[end-4:])) }
	p := parts{content: content, indexSum: begin(len(content))}
	p.indexEnd = p.indexSum - 4
	p.index = begin(p.indexSum)
	p.lastBlockSum = begin(p.index)
	blocks := fb.GetRootAsTableIndex(content[p.index:p.indexEnd], 0)
	var last fb.BlockOffset
	require.True(t, blocks.Offsets(&last, blocks.OffsetsLength()-1))
	p.lastBlock = int(last.Offset())
	require.Equal(t, p.index, p.lastBlock+int(last.Len()))
	return p
}

// tableOf is the only table of a store with some keys.
func tableOf(t testing.TB, keys, keyBytes int) []byte {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, Options{BallastBytes: -1})
	require.NoError(t, err)
	for i := range keys {
		require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error {
			return tx.Put(fmt.Appendf(nil, "%0*d", keyBytes, i), make([]byte, 200))
		}))
	}
	require.NoError(t, s.Close())
	paths, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	require.NoError(t, err)
	require.Len(t, paths, 1)
	content, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	return content
}

func TestTheLastBlockIsFoundAsBadgerFindsIt(t *testing.T) {
	for name, content := range map[string][]byte{
		"one block":  tableOf(t, 1, 1),
		"two blocks": tableOf(t, 30, 9),
		"many":       tableOf(t, 700, 40),
		"long keys":  tableOf(t, 200, store.MaxKeyBytes),
	} {
		p := partsOf(t, content)
		r := &places{from: bytes.NewReader(content), size: int64(len(content))}
		begin, length := r.lastBlock(int64(p.index))
		require.NoError(t, r.err, name)
		assert.EqualValues(t, p.lastBlock, begin, name)
		assert.EqualValues(t, p.index-p.lastBlock, length, name)
		assert.NoError(t, checkLengths(r.from, r.size), name)
	}
}

// FuzzLengths overwrites a part of a table. Whatever is taken for openable is
// opened by Badger, or refused with an error, without a panic.
func FuzzLengths(f *testing.F) {
	whole := tableOf(f, 100, 9)
	p := partsOf(f, whole)
	for _, at := range []int{p.lastBlock, p.lastBlockSum - 4, p.lastBlockSum, p.index - 4, p.index, p.indexEnd, p.indexSum, len(whole) - 4} {
		f.Add(uint(at), []byte{0, 0, 0, 1})
		f.Add(uint(at), []byte{1 << 3, 2, 2 << 3})
	}
	f.Fuzz(func(t *testing.T, at uint, with []byte) {
		content := bytes.Clone(whole)
		copy(content[at%uint(len(content)):], with)
		err := checkLengths(bytes.NewReader(content), int64(len(content)))
		if bytes.Equal(content, whole) {
			require.NoError(t, err)
		}
		if err == nil {
			_, _ = table.OpenInMemoryTable(content, 1, &table.Options{BlockSize: 4096, ChkMode: options.OnBlockRead})
		}
	})
}
