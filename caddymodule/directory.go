package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// canonicalDir is the one name of a directory, existing or not, so that two
// ways of writing it meet in the same store.
func canonicalDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("store directory: %w", err)
	}
	// What does not exist yet cannot be a link: resolve what stands before it.
	missing := ""
	for at := abs; ; at = filepath.Dir(at) {
		resolved, err := filepath.EvalSymlinks(at)
		if err == nil {
			return filepath.Join(resolved, missing), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			// Not readable, say. Opening it tells the reason.
			return abs, nil
		}
		missing = filepath.Join(filepath.Base(at), missing)
	}
}
