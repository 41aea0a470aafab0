package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const commitLogSuffix = ".mem"

// dropBegunLogs removes logs of a process that was killed between making the
// file and giving it its size, over which Badger does not open. Nothing was
// written to them. It is for whoever holds the lock on dir.
func dropBegunLogs(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+commitLogSuffix))
	if err != nil {
		return fmt.Errorf("badger: %w", err)
	}
	var errs []error
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil {
			errs = append(errs, err)
		} else if info.Size() == 0 {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}
