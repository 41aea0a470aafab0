package caddymodule

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// logRelay is where a pooled store logs to. The store outlives the
// configuration that opened it, whose log files are closed when it ends, so
// what it says goes to the newest configuration that holds it.
type logRelay struct {
	mu      sync.RWMutex
	loggers []*slog.Logger // of the configurations that hold the store, newest last; never empty
}

func newLogRelay(first *slog.Logger) *logRelay { return &logRelay{loggers: []*slog.Logger{first}} }

// add makes log the newest.
func (r *logRelay) add(log *slog.Logger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loggers = append(r.loggers, log)
}

// drop forgets log; the last one stays.
func (r *logRelay) drop(log *slog.Logger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := slices.Index(r.loggers, log); at >= 0 && len(r.loggers) > 1 {
		r.loggers = slices.Delete(r.loggers, at, at+1)
	}
}

func (r *logRelay) newest() slog.Handler {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.loggers[len(r.loggers)-1].Handler()
}

// logger is what the store gets.
func (r *logRelay) logger() *slog.Logger {
	return slog.New(relayHandler{r.newest})
}

// relayHandler looks up the handler for every record.
type relayHandler struct{ handler func() slog.Handler }

func (h relayHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.handler().Enabled(ctx, level)
}

func (h relayHandler) Handle(ctx context.Context, record slog.Record) error {
	return h.handler().Handle(ctx, record)
}

func (h relayHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return relayHandler{func() slog.Handler { return h.handler().WithAttrs(attrs) }}
}

func (h relayHandler) WithGroup(name string) slog.Handler {
	return relayHandler{func() slog.Handler { return h.handler().WithGroup(name) }}
}
