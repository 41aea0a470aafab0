package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// presence knows whether the files of an open store are still where it was
// opened. Badger does not: its files are mapped, so that it goes on writing to
// files that were removed, and acknowledges what nobody will find again.
type presence struct {
	dir string
	log *slog.Logger

	ownDir, ownMark fs.FileInfo // the directory and its ACKNOWLEDGED, as opened

	lost atomic.Bool // for good: what was acknowledged meanwhile is nowhere
}

// own notes what is there. The files stay open as long as the store, or their
// numbers could be given to others.
func (p *presence) own(mark *os.File) (err error) {
	if p.ownDir, err = os.Stat(p.dir); err != nil {
		return fmt.Errorf("badger: %w", err)
	}
	if p.ownMark, err = mark.Stat(); err != nil {
		return fmt.Errorf("badger: %w", err)
	}
	return nil
}

// missing says what of the opened store is not there any more, nil when all is.
// A directory that cannot be looked at is no evidence.
func (p *presence) missing() error {
	for _, file := range []struct {
		name string
		own  fs.FileInfo // nil: any, Badger renews it
	}{
		{"", p.ownDir}, {sideName, p.ownMark}, {engine.ManifestFilename, nil},
	} {
		path := filepath.Join(p.dir, file.name)
		switch now, err := os.Stat(path); {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
			return err
		case err == nil && file.own != nil && !os.SameFile(now, file.own):
			return fmt.Errorf("%s is another one than was opened", path)
		}
	}
	return nil
}

// look decides, once and for good, and tells whether the store is lost.
func (p *presence) look() bool {
	if p.ownMark == nil || p.lost.Load() {
		return p.lost.Load()
	}
	cause := p.missing()
	if cause == nil {
		return false
	}
	if !p.lost.Swap(true) {
		p.log.Error("the store's directory was removed or replaced while it was open: nothing is read or stored until the store is opened again. "+
			"Stop the server, put the directory or a backup of it back, and start the server",
			slog.String("directory", p.dir), slog.Any("error", cause))
	}
	return true
}

// err is nil while the store is where it was opened.
func (p *presence) err() error {
	if !p.lost.Load() {
		return nil
	}
	return fmt.Errorf("%w: its directory %s was removed or replaced, the store has to be opened again", store.ErrUnavailable, p.dir)
}

// closable tells whether Badger may be closed. It writes and deletes files by
// their path, which would ruin another store that was put there: a backup, most
// likely. Where nothing is, nothing can be ruined.
func (p *presence) closable() bool {
	if p.missing() == nil {
		return true // also when it was moved away and back
	}
	now, err := os.Stat(p.dir)
	if err != nil {
		return true
	}
	if !os.SameFile(now, p.ownDir) {
		return false
	}
	_, err = os.Stat(filepath.Join(p.dir, engine.ManifestFilename))
	return err != nil
}
