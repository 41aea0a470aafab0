package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"
	"google.golang.org/protobuf/proto"
)

var errLengths = errors.New("lengths lead out of the file")

// openable looks at what Badger follows in a table when it opens it, before it
// compares a checksum: lengths, and the kinds of the checksums. It does that in
// a goroutine of its own, where a panic ends the process. What they lead to it
// checks itself, and returns an error. So a few bytes here and there are enough,
// which cost a fraction of mapping the file.
func openable(t liveTable) error {
	if t.compression != options.None {
		return useTable(t, openTable) // the lengths of a block come out of the decoder
	}
	file, size, err := openPlain(t.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return checkLengths(file, size)
}

// checkLengths is about blocks, index, length of index, checksum, length of
// checksum; and the last block: entries, an offset of each, their number,
// checksum, length of checksum.
func checkLengths(table io.ReaderAt, size int64) error {
	r := &places{from: table, size: size}
	indexEnd := r.beforeChecksum(size)
	index := r.before(indexEnd)
	block, length := r.lastBlock(index)
	entriesEnd := r.beforeChecksum(block+length) - 4
	entries := int64(r.big(entriesEnd))
	if r.err == nil && (index+4 == indexEnd || entriesEnd-4*entries < block) {
		return errLengths
	}
	return r.err
}

// places reads a file here and there. Once a place is not in it, or cannot be
// read, err is set and all numbers are zero.
type places struct {
	from io.ReaderAt
	size int64
	err  error

	part  [512]byte // of the file, in which the next place often is
	begin int64
	known int64
}

func (r *places) bytes(at, n int64) []byte {
	if r.err == nil && (at < 0 || n > int64(len(r.part)) || at > r.size-n) {
		r.err = errLengths
	}
	if r.err == nil && (at < r.begin || at+n > r.begin+r.known) {
		r.read(at, n)
	}
	if r.err != nil {
		return make([]byte, min(n, int64(len(r.part))))
	}
	return r.part[at-r.begin:][:n]
}

// read reads around a place: what is next may be on either side.
func (r *places) read(at, n int64) {
	r.begin = max(0, min(at-(int64(len(r.part))-n)/2, r.size-int64(len(r.part))))
	read, err := r.from.ReadAt(r.part[:min(int64(len(r.part)), r.size-r.begin)], r.begin)
	r.known = int64(read)
	if at+n > r.begin+r.known {
		r.err = fmt.Errorf("badger: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
}

func (r *places) big(at int64) uint32 { return binary.BigEndian.Uint32(r.bytes(at, 4)) }

// before is where something begins that ends with its own length at end.
func (r *places) before(end int64) int64 { return end - 4 - int64(r.big(end-4)) }

// beforeChecksum is where the checksum that ends at end begins. Badger panics
// over kinds that it does not know.
func (r *places) beforeChecksum(end int64) int64 {
	begin := r.before(end)
	sum := new(pb.Checksum)
	if proto.Unmarshal(r.bytes(begin, end-4-begin), sum) == nil && pb.Checksum_Algorithm_name[int32(sum.Algo)] == "" {
		r.err = errors.Join(r.err, errLengths)
	}
	return begin
}

// lastBlock finds the last block in the index, a FlatBuffers table: numbers are
// little-endian, and a field that has its default is left out.
func (r *places) lastBlock(index int64) (begin, length int64) {
	// The places of the fields are those in the packages that Badger generates.
	const offsets, blockOffset, blockLen = 4, 6, 8
	blocks := r.follow(r.field(r.follow(index), offsets))
	last := r.follow(blocks + 4*int64(r.little(blocks)))
	return r.value(last, blockOffset), r.value(last, blockLen)
}

func (r *places) little(at int64) uint32 { return binary.LittleEndian.Uint32(r.bytes(at, 4)) }

// follow is what the offset at a place leads to.
func (r *places) follow(at int64) int64 { return at + int64(r.little(at)) }

// field is where a field of a table is, 0 when it is left out.
func (r *places) field(table, field int64) int64 {
	fields := table - int64(int32(r.little(table))) //nolint:gosec // it is signed
	if field >= int64(binary.LittleEndian.Uint16(r.bytes(fields, 2))) {
		return 0
	}
	at := int64(binary.LittleEndian.Uint16(r.bytes(fields+field, 2)))
	if at == 0 {
		return 0
	}
	return table + at
}

func (r *places) value(table, field int64) int64 {
	at := r.field(table, field)
	if at == 0 {
		return 0
	}
	return int64(r.little(at))
}
