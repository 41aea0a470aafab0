package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	engine "github.com/dgraph-io/badger/v4"
)

// Badger drops everything behind a damaged record of its log without a word.
// So each commit carries a number, and the last one acknowledged is kept in a
// file beside the log: if the log ends before it, commits are missing.

var commitKey = []byte("\x00commit") // see store.ErrInvalid: no caller's key

const sideName = "ACKNOWLEDGED"

func encodeNumber(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func decodeNumber(value []byte) (uint64, error) {
	if len(value) != 8 {
		return 0, errors.New("badger: a number of the store's own is not one of this version")
	}
	return binary.BigEndian.Uint64(value), nil
}

// checkCommits compares the last commit of the log with the last acknowledged.
func (b *bdb) checkCommits() error {
	logged, err := b.lastCommit()
	if err != nil {
		return err
	}
	side, acknowledged, err := openSide(filepath.Join(b.dir, sideName))
	if err != nil {
		return err
	}
	if logged < acknowledged {
		missing := acknowledged - logged
		if !b.opts.AcceptLoss {
			_ = side.close()
			return fmt.Errorf("%w: %s ends with commit %d and %d was acknowledged, %d lost; restore a backup, or accept the loss to open it as it is",
				ErrBehind, b.dir, logged, acknowledged, missing)
		}
		b.log.Error("opened although acknowledged commits are missing",
			slog.String("directory", b.dir), slog.Uint64("lost", missing))
		// From now on the log is whole again, without what it lost.
		if err := b.number(acknowledged); err != nil {
			_ = side.close()
			return fmt.Errorf("badger: accept the loss: %w", err)
		}
	}
	b.side = side
	b.committed.Store(max(logged, acknowledged))
	return nil
}

// number makes a number that of the last commit.
func (b *bdb) number(n uint64) error {
	txn := b.db.NewTransaction(true)
	defer txn.Discard()
	if err := txn.Set(commitKey, encodeNumber(n)); err != nil {
		return err
	}
	return b.commit(txn, commitKey)
}

// commit makes a transaction durable, which wrote key, one of the store's own.
func (b *bdb) commit(txn *engine.Txn, key []byte) error {
	err := b.opts.commit(txn)
	if err == nil && !b.opts.unsynced {
		err = b.commitLog.sync(key)
	}
	if err != nil {
		return b.fail(err)
	}
	return nil
}

func (b *bdb) lastCommit() (uint64, error) {
	txn := b.db.NewTransaction(false)
	defer txn.Discard()
	value, err := (&snapshot{txn: txn}).Get(commitKey)
	if err != nil || value == nil {
		return 0, err
	}
	return decodeNumber(value)
}

// sideFile keeps a number in two records of which one is written at a time, so
// that a write cut short leaves the other.
type sideFile struct {
	file    *os.File
	written uint64
	next    int // record to write
}

const recordSize = 12 // number, checksum

func openSide(path string) (*sideFile, uint64, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("badger: %w", err)
	}
	buffer := make([]byte, 2*recordSize)
	n, err := file.ReadAt(buffer, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		_ = file.Close()
		return nil, 0, fmt.Errorf("badger: %w", err)
	}
	s := &sideFile{file: file}
	for i := 0; (i+1)*recordSize <= n; i++ {
		record := buffer[i*recordSize:][:recordSize]
		number := binary.BigEndian.Uint64(record)
		if crc32.ChecksumIEEE(record[:8]) == binary.BigEndian.Uint32(record[8:]) && number >= s.written {
			s.written, s.next = number, 1-i
		}
	}
	return s, s.written, nil
}

// write makes number durable.
func (s *sideFile) write(number uint64) error {
	if number == s.written {
		return nil
	}
	record := encodeNumber(number)
	record = binary.BigEndian.AppendUint32(record, crc32.ChecksumIEEE(record))
	if _, err := s.file.WriteAt(record, int64(s.next*recordSize)); err != nil {
		return fmt.Errorf("badger: write %s: %w", sideName, err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("badger: sync %s: %w", sideName, err)
	}
	s.written, s.next = number, 1-s.next
	return nil
}

func (s *sideFile) close() error { return s.file.Close() }

// collect gives the value log's dead space back.
func (b *bdb) collect() {
	// Badger ends the process when it has to write without a table in memory.
	for !b.broken.Load() && !b.presence.lost.Load() {
		err := b.db.RunValueLogGC(0.5)
		if err != nil {
			if !errors.Is(err, engine.ErrNoRewrite) && !errors.Is(err, engine.ErrRejected) {
				b.log.Warn("value log not collected", slog.Any("error", err))
			}
			return
		}
	}
}
