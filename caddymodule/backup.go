package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/livechat-people/caddy-people-tracking/store"
)

const (
	backupPath = "/people_tracking/backup"

	// mostBackups at a time: each one reads the whole store, and holds a
	// snapshot that keeps deleted data from being dropped.
	mostBackups = 2
	// stalled is how long a client may take no bytes of its backup.
	stalled = time.Minute
)

// backups are those under way in this process.
var backups = make(chan struct{}, mostBackups)

// serveBackup streams one snapshot of the running configuration's store. The
// format has an end of its own, and a backup that fails half-way breaks the
// connection as well: nobody takes a part for the whole.
func serveBackup(w http.ResponseWriter, r *http.Request) error {
	if err := takes(w, r, http.MethodGet); err != nil {
		return err
	}
	app, err := runningApp()
	if err != nil {
		return refused(err)
	}
	pooled, err := app.lease.take()
	if err == nil {
		_, err = pooled.current()
	}
	if err != nil {
		return refused(errNoStore)
	}
	select {
	case backups <- struct{}{}:
		defer func() { <-backups }()
	default:
		w.Header().Set("Retry-After", "60")
		return caddy.APIError{HTTPStatus: http.StatusTooManyRequests, Message: strconv.Itoa(mostBackups) + " backups are running already"}
	}
	pooled.backUp(w, r, app.log)
	return nil
}

// backUp writes the backup to w, until the store is to be closed: the end of
// the process, or a configuration with another store, waits for no backup.
func (p *pooledStore) backUp(w http.ResponseWriter, r *http.Request, log *slog.Logger) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := &backupResponse{ResponseWriter: w, control: http.NewResponseController(w), ended: ctx.Done()}
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-p.stop:
			cancel()
			out.interrupt()
		case <-done:
		}
	})
	defer watching.Wait()
	defer close(done)
	engine, err := p.current()
	if err == nil {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="people.backup"`)
		w.Header().Set("Cache-Control", "no-store")
		var entries uint64
		started := time.Now()
		if entries, err = store.Backup(ctx, engine, out); err == nil {
			out.release()
			log.Info("backup sent", slog.Uint64("entries", entries), slog.Duration("took", time.Since(started)))
			return
		}
	}
	level := slog.LevelError
	if errors.Is(err, context.Canceled) {
		level = slog.LevelWarn
	}
	log.Log(context.WithoutCancel(ctx), level, "backup not completed", slog.Any("error", err))
	panic(http.ErrAbortHandler) // breaks the connection, and is logged by nobody
}

// backupResponse bounds how long each write may wait for the client.
type backupResponse struct {
	http.ResponseWriter
	control *http.ResponseController
	ended   <-chan struct{} // of the context
}

func (b *backupResponse) Write(data []byte) (int, error) {
	if err := b.control.SetWriteDeadline(time.Now().Add(stalled)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	select {
	case <-b.ended: // interrupt came before the deadline above
		return 0, context.Canceled
	default:
		return b.ResponseWriter.Write(data)
	}
}

// interrupt ends a write that waits, once the context has ended.
func (b *backupResponse) interrupt() { _ = b.control.SetWriteDeadline(time.Now()) }

// release leaves the connection as it was.
func (b *backupResponse) release() { _ = b.control.SetWriteDeadline(time.Time{}) }
