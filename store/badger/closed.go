package badger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	engine "github.com/dgraph-io/badger/v4"
)

// closedName is the file that a store leaves behind when it was closed without
// a fault. It carries over to the next start that the tables were compared with
// their checksums, and is taken away before anything is written: after a crash
// there is none. Why that is enough stands in docs/decisions/0009.
const closedName = "CLOSED"

// closedNote is the content of that file.
type closedNote struct {
	Verified time.Time `json:"verified"` // every table was compared then or written later
	Closed   time.Time `json:"closed"`
	// Files is a hash over the two times and the files, of which it tells
	// neither content nor number: see fingerprint.
	Files string `json:"files"`
}

// takeNote reads the note of dir and makes sure that nobody finds it again, nil
// when there is none. It is for whoever holds the lock on dir.
func takeNote(dir string) (*closedNote, error) {
	path := filepath.Join(dir, closedName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return nil, fmt.Errorf("badger: note of the last close: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	return parseNote(text), nil
}

// parseNote returns nil for what is no note, such as one that was cut short.
func parseNote(text []byte) *closedNote {
	note := new(closedNote)
	if json.Unmarshal(text, note) != nil {
		return nil
	}
	return note
}

// doubt says why the tables have to be read before the store is opened, nothing
// when the note speaks for them.
func (b *bdb) doubt(note *closedNote, tables []liveTable) string {
	now := b.opts.Now()
	switch {
	case b.opts.AcceptLoss:
		return "a loss is to be accepted"
	case b.opts.VerifyInterval < 0:
		return "they are not read while it is in use"
	case note == nil:
		return "it was not closed cleanly"
	case now.Before(note.Closed) || note.Closed.Before(note.Verified):
		return "it was closed in the future"
	case now.Sub(note.Verified) >= b.opts.VerifyInterval:
		return "they were last read too long ago"
	}
	files, err := b.fingerprint(note, tables)
	if err != nil || files != note.Files {
		return "its files are others than were closed"
	}
	return ""
}

// fingerprint changes with the note's times, and when a file of the store is
// written, replaced, copied or missing.
func (b *bdb) fingerprint(note *closedNote, tables []liveTable) (string, error) {
	paths := []string{filepath.Join(b.dir, engine.ManifestFilename), filepath.Join(b.dir, sideName)}
	for _, t := range tables {
		paths = append(paths, t.path)
	}
	slices.Sort(paths)
	marks := make([]string, len(paths))
	err := errors.Join(together(len(paths), func(i int) (err error) {
		marks[i], err = b.opts.fileMark(paths[i])
		return err
	})...)
	if err != nil {
		return "", fmt.Errorf("badger: %w", err)
	}
	sum := sha256.New()
	fmt.Fprintln(sum, note.Verified.UnixNano(), note.Closed.UnixNano())
	for i, path := range paths {
		fmt.Fprintln(sum, filepath.Base(path), marks[i])
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// leaveNote is the last act of a Close that went well. Without the note the next
// start takes longer, and that is all.
func (b *bdb) leaveNote() {
	if err := b.writeNote(); err != nil {
		b.log.Warn("the next start will read every table", slog.String("directory", b.dir), slog.Any("error", err))
	}
}

func (b *bdb) writeNote() error {
	// Badger has given its lock back. Nobody else may be at work here.
	lock, err := lockDir(b.dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	tables, err := liveTables(b.dir, b.opts.engineOptions(b.dir))
	if err != nil {
		return err
	}
	note := &closedNote{Verified: b.verifiedAt.UTC(), Closed: b.opts.Now().UTC()}
	if note.Files, err = b.fingerprint(note, tables); err != nil {
		return err
	}
	text, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("badger: %w", err)
	}
	if err := writeSynced(filepath.Join(b.dir, closedName), append(text, '\n')); err != nil {
		return fmt.Errorf("badger: %w", err)
	}
	return syncDir(b.dir)
}

func writeSynced(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}
