package badger

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
)

// logger gives Badger's messages to slog. Its informational ones are about
// compactions and tables, which is debugging to everybody else.
type logger struct {
	to     *slog.Logger
	giveUp *giveUp // nil: never
}

func (l logger) Errorf(format string, args ...any) {
	l.to.Error("badger", message(format, args))
	l.giveUp.attempted(format)
}

func (l logger) Warningf(format string, args ...any) {
	if strings.HasPrefix(format, cacheSmall) || strings.HasPrefix(format, cacheLife) {
		l.Infof(format, args...)
		return
	}
	l.to.Warn("badger", message(format, args))
	l.giveUp.attempted(format)
}

func (l logger) Infof(format string, args ...any) {
	l.to.Debug("badger", message(format, args))
}

func (l logger) Debugf(format string, args ...any) {
	l.to.Debug("badger", message(format, args))
}

func message(format string, args []any) slog.Attr {
	return slog.String("message", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// How Badger's advice about its caches begins, two warnings a minute while much
// is read. Ours are small on purpose: tables are mapped, and the system's cache
// holds them.
const (
	cacheSmall = "%s might be too small"
	cacheLife  = "Cache life expectancy"
)

// giveUp ends the goroutines of Badger that repeat for ever what cannot
// succeed, and on which its Close waits for ever. They tell the logger of each
// attempt that failed. They hold nothing at that moment, and say in a deferred
// call that they ended, so that runtime.Goexit is to them like a return.
type giveUp struct {
	lost    *atomic.Bool // no attempt can succeed
	closing atomic.Bool  // somebody waits
	flushes atomic.Int32 // that failed while closing
}

// How the messages begin. Each is said by the goroutine's own loop and by
// nothing else.
const (
	flushFailed   = "error flushing memtable"
	compactFailed = "While running doCompact"
)

// Badger makes an attempt each second.
const flushAttempts = 3

func (g *giveUp) attempted(format string) {
	if g == nil {
		return
	}
	flush := strings.HasPrefix(format, flushFailed)
	if !flush && !strings.HasPrefix(format, compactFailed) {
		return
	}
	if g.lost.Load() || flush && g.closing.Load() && g.flushes.Add(1) >= flushAttempts {
		runtime.Goexit()
	}
}
