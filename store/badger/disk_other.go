//go:build !linux && !darwin && !freebsd

package badger

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

func diskFree(string) (uint64, error) {
	return 0, errors.New("not known on this system")
}

// lockDir leaves the lock to Badger: here a second one cannot be taken and
// given back.
func lockDir(dir string) (io.Closer, error) { return os.Open(dir) }

func openPlain(path string) (*os.File, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

func diskBytes(info fs.FileInfo) int64 { return info.Size() }

func ownerOf(fs.FileInfo) (uid int, known bool) { return 0, false }

// fileMark does not know here what tells a file from its copy.
func fileMark(string) (string, error) { return "", errors.ErrUnsupported }

func sameFileSystem(string) error { return nil }
