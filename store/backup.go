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

	// A chunk is closed above chunkFull and restored by one Update, with which
	// its largest form must fit.
	chunkFull = 256 << 10
	chunkMax  = chunkFull + MaxKeyBytes + MaxValueBytes + 2*binary.MaxVarintLen32
	scanPage  = 200
)

var (
	// ErrBackup is returned by Restore when the backup is damaged, cut short or
	// none at all.
	ErrBackup = errors.New("store: not a whole backup")
	// ErrNotEmpty is returned by Restore when the store holds something.
	ErrNotEmpty = errors.New("store: not empty")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Backup writes one snapshot of s to w and returns how many entries it has.
// Updates go on meanwhile. It ends early when ctx does; what was written then
// is refused by Restore.
func Backup(ctx context.Context, s Store, w io.Writer) (entries uint64, err error) {
	out := &backupWriter{w: bufio.NewWriterSize(w, 1<<16)}
	err = s.View(ctx, func(r Reader) error {
		out.start()
		for page := (Range{Limit: scanPage}); ; {
			if err := ctx.Err(); err != nil {
				return err
			}
			found, err := r.Scan(page)
			if err != nil {
				return err
			}
			for _, e := range found {
				out.entry(e)
			}
			if out.err != nil {
				return out.err
			}
			if len(found) < page.Limit {
				return out.end()
			}
			page = after(page, found[len(found)-1].Key)
		}
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

// Restore puts what Backup wrote to r into the empty store s and returns how
// many entries that were. After an error s holds a part and is to be thrown
// away.
func Restore(ctx context.Context, s Store, r io.Reader) (entries uint64, err error) {
	err = s.View(ctx, func(r Reader) error {
		found, err := r.Scan(Range{Limit: 1, KeysOnly: true})
		if err == nil && len(found) > 0 {
			err = ErrNotEmpty
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("restore: %w", err)
	}
	in := bufio.NewReaderSize(r, 1<<16)
	header := make([]byte, len(backupHeader))
	if _, err := io.ReadFull(in, header); err != nil || string(header) != backupHeader {
		return 0, fmt.Errorf("restore: %w: it does not begin as one of this version", ErrBackup)
	}
	for {
		kind, payload, err := readChunk(in)
		if err != nil {
			return entries, fmt.Errorf("restore: after %d entries: %w", entries, err)
		}
		if kind == chunkEnd {
			return entries, checkEnd(in, payload, entries)
		}
		n, err := restoreChunk(ctx, s, payload)
		if err != nil {
			return entries, fmt.Errorf("restore: after %d entries: %w", entries, err)
		}
		entries += n
	}
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

func checkEnd(in *bufio.Reader, payload []byte, entries uint64) error {
	if len(payload) != 8 || binary.BigEndian.Uint64(payload) != entries {
		return fmt.Errorf("restore: %w: %d entries are not all", ErrBackup, entries)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("restore: %w: something follows its end", ErrBackup)
	}
	return nil
}

func restoreChunk(ctx context.Context, s Store, payload []byte) (entries uint64, err error) {
	var list []Entry
	for len(payload) > 0 {
		var e Entry
		var ok1, ok2 bool
		e.Key, payload, ok1 = cutPart(payload)
		e.Value, payload, ok2 = cutPart(payload)
		if !ok1 || !ok2 {
			return 0, fmt.Errorf("%w: damaged", ErrBackup)
		}
		list = append(list, e)
	}
	err = s.Update(ctx, func(tx Tx) error {
		for _, e := range list {
			if err := tx.Put(e.Key, e.Value); err != nil {
				return err
			}
		}
		return nil
	})
	return uint64(len(list)), err
}

func cutPart(payload []byte) (part, rest []byte, ok bool) {
	size, n := binary.Uvarint(payload)
	if n <= 0 || size > uint64(len(payload)-n) {
		return nil, nil, false
	}
	payload = payload[n:]
	return bytes.Clone(payload[:size]), payload[size:], true
}
