package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A backup is the same for every engine, so one engine's can be restored into
// another: a header, chunks of entries in the order of their keys, and an end
// that tells how many there were. Each chunk carries its checksum.
const (
	backupHeader = "people-kv\x01" // the last byte is the version
	chunkEntries = 'E'
	chunkEnd     = 'Z'
	chunkHead    = 1 + 4 + 4 // kind, length, checksum of kind and payload

	// A chunk is closed above chunkFull, and so is an Update of Restore and
	// Copy, with which its largest form must fit.
	chunkFull = 256 << 10
	chunkMax  = chunkFull + MaxKeyBytes + MaxValueBytes + 2*binary.MaxVarintLen32
	scanPage  = 200
)

var (
	// ErrBackup is returned by Restore and VerifyBackup when the backup is
	// damaged, cut short or none at all.
	ErrBackup = errors.New("store: not a whole backup")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Backup writes one snapshot of s to w and returns how many entries it has.
// Updates go on meanwhile. It ends early when ctx does; what was written then
// is refused by VerifyBackup and Restore.
func Backup(ctx context.Context, s Store, w io.Writer) (entries uint64, err error) {
	out := &backupWriter{w: bufio.NewWriterSize(w, 1<<16)}
	err = s.View(ctx, func(r Reader) error {
		out.start()
		for e, err := range Entries(r, Range{Limit: scanPage}) {
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if out.entry(e); out.err != nil {
				return out.err
			}
		}
		return out.end()
	})
	if err != nil {
		return 0, fmt.Errorf("backup: %w", err)
	}
	return out.total, nil
}

// backupWriter writes chunks; after an error it writes no more.
type backupWriter struct {
	w       *bufio.Writer
	payload []byte
	count   int    // entries in payload
	total   uint64 // entries written
	err     error
}

func (b *backupWriter) start() { _, b.err = b.w.WriteString(backupHeader) }

func (b *backupWriter) entry(e Entry) {
	for _, part := range [...][]byte{e.Key, e.Value} {
		b.payload = append(binary.AppendUvarint(b.payload, uint64(len(part))), part...)
	}
	b.total++
	if b.count++; b.count == MaxWrites || len(b.payload) >= chunkFull {
		b.chunk(chunkEntries)
	}
}

func (b *backupWriter) end() error {
	if b.count > 0 {
		b.chunk(chunkEntries)
	}
	b.payload = binary.BigEndian.AppendUint64(b.payload[:0], b.total)
	b.chunk(chunkEnd)
	if b.err != nil {
		return b.err
	}
	return b.w.Flush()
}

// chunk writes the payload and empties it.
func (b *backupWriter) chunk(kind byte) {
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(b.payload)))
	head = binary.BigEndian.AppendUint32(head, chunkSum(kind, b.payload))
	for _, part := range [...][]byte{head, b.payload} {
		if b.err == nil {
			_, b.err = b.w.Write(part)
		}
	}
	b.payload, b.count = b.payload[:0], 0
}

func chunkSum(kind byte, payload []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, []byte{kind}), castagnoli, payload)
}

// Restore puts what Backup wrote to r into the store s and returns the Sum of
// it. The store is empty, or holds what a Restore of the same backup that was
// interrupted left there; else the error is ErrNotEmpty. After another error s
// holds the beginning of the backup: it is to be thrown away, or Restore called
// again.
func Restore(ctx context.Context, s Store, r io.Reader, progress Progress) (Sum, error) {
	in, err := newBackupReader(r)
	if err != nil {
		return Sum{}, fmt.Errorf("restore: %w", err)
	}
	sum, err := fill(ctx, s, in, progress)
	if err != nil {
		return Sum{}, fmt.Errorf("restore: %w", err)
	}
	return sum, nil
}

// VerifyBackup reads a backup to its end. The error says what it lacks.
func VerifyBackup(ctx context.Context, r io.Reader) (Sum, error) {
	in, err := newBackupReader(r)
	if err != nil {
		return Sum{}, err
	}
	for sum := newSumming(); ; {
		e, more, err := in.next()
		switch {
		case err != nil:
			return Sum{}, err
		case !more:
			return sum.done(), nil
		}
		if sum.add(e); sum.sum.Entries%scanPage == 0 && ctx.Err() != nil {
			return Sum{}, ctx.Err()
		}
	}
}

// backupReader is a backup as a source.
type backupReader struct {
	in      *bufio.Reader
	payload []byte // what is left of the chunk
	entries uint64
	ended   bool
}

func newBackupReader(r io.Reader) (*backupReader, error) {
	b := &backupReader{in: bufio.NewReaderSize(r, 1<<16)}
	header := make([]byte, len(backupHeader))
	if _, err := io.ReadFull(b.in, header); err != nil || string(header) != backupHeader {
		return nil, fmt.Errorf("%w: it does not begin as one of this version", ErrBackup)
	}
	return b, nil
}

func (b *backupReader) next() (Entry, bool, error) {
	for len(b.payload) == 0 {
		if b.ended {
			return Entry{}, false, nil
		}
		kind, payload, err := readChunk(b.in)
		if err != nil {
			return Entry{}, false, fmt.Errorf("after %d entries: %w", b.entries, err)
		}
		if kind == chunkEnd {
			b.ended = true
			return Entry{}, false, b.checkEnd(payload)
		}
		b.payload = payload
	}
	var e Entry
	var ok1, ok2 bool
	e.Key, b.payload, ok1 = cutPart(b.payload)
	e.Value, b.payload, ok2 = cutPart(b.payload)
	if !ok1 || !ok2 {
		return Entry{}, false, fmt.Errorf("%w: damaged", ErrBackup)
	}
	b.entries++
	return e, true, nil
}

func (b *backupReader) checkEnd(payload []byte) error {
	if len(payload) != 8 || binary.BigEndian.Uint64(payload) != b.entries {
		return fmt.Errorf("%w: %d entries are not all", ErrBackup, b.entries)
	}
	if _, err := b.in.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows its end", ErrBackup)
	}
	return nil
}

func readChunk(in io.Reader) (kind byte, payload []byte, err error) {
	head := make([]byte, chunkHead)
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, nil, fmt.Errorf("%w: it ends too early: %w", ErrBackup, err)
	}
	kind, size, sum := head[0], binary.BigEndian.Uint32(head[1:]), binary.BigEndian.Uint32(head[5:])
	if kind != chunkEntries && kind != chunkEnd || size > chunkMax {
		return 0, nil, fmt.Errorf("%w: damaged", ErrBackup)
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(in, payload); err != nil {
		return 0, nil, fmt.Errorf("%w: it ends too early: %w", ErrBackup, err)
	}
	if chunkSum(kind, payload) != sum {
		return 0, nil, fmt.Errorf("%w: damaged", ErrBackup)
	}
	return kind, payload, nil
}

func cutPart(payload []byte) (part, rest []byte, ok bool) {
	size, n := binary.Uvarint(payload)
	if n <= 0 || size > uint64(len(payload)-n) {
		return nil, nil, false
	}
	payload = payload[n:]
	return bytes.Clone(payload[:size]), payload[size:], true
}
