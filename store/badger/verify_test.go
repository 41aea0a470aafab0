package badger

import (
	"os"
	"testing"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/ristretto/v2/z"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestACutTableDoesNotEndTheProcess: Badger cuts the file of a table that a
// compaction has replaced, and reading behind the end of a mapped file is SIGBUS.
func TestACutTableDoesNotEndTheProcess(t *testing.T) {
	table := tablesIn(t, closedCleanly(t, Options{}))[0]
	require.NoError(t, readTable(table))
	file, err := z.OpenMmapFile(table.path, os.O_RDONLY, 0)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(table.path, 0))
	require.Error(t, guarded(func() error { return openTable(table, file) }))
	require.ErrorIs(t, openable(table), errLengths)
	require.NoError(t, file.Close(-1))
	require.ErrorIs(t, readTable(table), errGone)
	require.NoError(t, os.Remove(table.path))
	require.ErrorIs(t, readTable(table), errGone)
}

// TestATableReplacedWhileItIsRead has a compaction in the middle of a check.
func TestATableReplacedWhileItIsRead(t *testing.T) {
	replaced := 0
	var s *Store
	opts := Options{readTable: func(table liveTable) error {
		if s == nil { // opening
			return readTable(table)
		}
		file, err := z.OpenMmapFile(table.path, os.O_RDONLY, 0)
		require.NoError(t, err)
		if replaced == 0 {
			require.NoError(t, s.Purge())
		}
		replaced++
		err = useFile(table, file, openTable)
		require.ErrorIs(t, err, errGone)
		return err
	}}
	s = openStore(t, t.TempDir(), opts)
	for i := range 10 {
		put(t, s, string(rune('a'+i)), make([]byte, 2000))
	}
	require.NoError(t, s.Purge())
	s.engine.verifyAgain()
	assert.Equal(t, 1, replaced)
	assert.False(t, s.Stats().Damaged)
}

// TestATableThatIsGone is one that the store still needs.
func TestATableThatIsGone(t *testing.T) {
	dir := closedCleanly(t, Options{})
	s, err := Open(dir, Options{BallastBytes: -1})
	require.NoError(t, err)
	<-s.engine.verified
	tables, err := liveTables(dir, engine.DefaultOptions(dir))
	require.NoError(t, err)
	require.NoError(t, os.Rename(tables[0].path, tables[0].path+".away"))
	s.engine.verifyAgain()
	assert.True(t, s.Stats().Damaged)
	require.NoError(t, os.Rename(tables[0].path+".away", tables[0].path))
	require.NoError(t, s.Close())
}
