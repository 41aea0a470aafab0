package badger

import (
	"fmt"
	"log/slog"
	"strings"
)

// logger gives Badger's messages to slog. Its informational ones are about
// compactions and tables, which is debugging to everybody else.
type logger struct{ to *slog.Logger }

func (l logger) Errorf(format string, args ...any) {
	l.to.Error("badger", message(format, args))
}

func (l logger) Warningf(format string, args ...any) {
	l.to.Warn("badger", message(format, args))
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
