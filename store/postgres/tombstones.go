package postgres

import (
	"context"
	"log/slog"
	"time"
)

// A deleted key keeps its row for a while, with an empty value and the time of
// its deletion. A batch that read the key as absent before another process made
// and deleted it would find nothing otherwise, and write the guard of something
// that has changed.
const (
	// tombstoneLife is how long, by the clock of the database.
	tombstoneLife = 10 * time.Minute
	// maxBatchAge is how old a batch may be when it commits. With the time that
	// a deletion takes to be committed itself it stays well below tombstoneLife.
	maxBatchAge = 2 * time.Minute

	tidyEvery = time.Minute
	tidyRows  = 5000 // of one statement
)

// startTidying removes old rows of deleted keys until Close. Several processes
// may do it at once.
func (p *pg) startTidying() {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.tidied.Go(func() {
		ticker := time.NewTicker(tidyEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if _, err := p.tidy(ctx); err != nil && ctx.Err() == nil {
					p.opts.Logger.Debug("rows of deleted keys not removed", slog.Any("error", safe(err)))
				}
			}
		}
	})
}

// tidy removes what is old enough, and returns how many rows that were.
func (p *pg) tidy(ctx context.Context) (rows int64, err error) {
	for {
		timeout, cancel := context.WithTimeout(ctx, p.opts.Timeout)
		tag, err := p.pool.Exec(timeout, p.sql.tidy, tidyRows)
		cancel()
		rows += tag.RowsAffected()
		if err != nil || tag.RowsAffected() < tidyRows {
			return rows, err
		}
	}
}
