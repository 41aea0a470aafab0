//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSmoke builds and reads a small store. It expects no figure: that whatever
// is read was found is what the reads insist on.
func TestSmoke(t *testing.T) {
	o := options{people: 300, visitors: 100, events: 3, merged: 150, reads: 20, check: true, dir: t.TempDir()}
	var out bytes.Buffer
	require.NoError(t, run(o, &out))
	for _, line := range []string{"300 people and 100 visitors", "opened in", "person with the newest 50 events", "a whole e-mail", "merge of a visitor with 150 events", "the same again", "checked "} {
		assert.Contains(t, out.String(), line)
	}
	left, err := os.ReadDir(o.dir)
	require.NoError(t, err)
	assert.Empty(t, left, "the store was removed")
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	var out bytes.Buffer
	assert.Error(t, run(options{people: 1, events: 1, reads: 100, merged: 1}, &out))
	assert.Error(t, run(options{people: 1000, events: 0, reads: 100, merged: 1}, &out))
}

func TestSizeOf(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), make([]byte, 1000), 0o600))
	size, err := sizeOf(dir)
	require.NoError(t, err)
	assert.InDelta(t, 1000, size, 0)
}
