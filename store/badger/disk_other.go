//go:build !linux && !darwin && !freebsd

package badger

import "errors"

func diskFree(string) (uint64, error) {
	return 0, errors.New("not known on this system")
}
