//go:build linux

package badger

import (
	"bufio"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPowerCutLosesNothingAcknowledged stops a writing process, copies the
// image of the disk it writes to, and opens the store on the copy: what the
// kernel had not written to the disk by then is missing, as after a power cut.
func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("copies disk images: run without -short")
	}
	images, disk := t.TempDir(), t.TempDir()
	image := filepath.Join(images, "image")
	if run("truncate", "-s", "300M", image) != nil || run("mkfs.ext4", "-q", image) != nil || !mountImage(t, image, disk) {
		t.Skip("needs mkfs.ext4 and the right to mount an image: run as root")
	}
	lost := cutRound(t, image, filepath.Join(images, "copy"), filepath.Join(disk, "store"), "")
	assert.Zero(t, lost)
	// The same without syncing, or the test would prove nothing.
	assert.Positive(t, cutRound(t, image, filepath.Join(images, "copy2"), filepath.Join(disk, "unsynced"), "1"),
		"nothing is lost without syncs either")
}

// cutRound writes to the store in dir, on the mounted image, until the power
// goes, and returns how many acknowledged updates are missing then.
func cutRound(t *testing.T, image, cut, dir, unsynced string) int {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir, childDir+"_ROUND=0", childDir+"_UNSYNCED="+unsynced)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	var keys []string
	lines := bufio.NewScanner(out)
	for n := 3000 + rand.IntN(3000); lines.Scan(); {
		require.NotContains(t, lines.Text(), "error")
		if keys = append(keys, lines.Text()); len(keys) == n {
			require.NoError(t, child.Process.Signal(syscall.SIGSTOP))
			require.NoError(t, run("cp", "--sparse=always", image, cut))
			require.NoError(t, child.Process.Kill())
		}
	}
	require.Error(t, child.Wait())
	keys = keys[:len(keys)-1]

	after := t.TempDir()
	require.True(t, mountImage(t, cut, after))
	s, err := Open(filepath.Join(after, filepath.Base(dir)), Options{BallastBytes: -1, AcceptLoss: unsynced != "", DiskFree: plenty})
	require.NoError(t, err)
	lost := 0
	for _, key := range keys {
		if string(get(t, s, "a"+key)) != key || string(get(t, s, "b"+key)) != key {
			lost++
		}
	}
	require.NoError(t, s.Close())
	t.Logf("%d of %d acknowledged updates lost", lost, len(keys))
	return lost
}

func run(name string, args ...string) error { return exec.Command(name, args...).Run() }

func mountImage(t *testing.T, image, dir string) bool {
	if run("mount", "-o", "loop", image, dir) != nil {
		return false
	}
	t.Cleanup(func() { assert.NoError(t, run("umount", "-d", "-l", dir)) })
	return true
}
