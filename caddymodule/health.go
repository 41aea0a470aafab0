package caddymodule

import (
	"context"
	"errors"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// Why calls are not recorded, in words for whoever asks the admin endpoint.
// The causes are in the log.
var (
	errNoStore  = errors.New("the store is not open")
	errNotYet   = errors.New("the store is not open yet")
	errHeld     = errors.New("the store is not open: another process holds its directory")
	errBehind   = errors.New("the store is not open: it ends before what was acknowledged")
	errDamaged  = errors.New("the store is not open: a table is damaged")
	errSilent   = errors.New("the store does not answer")
	errDiskFull = errors.New("the disk is almost full")
	errLost     = errors.New("the store's directory was removed or replaced")
	errBroken   = errors.New("a write to the disk failed")
	errCorrupt  = errors.New("a table of the store is damaged, and what it held is lost: restore a backup")
	errOutdated = errors.New("the store was written by a newer version of this program")
)

// ready says why calls are not recorded at the moment, or why sessions do not
// end (B36), nil when all is well.
func (a *App) ready(ctx context.Context) error {
	engine, err := a.lease.engine()
	if err != nil {
		return notOpen(a.lease.cause())
	}
	if e, ok := engine.(*badger.Store); ok {
		if err := refusing(e.Stats()); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	switch err := engine.View(ctx, tracker.CheckLayout); {
	case errors.Is(err, tracker.ErrNewer):
		return errOutdated
	case err != nil:
		return errSilent
	}
	return a.clock.Doubt()
}

// notOpen says why a store is not open, in words without any detail.
func notOpen(cause error) error {
	switch {
	case errors.Is(cause, errOpening):
		return errNotYet
	case errors.Is(cause, store.ErrLocked):
		return errHeld
	case errors.Is(cause, tracker.ErrNewer):
		return errOutdated
	case errors.Is(cause, badger.ErrDamaged): // which may be why commits are missing
		return errDamaged
	case errors.Is(cause, badger.ErrBehind):
		return errBehind
	}
	return errNoStore
}

// refusing says why a store that is open refuses updates or has lost some, nil
// when all is well.
func refusing(s badger.Stats) error {
	switch {
	case s.Lost:
		return errLost
	case s.Broken:
		return errBroken
	case s.DiskFull:
		return errDiskFull
	case s.Damaged:
		return errCorrupt
	}
	return nil
}

// readyTimeout is how long a store may take to answer a probe.
const readyTimeout = 2 * time.Second
