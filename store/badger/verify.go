package badger

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
)

// ErrDamaged is returned by Open when a table does not have the content that
// was written. Nothing was changed. Restore a backup, or open with AcceptLoss.
var ErrDamaged = errors.New("badger: damaged table")

// verify reads every table of dir before Badger does. Badger notices a wrong
// checksum and then answers as if the keys of that block were absent, and the
// next compaction drops them for good; so it is told here or never. It reads a
// gigabyte in a few seconds.
func (b *bdb) verify() error {
	lock, err := lockDir(b.dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // Badger locks it again for itself
	tables, err := liveTables(b.dir, b.opts.engineOptions(b.dir))
	if err != nil {
		return err
	}
	for i, err := range verifyTables(tables) {
		if err != nil {
			t := tables[i]
			err = fmt.Errorf("%w %s: %w; restore a backup, or accept the loss to open without what it held", ErrDamaged, t.path, err)
			if !b.opts.AcceptLoss {
				return err
			}
			b.log.Error("opened although a table is damaged", slog.Any("error", err))
		}
	}
	return nil
}

// verifyAgain reads every table while the store is in use. What a damaged one
// held is lost already; from now on health and metrics tell of it.
func (b *bdb) verifyAgain() {
	if b.presence.lost.Load() {
		return
	}
	tables, err := liveTables(b.dir, b.opts.engineOptions(b.dir))
	if err != nil {
		b.log.Warn("tables not verified", slog.Any("error", err))
		return
	}
	for _, t := range tables {
		select {
		case <-b.stop:
			return
		default:
		}
		err := verifyTable(t)
		if errors.Is(err, os.ErrNotExist) {
			continue // a compaction has replaced it
		}
		if err != nil {
			b.damaged.Store(true)
			b.log.Error("a table is damaged, and what it held is lost: restore a backup, and find out why the disk or the memory flips bits",
				slog.String("table", t.path), slog.Any("error", err))
		}
	}
}

type liveTable struct {
	path string
	opts table.Options
}

// liveTables are those in the manifest: others are left over from a compaction
// that did not end.
func liveTables(dir string, opts engine.Options) ([]liveTable, error) {
	file, err := os.Open(filepath.Join(dir, engine.ManifestFilename))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // a new store
	}
	if err != nil {
		return nil, fmt.Errorf("badger: %w", err)
	}
	defer func() { _ = file.Close() }()
	manifest, _, err := engine.ReplayManifestFile(file, opts.ExternalMagicVersion, opts)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, file.Name(), err)
	}
	var tables []liveTable
	for id, t := range manifest.Tables {
		tables = append(tables, liveTable{
			path: table.NewFilename(id, dir),
			opts: table.Options{ReadOnly: true, BlockSize: opts.BlockSize, Compression: t.Compression},
		})
	}
	return tables, nil
}

// verifyTables checks as many at a time as there are processors and returns
// what is wrong with each.
func verifyTables(tables []liveTable) []error {
	errs := make([]error, len(tables))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(len(tables), runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(tables); i = int(next.Add(1)) - 1 {
				errs[i] = verifyTable(tables[i])
			}
		})
	}
	all.Wait()
	return errs
}

// verifyTable checks the index and every block. Badger panics on some damages.
func verifyTable(t liveTable) (err error) {
	file, err := z.OpenMmapFile(t.path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() {
		if recover() != nil {
			err = errors.New("index not readable") // Badger's text shows keys
		}
		_ = file.Close(-1)
	}()
	opened, err := table.OpenTable(file, t.opts)
	if err != nil {
		return err
	}
	return opened.VerifyChecksum()
}
