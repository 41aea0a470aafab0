//go:build !linux

package badger

func exchange(dir, fresh string) error { return exchangeByRenames(dir, fresh) }
