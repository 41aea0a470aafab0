package badger

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/ristretto/v2/z"
)

// Badger replays a damaged log as far as it can be read, and goes on with the
// next: then the last commit is there, and commits before it are not. Several
// logs are found after a crash while a table in memory was still to be written
// to disk. Their commits must follow each other.

// checkLogs looks at the logs of dir before Badger does.
func (b *bdb) checkLogs() error {
	paths, err := filepath.Glob(filepath.Join(b.dir, "*"+commitLogSuffix))
	if err != nil {
		return fmt.Errorf("badger: %w", err)
	}
	if len(paths) < 2 {
		return nil
	}
	slices.SortFunc(paths, func(a, b string) int { // numbers of at least five digits
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	ended, last := "", uint64(0)
	for _, path := range paths {
		from, to, err := commitsOf(path)
		if err != nil {
			return err
		}
		if from == 0 {
			continue
		}
		if ended != "" && from > last+1 {
			if err := b.gap(ended, last, from); err != nil {
				return err
			}
		}
		ended, last = path, to
	}
	return nil
}

// gap tells that commits are missing between two logs.
func (b *bdb) gap(path string, last, next uint64) error {
	missing := next - last - 1
	if !b.opts.AcceptLoss {
		return fmt.Errorf("%w: %s ends with commit %d and the next log begins with %d, %d lost; restore a backup, or accept the loss to open it as it is",
			ErrBehind, path, last, next, missing)
	}
	b.log.Error("opened although acknowledged commits are missing", slog.String("log", path), slog.Uint64("lost", missing))
	return nil
}

// commitsOf is commitsIn of a file. It is mapped: a log has twice the size of a
// table in memory, most of it never written.
func commitsOf(path string) (first, last uint64, err error) {
	file, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("badger: %w", err)
	}
	defer func() { _ = file.Close(-1) }()
	err = guarded(func() error {
		first, last = commitsIn(file.Data)
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("badger: log %s: %w", path, err)
	}
	return first, last, nil
}

// commitsIn returns the first and the last commit of a log that Badger will find
// in it, 0 when there is none. It reads as Badger does: records up to the first
// that is damaged, those of a transaction once its end is there.
func commitsIn(log []byte) (first, last uint64) {
	const logHeader, endOfTransaction = 20, 1 << 7
	log = log[min(logHeader, len(log)):]
	for number := uint64(0); ; {
		r, rest, ok := cutRecord(log)
		if !ok {
			return first, last
		}
		log = rest
		switch {
		case r.meta&endOfTransaction != 0 && number != 0:
			first, last, number = cmp.Or(first, number), number, 0
		case bytes.Equal(r.key, commitKey):
			number, _ = decodeNumber(r.value)
		}
	}
}

// record is a key that was written, or the end of a transaction.
type record struct {
	meta       byte
	key, value []byte
}

// cutRecord takes the first record off a log: meta, the caller's meta, lengths
// of key and value, expiry, key with version, value, checksum.
func cutRecord(log []byte) (r record, rest []byte, ok bool) {
	const version = 8 // bytes behind a key
	if len(log) < 2 {
		return r, nil, false
	}
	var sizes [3]uint64
	at := 2
	for i := range sizes {
		size, n := binary.Uvarint(log[at:])
		if n <= 0 {
			return r, nil, false
		}
		sizes[i], at = size, at+n
	}
	left := uint64(len(log) - at)
	if sizes[0] < version || sizes[0] > left || sizes[1] > left-sizes[0] || left-sizes[0]-sizes[1] < crc32.Size {
		return r, nil, false // zeros are what was not written yet
	}
	valueAt := at + int(sizes[0])  //nolint:gosec // not above left
	end := valueAt + int(sizes[1]) //nolint:gosec // not above left
	r = record{meta: log[0], key: log[at : valueAt-version], value: log[valueAt:end]}
	sum := binary.BigEndian.Uint32(log[end:])
	return r, log[end+crc32.Size:], sum == crc32.Checksum(log[:end], castagnoli)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
