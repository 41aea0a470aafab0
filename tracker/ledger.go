package tracker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// The ledger is text that an operator can read and keep: a line that names its
// kind and version, then a line for each erasure with the hash, the time and a
// checksum of both.
const (
	ledgerHeader = "people-erasures 1\n"
	ledgerTime   = "2006-01-02T15:04:05.000Z"
	ledgerLine   = 2*len(digest{}) + 1 + len(ledgerTime) + 1 + 8 + 1
)

// ErrLedger is returned for a file that is no ledger, or a damaged one.
var ErrLedger = errors.New("tracker: not a whole ledger of erasures")

// LedgerSuffix is what the ledger beside a store's directory is called, behind
// the directory's own name: it has to survive the directory.
const LedgerSuffix = ".erased"

// LedgerFile is the path of a ledger, which is made with the first erasure. It
// is appended to by the process that holds the store, by each configuration of
// it during a reload.
type LedgerFile string

// Append writes erasures to the end of the file and syncs it. A line that an
// interruption left unfinished was never acknowledged and is cut off before.
func (l LedgerFile) Append(erasures []Erasure) error {
	path := string(l)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening the ledger of erasures: %w", err)
	}
	err = appendLedger(file, erasures)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = syncDir(filepath.Dir(path)) // the file's name has to last as well
	}
	if err != nil {
		return fmt.Errorf("writing the ledger of erasures: %w", err)
	}
	return nil
}

func appendLedger(file *os.File, erasures []Erasure) error {
	end, err := endOfLedger(file)
	if err != nil {
		return err
	}
	if size, err := file.Seek(0, io.SeekEnd); err != nil {
		return err
	} else if size > end {
		if err := file.Truncate(end); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if end == 0 {
		b.WriteString(ledgerHeader)
	}
	for some := range slices.Chunk(erasures, membersAtOnce) {
		for _, e := range some {
			b.WriteString(e.line())
		}
		if _, err := file.Write(b.Bytes()); err != nil { // in one piece, behind whatever another one appends
			return err
		}
		b.Reset()
	}
	return file.Sync()
}

// endOfLedger is behind the last whole line; 0 in a file that is new, or was
// interrupted when it was.
func endOfLedger(file *os.File) (int64, error) {
	head := make([]byte, len(ledgerHeader))
	if n, err := file.ReadAt(head, 0); errors.Is(err, io.EOF) && strings.HasPrefix(ledgerHeader, strings.TrimRight(string(head[:n]), "\x00")) {
		return 0, nil
	} else if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	const most = int64(2 * membersAtOnce * ledgerLine) // more than is ever appended at once
	tail := make([]byte, min(size, most))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil {
		return 0, err
	}
	last := bytes.LastIndexByte(tail, '\n')
	if string(head) != ledgerHeader || last < 0 {
		return 0, ErrLedger
	}
	return size - int64(len(tail)) + int64(last) + 1, nil
}

func (e Erasure) line() string {
	text := hex.EncodeToString(e.Profile[:]) + " " + e.At.UTC().Format(ledgerTime)
	return fmt.Sprintf("%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	if err := dir.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}

// Erasures are those of the file, none when there is no such file.
func (l LedgerFile) Erasures() ([]Erasure, error) {
	file, err := os.Open(string(l))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the ledger of erasures: %w", err)
	}
	defer func() { _ = file.Close() }()
	return ReadLedger(file)
}

// ReadLedger reads what a LedgerFile wrote. An unfinished last line is left
// out, since it was never acknowledged; anything else that is not as it was
// written answers ErrLedger, with the number of the line.
func ReadLedger(r io.Reader) (erasures []Erasure, err error) {
	in := bufio.NewReader(r)
	for number := 1; ; number++ {
		line, err := in.ReadString('\n')
		switch {
		case errors.Is(err, io.EOF):
			if number == 1 && !strings.HasPrefix(ledgerHeader, line) {
				return nil, fmt.Errorf("%w: line 1", ErrLedger)
			}
			return erasures, nil
		case err != nil:
			return nil, fmt.Errorf("reading the ledger of erasures: %w", err)
		case line == ledgerHeader: // several ledgers may be put together
			continue
		}
		erasure, ok := parseErasure(line)
		if number == 1 || !ok {
			return nil, fmt.Errorf("%w: line %d", ErrLedger, number)
		}
		erasures = append(erasures, erasure)
	}
}

// parseErasure reads one line; ok is false when it is not exactly as written.
func parseErasure(line string) (e Erasure, ok bool) {
	if len(line) != ledgerLine {
		return Erasure{}, false
	}
	if _, err := hex.Decode(e.Profile[:], []byte(line[:2*len(e.Profile)])); err != nil {
		return Erasure{}, false
	}
	at, err := time.Parse(ledgerTime, line[2*len(e.Profile)+1:][:len(ledgerTime)])
	e.At = at
	return e, err == nil && e.line() == line
}

// WriteLedger writes erasures as a ledger, as ReadLedger reads it.
func WriteLedger(w io.Writer, erasures []Erasure) error {
	out := bufio.NewWriter(w)
	_, err := out.WriteString(ledgerHeader)
	for _, e := range erasures {
		if err == nil {
			_, err = out.WriteString(e.line())
		}
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing the ledger of erasures: %w", err)
	}
	return nil
}

// Erasures are those that a store itself has recorded, from where they get into
// every backup of it.
func Erasures(ctx context.Context, st store.Store) (erasures []Erasure, err error) {
	page := prefixRange([]byte{tableErased}, store.MaxScan)
	for {
		var entries []store.Entry
		err := st.View(ctx, func(r store.Reader) (err error) {
			entries, err = r.Scan(page)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading the erasures of the store: %w", err)
		}
		for _, e := range entries {
			t, err := decodeTombstone(e.Value)
			if err != nil || len(e.Key) != 1+len(digest{}) {
				return nil, fmt.Errorf("reading the erasures of the store: %w", firstError(err, errMalformed))
			}
			erasures = append(erasures, Erasure{digest(e.Key[1:]), fromMillis(t.at)})
		}
		if len(entries) < page.Limit {
			return erasures, nil
		}
		page.From = append(entries[len(entries)-1].Key, 0)
	}
}

// ReplayErasures erases again whom a backup brought back into st: every
// profile that the ledger names and that is there, with all that belongs to
// it. Calls made before the erasure of then stay dropped. It returns how many
// profiles it erased, once nothing of them is left, and may be repeated.
func ReplayErasures(ctx context.Context, st store.Store, ledger []Erasure, now time.Time) (erased int, err error) {
	s, err := New(st, Config{Now: func() time.Time { return now }})
	if err != nil {
		return 0, err
	}
	at := make(map[digest]time.Time, len(ledger))
	for _, e := range ledger {
		if before, twice := at[e.Profile]; !twice || e.At.Before(before) {
			at[e.Profile] = e.At
		}
	}
	page := prefixKeys([]byte{tableProfile}, membersAtOnce)
	for {
		var profiles []store.Entry
		err := st.View(ctx, func(r store.Reader) (err error) {
			profiles, err = r.Scan(page)
			return err
		})
		if err != nil {
			return erased, fmt.Errorf("replaying erasures: %w", err)
		}
		for _, entry := range profiles {
			hidden, err := s.replay(ctx, entry.Key, at)
			if err != nil {
				return erased, fmt.Errorf("replaying erasures: %w", err)
			}
			erased += hidden
		}
		if len(profiles) < page.Limit {
			break
		}
		page.From = append(profiles[len(profiles)-1].Key, 0)
	}
	if err := s.finishJobs(ctx); err != nil {
		return erased, fmt.Errorf("replaying erasures: %w", err)
	}
	if err := keep(ctx, st, ledger); err != nil {
		return erased, fmt.Errorf("replaying erasures: %w", err)
	}
	return erased, nil
}

// keep records erasures in a store, also of whom it never had: its backups are
// to tell of them as well.
func keep(ctx context.Context, st store.Store, ledger []Erasure) error {
	for some := range slices.Chunk(ledger, membersAtOnce) {
		err := st.Update(ctx, func(tx store.Tx) error {
			for _, e := range some {
				if err := tx.Put(erasedKey(e.Profile), tombstone{at: millis(e.At)}.encode()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// replay hides one profile if the ledger names it. A merged visitor goes with
// its person, which the ledger names as well, unless it was merged later.
func (s *Service) replay(ctx context.Context, key []byte, at map[digest]time.Time) (hidden int, err error) {
	a, i, err := parseIDRef(key[1:])
	if err != nil {
		return 0, err
	}
	when, named := at[erasureHash(a, i)]
	if !named {
		return 0, nil
	}
	err = s.hide(ctx, a, i, when, func(p *profile) bool { return p.mergedInto.zero() })
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return 1, err
}
