package badger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// sizeOnly is a mark that a flipped bit does not change, nor a copy. The disk
// flips bits without telling the file system.
func sizeOnly(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(info.Size()), nil
}

// gate counts the tables that are read, and holds each until it is opened.
type gate struct {
	reads   atomic.Int32
	reached chan struct{} // gets a value for each
	open    chan struct{}
}

func newGate() *gate { return &gate{reached: make(chan struct{}, 100), open: make(chan struct{})} }

func (g *gate) readTable(t liveTable) error {
	g.reads.Add(1)
	g.reached <- struct{}{}
	<-g.open
	return readTable(t)
}

// closedCleanly is a store with several tables, which was closed.
func closedCleanly(t *testing.T, opts Options) (dir string) {
	t.Helper()
	dir = closedAfter(t, opts, 14)
	require.Greater(t, len(tablesIn(t, dir)), 2)
	return dir
}

// closedAfter is a store that was closed after some updates of 900 KB.
func closedAfter(t *testing.T, opts Options, updates int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := openStore(t, dir, opts)
	random := rand.NewChaCha8([32]byte{})
	for i := range updates {
		require.NoError(t, s.Update(context.Background(), func(tx store.Tx) error {
			value := make([]byte, 60_000)
			for j := range 15 {
				_, _ = random.Read(value)
				if err := tx.Put(fmt.Appendf(nil, "k%02d %02d", i, j), bytes.Clone(value)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	require.NoError(t, s.Close())
	require.FileExists(t, filepath.Join(dir, closedName))
	return dir
}

func tablesIn(t *testing.T, dir string) []liveTable {
	t.Helper()
	tables, err := liveTables(dir, engine.DefaultOptions(dir))
	require.NoError(t, err)
	return tables
}

// flip changes a bit as a disk does, in place.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	var one [1]byte
	_, err = file.ReadAt(one[:], at)
	require.NoError(t, err)
	one[0] ^= 1
	_, err = file.WriteAt(one[:], at)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

func TestAfterACleanCloseTablesAreReadWhileInUse(t *testing.T) {
	dir := closedCleanly(t, Options{})
	held := newGate()
	s := openStore(t, dir, Options{readTable: held.readTable})
	assert.NoFileExists(t, filepath.Join(dir, closedName), "a crash would look like a clean close")
	assert.NotNil(t, get(t, s, "k13 14"))
	put(t, s, "k", []byte("v"))
	assert.False(t, s.engine.isVerified())
	tables := tablesIn(t, dir)
	close(held.open)
	<-s.engine.verified
	assert.False(t, s.Stats().Damaged)
	assert.Len(t, tables, int(held.reads.Load()))
	require.NoError(t, s.Close())
	require.FileExists(t, filepath.Join(dir, closedName))
}

// TestWhateverIsNotACleanCloseIsReadFirst does something to a store that was
// closed cleanly: Open returns only after each table was read.
func TestWhateverIsNotACleanCloseIsReadFirst(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	edit := func(name string, fn func([]byte) []byte) func(*testing.T, string) string {
		return func(t *testing.T, dir string) string {
			change(t, filepath.Join(dir, name), fn)
			return dir
		}
	}
	same := func(text []byte) []byte { return text }
	tests := []struct {
		name    string
		after   func(t *testing.T, dir string) string // returns where the store is then
		later   time.Duration
		opts    Options
		because string
	}{
		{name: "a crash", opts: Options{fileMark: sizeOnly}, because: "not closed cleanly", after: func(t *testing.T, dir string) string {
			s := openStore(t, dir, Options{fileMark: sizeOnly, Now: func() time.Time { return start }})
			put(t, s, "k", []byte("v"))
			crashed := t.TempDir()
			copyDir(t, dir, crashed)
			return crashed
		}},
		{name: "a copy", because: "others", after: func(t *testing.T, dir string) string {
			copied := t.TempDir()
			copyDir(t, dir, copied)
			return copied
		}},
		{name: "too long ago", later: 24 * time.Hour, because: "too long ago"},
		{name: "an interval that is shorter now", later: time.Hour, opts: Options{VerifyInterval: time.Hour}, because: "too long ago"},
		{name: "a clock that was put back", later: -time.Second, because: "in the future"},
		{name: "a table that was written again", because: "others", after: func(t *testing.T, dir string) string {
			return edit(filepath.Base(tablesIn(t, dir)[0].path), same)(t, dir)
		}},
		{name: "a table put back from a copy", because: "others", after: func(t *testing.T, dir string) string {
			path := tablesIn(t, dir)[0].path
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.WriteFile(path, content, 0o600))
			return dir
		}},
		{name: "another list of tables", because: "others", after: edit(engine.ManifestFilename, same)},
		{name: "another last commit", because: "others", after: edit(sideName, same)},
		{name: "a note cut short", because: "not closed cleanly", after: edit(closedName, func(text []byte) []byte { return text[:len(text)/2] })},
		{name: "no note", because: "not closed cleanly", after: edit(closedName, func([]byte) []byte { return nil })},
		{name: "a note of another day", because: "others", after: edit(closedName, func(text []byte) []byte {
			return []byte(strings.Replace(string(text), `"verified":"2026-05-01T12`, `"verified":"2026-05-01T11`, 1))
		})},
		{name: "nothing that reads them later", opts: Options{VerifyInterval: -1}, because: "not read while it is in use"},
		{name: "a loss to be accepted", opts: Options{AcceptLoss: true}, because: "accepted"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			opts := test.opts
			opts.Now = func() time.Time { return start }
			dir := closedCleanly(t, opts)
			if test.after != nil {
				dir = test.after(t, dir)
			}
			log, counted := new(sharedLog), newGate()
			close(counted.open)
			opts.Logger = slog.New(slog.NewTextHandler(log, nil))
			opts.readTable = counted.readTable
			opts.Now = func() time.Time { return start.Add(test.later) }
			tables := tablesIn(t, dir)
			s := openStore(t, dir, opts)
			assert.True(t, s.engine.isVerified())
			assert.Len(t, tables, int(counted.reads.Load()))
			assert.Contains(t, log.String(), test.because)
			assert.NoFileExists(t, filepath.Join(dir, closedName))
		})
	}
}

// TestDamageAfterACleanClose flips bits all over a table of a closed store. The
// store is not opened, or says that it is damaged as soon as its tables were
// read, or nothing is amiss; the process goes on in any case.
func TestDamageAfterACleanClose(t *testing.T) {
	opts := Options{fileMark: sizeOnly}
	// A single table: Badger that cannot open one of several closes the others
	// while it is still opening them, which the race detector tells.
	dir := closedAfter(t, opts, 3)
	tables := tablesIn(t, dir)
	require.Len(t, tables, 1)
	name := filepath.Base(tables[0].path)
	info, err := os.Stat(filepath.Join(dir, name))
	require.NoError(t, err)
	var places []int64
	for part := range int64(20) {
		places = append(places, info.Size()*part/20)
	}
	for back := int64(1); back < 200; back += 7 { // index, its length and checksum
		places = append(places, info.Size()-back)
	}
	refused, noticed := 0, 0
	for _, at := range places {
		damaged := t.TempDir()
		copyDir(t, dir, damaged)
		flip(t, filepath.Join(damaged, name), at)
		log := new(sharedLog)
		opts.Logger = slog.New(slog.NewTextHandler(log, nil))
		opts.BallastBytes = -1
		s, err := Open(damaged, opts)
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged, "byte %d", at)
			refused++
			continue
		}
		<-s.engine.verified
		if !s.Stats().Damaged {
			require.NoError(t, s.Close())
			require.FileExists(t, filepath.Join(damaged, closedName))
			continue
		}
		noticed++
		assert.Contains(t, log.String(), name)
		require.NoError(t, s.Close())
		require.NoFileExists(t, filepath.Join(damaged, closedName), "the damage would be forgotten")
		_, err = Open(damaged, opts)
		require.ErrorIs(t, err, ErrDamaged)
	}
	t.Logf("%d places: %d refused, %d noticed later", len(places), refused, noticed)
	assert.GreaterOrEqual(t, refused, 20, "Badger would have ended the process")
	assert.GreaterOrEqual(t, noticed, 15)
}

// TestWhatBadgerDoesNotSurvive overwrites what it follows in a table before it
// compares a checksum: it would end the process.
func TestWhatBadgerDoesNotSurvive(t *testing.T) {
	opts := Options{fileMark: sizeOnly, BallastBytes: -1}
	dir := closedAfter(t, opts, 3)
	table := filepath.Base(tablesIn(t, dir)[0].path)
	content, err := os.ReadFile(filepath.Join(dir, table))
	require.NoError(t, err)
	p := partsOf(t, content)
	unknownKind := []byte{1 << 3, 99, 2 << 3} // the kind, and then the sum in what follows
	for name, c := range map[string]struct {
		at   int
		with []byte
	}{
		"nothing but zeros at the end":        {p.indexEnd, make([]byte, len(content)-p.indexEnd)},
		"an index longer than the file":       {p.indexEnd, []byte{0xff, 0xff, 0xff, 0xff}},
		"a checksum longer than the file":     {len(content) - 4, []byte{0xff, 0xff, 0xff, 0xff}},
		"a checksum as long as the file":      {len(content) - 4, binary.BigEndian.AppendUint32(nil, uint32(len(content)))},
		"an unknown kind of checksum":         {p.indexSum, unknownKind},
		"a block of more entries":             {p.lastBlockSum - 4, []byte{0, 1, 0, 0}},
		"a block of 4 billion entries":        {p.lastBlockSum - 4, []byte{0xff, 0xff, 0xff, 0xff}},
		"a block's checksum as long as it":    {p.index - 4, binary.BigEndian.AppendUint32(nil, uint32(p.index-p.lastBlock-2))},
		"an unknown kind of block's checksum": {p.lastBlockSum, unknownKind},
	} {
		t.Run(name, func(t *testing.T) {
			damaged := t.TempDir()
			copyDir(t, dir, damaged)
			file, err := os.OpenFile(filepath.Join(damaged, table), os.O_RDWR, 0)
			require.NoError(t, err)
			_, err = file.WriteAt(c.with, int64(c.at))
			require.NoError(t, err)
			require.NoError(t, file.Close())
			_, err = Open(damaged, opts)
			require.ErrorIs(t, err, ErrDamaged)
		})
	}
}

func TestAnAcceptedDamageIsNotForgotten(t *testing.T) {
	dir := closedCleanly(t, Options{fileMark: sizeOnly})
	flip(t, tablesIn(t, dir)[0].path, 3000)
	s := openStore(t, dir, Options{fileMark: sizeOnly, AcceptLoss: true})
	require.NoError(t, s.Close())
	_, err := Open(dir, Options{fileMark: sizeOnly, BallastBytes: -1})
	require.ErrorIs(t, err, ErrDamaged)
}

// TestClosedBeforeAllTablesWereRead closes while the first is being read. The
// next start may be a fast one, but the time counts on.
func TestClosedBeforeAllTablesWereRead(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	dir := closedCleanly(t, Options{Now: clock})
	now = now.Add(20 * time.Hour)
	held := newGate()
	s := openStore(t, dir, Options{Now: clock, readTable: held.readTable})
	<-held.reached
	closing := make(chan error)
	go func() { closing <- s.Close() }()
	<-s.engine.stop
	close(held.open)
	require.NoError(t, <-closing)
	assert.EqualValues(t, 1, held.reads.Load())

	now = now.Add(3 * time.Hour)
	s = openStore(t, dir, Options{Now: clock, readTable: held.readTable})
	<-s.engine.verified
	require.NoError(t, s.Close())
	now = now.Add(23 * time.Hour)
	again := newGate()
	s = openStore(t, dir, Options{Now: clock, readTable: again.readTable})
	<-again.reached // Open returned before
	close(again.open)
	<-s.engine.verified
	require.NoError(t, s.Close())
}

func TestATimeBeforeTheLastReadingIsKept(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	dir := closedCleanly(t, Options{Now: clock})
	for range 2 {
		now = now.Add(10 * time.Hour)
		held := newGate()
		s := openStore(t, dir, Options{Now: clock, readTable: held.readTable})
		<-held.reached
		closing := make(chan error)
		go func() { closing <- s.Close() }()
		<-s.engine.stop
		close(held.open)
		require.NoError(t, <-closing)
	}
	now = now.Add(4 * time.Hour)
	counted := newGate()
	close(counted.open)
	s := openStore(t, dir, Options{Now: clock, readTable: counted.readTable})
	assert.True(t, s.engine.isVerified(), "24 hours are over since they were all read")
	assert.NotZero(t, counted.reads.Load())
}

// TestAPurgeWaitsUntilTablesAreRead: it rewrites them, and Badger drops what it
// cannot read.
func TestAPurgeWaitsUntilTablesAreRead(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	dir := closedCleanly(t, Options{Now: clock})
	held := newGate()
	s := openStore(t, dir, Options{Now: clock, readTable: held.readTable, tick: time.Hour})
	require.NoError(t, s.engine.notePurge())
	now = now.Add(48 * time.Hour)
	s.engine.purgeIfDue()
	assert.Zero(t, s.Stats().Purges)
	purged := make(chan error)
	go func() { purged <- s.Purge() }()
	close(held.open)
	require.NoError(t, <-purged)
	assert.True(t, s.engine.isVerified())
	now = now.Add(48 * time.Hour)
	s.engine.purgeIfDue()
	assert.EqualValues(t, 2, s.Stats().Purges)
}

func TestAPurgeEndsWithTheStore(t *testing.T) {
	dir := closedCleanly(t, Options{})
	held := newGate()
	s := openStore(t, dir, Options{readTable: held.readTable})
	purged := make(chan error)
	go func() { purged <- s.Purge() }()
	<-held.reached
	closing := make(chan error)
	go func() { closing <- s.Close() }()
	require.ErrorIs(t, <-purged, store.ErrClosed)
	close(held.open)
	require.NoError(t, <-closing)
}

// A purge from outside may meet the end of the store at any moment: it harms
// neither, and the close is a clean one.
func TestAPurgeBesideAClose(t *testing.T) {
	dir := closedCleanly(t, Options{})
	for range 10 {
		s, err := Open(dir, Options{BallastBytes: -1})
		require.NoError(t, err)
		put(t, s, "k", []byte("v"))
		<-s.engine.verified
		purged := make(chan error)
		go func() { purged <- s.Purge() }()
		require.NoError(t, s.Close())
		if err := <-purged; err != nil {
			require.ErrorIs(t, err, store.ErrClosed)
		}
		require.FileExists(t, filepath.Join(dir, closedName))
		require.ErrorIs(t, s.Purge(), store.ErrClosed)
		require.False(t, s.Stats().Broken)
	}
}

// What is in the file is read by later versions.
func TestTheNoteIsWhatItWas(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 5, 1, 12, 0, 0, 5, time.UTC)
	s := openStore(t, dir, Options{
		Now:      func() time.Time { return now },
		fileMark: func(string) (string, error) { return "mark", nil },
	})
	require.NoError(t, s.Close())
	text, err := os.ReadFile(filepath.Join(dir, closedName))
	require.NoError(t, err)
	assert.Equal(t, `{"verified":"2026-05-01T12:00:00.000000005Z","closed":"2026-05-01T12:00:00.000000005Z",`+
		`"files":"14e038069cd5cd970ed218ca169bb65f4755b9d8dc64c690e574ebc597b079b2"}`+"\n", string(text))
}

func FuzzNote(f *testing.F) {
	f.Add([]byte(`{"verified":"2026-05-01T12:00:00Z","closed":"2026-05-01T12:00:00Z","files":"00"}`))
	f.Add([]byte("{"))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, closedName)
		require.NoError(t, os.WriteFile(path, text, 0o600))
		note, err := takeNote(dir)
		require.NoError(t, err)
		require.NoFileExists(t, path)
		b := &bdb{dir: dir, opts: Options{Now: time.Now, VerifyInterval: time.Hour, fileMark: sizeOnly}}
		require.NotEmpty(t, b.doubt(note, nil))
	})
}
