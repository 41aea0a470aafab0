package badger

import (
	"encoding/binary"
	"errors"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/ristretto/v2/z"
)

var errLengths = errors.New("lengths lead out of the file")

// openable looks at the lengths in a table that Badger follows when it opens it,
// before it compares a checksum. It does that in a goroutine of its own, where a
// panic ends the process. What they lead to Badger checks itself, and returns an
// error: so four pages of a table are enough, where opening it takes its index.
func openable(t liveTable) error {
	if t.compression != options.None {
		return useTable(t, openTable) // the lengths of a block come out of the decoder
	}
	return useTable(t, func(_ liveTable, file *z.MmapFile) error { return checkLengths(file.Data) })
}

// checkLengths is about blocks, index, length of index, checksum, length of checksum.
func checkLengths(table []byte) error {
	rest, _, footer := cutTail(table)
	_, index, found := cutTail(rest)
	if !footer || !found {
		return errLengths
	}
	blocks := fb.GetRootAsTableIndex(index, 0) // its own lengths are under the checksum
	var last fb.BlockOffset
	if !blocks.Offsets(&last, blocks.OffsetsLength()-1) {
		return errLengths
	}
	begin, length := uint64(last.Offset()), uint64(last.Len())
	if begin+length > uint64(len(table)) {
		return errLengths
	}
	return checkBlock(table[begin : begin+length])
}

// checkBlock is about entries, an offset of each, their number, checksum, length
// of checksum.
func checkBlock(block []byte) error {
	rest, _, ok := cutTail(block)
	if !ok || len(rest) < 4 {
		return errLengths
	}
	entries := binary.BigEndian.Uint32(rest[len(rest)-4:])
	if uint64(entries)*4 > uint64(len(rest)-4) {
		return errLengths
	}
	return nil
}

// cutTail takes off what ends with its own length.
func cutTail(data []byte) (rest, tail []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	end := len(data) - 4
	length := uint64(binary.BigEndian.Uint32(data[end:]))
	if length > uint64(end) {
		return nil, nil, false
	}
	return data[:end-int(length)], data[end-int(length) : end], true //nolint:gosec // not above end
}
