package badger

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
)

// ErrDamaged is returned by Open when a table does not have the content that
// was written. Nothing was changed. Restore a backup, or open with AcceptLoss.
var ErrDamaged = errors.New("badger: damaged table")

// verify compares every table of dir with its checksums before Badger opens it.
// Badger notices a wrong one and then answers as if the keys of that block were
// absent, and the next compaction drops them for good; so it is told here or
// never. It reads a gigabyte in a second or so. After a clean close the same is
// done by verifyAgain, while the store is in use.
func (b *bdb) verify() error {
	lock, err := lockDir(b.dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // Badger locks it again for itself
	if err := dropBegunLogs(b.dir); err != nil {
		return fmt.Errorf("badger: log that was only begun: %w", err)
	}
	if err := b.checkLogs(); err != nil {
		return err
	}
	note, err := takeNote(b.dir)
	if err != nil {
		return err
	}
	tables, err := liveTables(b.dir, b.opts.engineOptions(b.dir))
	if err != nil {
		return err
	}
	doubt := b.doubt(note, tables)
	if doubt == "" && errors.Join(eachTable(tables, openable)...) == nil {
		b.verifiedAt = note.Verified
		return nil
	}
	if len(tables) > 0 {
		b.log.Info("every table is read before the store is opened",
			slog.String("because", cmp.Or(doubt, "one of them is damaged")), slog.Int("tables", len(tables)))
	}
	b.verifiedAt = b.opts.Now()
	if err := b.readAll(tables); err != nil {
		return err
	}
	close(b.verified)
	return nil
}

// readAll returns the first damage unless it is to be accepted.
func (b *bdb) readAll(tables []liveTable) error {
	for i, err := range eachTable(tables, b.opts.readTable) {
		if err == nil {
			continue
		}
		err = fmt.Errorf("%w %s: %w; restore a backup, or accept the loss to open without what it held", ErrDamaged, tables[i].path, err)
		if !b.opts.AcceptLoss {
			return err
		}
		b.log.Error("opened although a table is damaged", slog.Any("error", err))
		b.verifiedAt = time.Time{} // no note speaks for it
	}
	return nil
}

// isVerified tells whether every table was read since Open.
func (b *bdb) isVerified() bool {
	select {
	case <-b.verified:
		return true
	default:
		return false
	}
}

// restFactor is how much longer than it reads verifyAgain rests, so that it
// takes a fifth of a processor and of the disk.
const restFactor = 4

// verifyAgain reads every table while the store is in use. What a damaged one
// held is lost already; from now on health and metrics tell of it. Tables that
// are merged soonest are read first, before a compaction drops their damage.
func (b *bdb) verifyAgain() {
	if b.presence.lost.Load() {
		return
	}
	began := b.opts.Now()
	tables, err := liveTables(b.dir, b.opts.engineOptions(b.dir))
	if err != nil {
		b.log.Warn("tables not verified", slog.Any("error", err))
		b.endVerify(time.Time{})
		return
	}
	for _, t := range tables {
		if b.presence.lost.Load() {
			return // other tables are there now, if any
		}
		start := time.Now()
		err := b.opts.readTable(t)
		if errors.Is(err, errGone) && !b.lists(t) {
			err = nil // a compaction has replaced it
		}
		if err != nil {
			b.damaged.Store(true)
			b.log.Error("a table is damaged, and what it held is lost: restore a backup, and find out why the disk or the memory flips bits",
				slog.String("table", t.path), slog.Any("error", err))
		}
		select {
		case <-b.stop:
			return
		case <-time.After(restFactor * time.Since(start)):
		}
	}
	b.endVerify(began)
}

// endVerify lets purges go on. They do not wait for a second attempt either.
func (b *bdb) endVerify(at time.Time) {
	b.verifiedAt = at
	if !b.isVerified() {
		close(b.verified)
	}
}

// lists tells whether a table still belongs to the store.
func (b *bdb) lists(t liveTable) bool {
	tables, err := liveTables(b.dir, b.opts.engineOptions(b.dir))
	return err != nil || slices.Contains(tables, t)
}

type liveTable struct {
	path        string
	level       uint8
	blockSize   int
	compression options.CompressionType
}

// liveTables are those in the manifest, upper levels first; other files are left
// over from a compaction that did not end.
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
			path: table.NewFilename(id, dir), level: t.Level, blockSize: opts.BlockSize, compression: t.Compression,
		})
	}
	slices.SortFunc(tables, func(a, b liveTable) int {
		return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.path, b.path))
	})
	return tables, nil
}

// eachTable looks at tables and returns what is wrong with each.
func eachTable(tables []liveTable, look func(liveTable) error) []error {
	return together(len(tables), func(i int) error { return look(tables[i]) })
}

// together does n things, as many at a time as there are processors, and returns
// what each of them returned.
func together(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = do(i)
			}
		})
	}
	all.Wait()
	return errs
}

// errGone is a file that was deleted or cut, as Badger does with a table that a
// compaction has replaced.
var errGone = errors.New("deleted")

// readTable checks the index and every block.
func readTable(t liveTable) error {
	return useTable(t, func(t liveTable, file *z.MmapFile) error {
		opened, err := table.OpenTable(file, t.options(options.NoVerification))
		if err != nil {
			return err
		}
		return opened.VerifyChecksum()
	})
}

// openTable checks the index and the last block, as Badger does when it opens it.
func openTable(t liveTable, file *z.MmapFile) error {
	_, err := table.OpenTable(file, t.options(options.OnBlockRead))
	return err
}

func (t liveTable) options(mode options.ChecksumVerificationMode) table.Options {
	return table.Options{ReadOnly: true, BlockSize: t.blockSize, Compression: t.compression, ChkMode: mode}
}

func useTable(t liveTable, use func(liveTable, *z.MmapFile) error) error {
	file, err := z.OpenMmapFile(t.path, os.O_RDONLY, 0)
	if err != nil {
		if info, statErr := os.Stat(t.path); statErr != nil || info.Size() == 0 {
			return fmt.Errorf("%w: %w", errGone, err)
		}
		return err
	}
	defer func() { _ = file.Close(-1) }()
	return useFile(t, file, use)
}

func useFile(t liveTable, file *z.MmapFile, use func(liveTable, *z.MmapFile) error) error {
	err := guarded(func() error { return use(t, file) })
	if info, statErr := file.Fd.Stat(); err != nil && statErr == nil && info.Size() < int64(len(file.Data)) {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return err
}

// guarded returns also what would end the process: Badger panics on some
// damages, and so does reading a part of a mapped file that was cut, or that the
// disk cannot read.
func guarded(use func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = errors.New("not readable") // Badger's text shows keys
		}
	}()
	return use()
}
