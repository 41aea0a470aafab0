package badger

import (
	"log/slog"
	"runtime/debug"
	"time"
)

const (
	idleTicks    = 10  // ticks without a commit after which memory is handed back
	purgeLook    = 5   // ticks between two looks whether a purge is due
	burstCommits = 200 // before that make it worth a collection; each may be of hundreds of updates
)

// start starts what runs beside the writer.
func (b *bdb) start() {
	b.jobs.Go(b.everyTick)
	b.jobs.Go(func() { b.every(purgeLook*b.opts.tick, b.purgeIfDue) })
	if b.opts.VerifyInterval > 0 {
		b.jobs.Go(func() {
			if !b.isVerified() {
				b.verifyAgain()
			}
			b.every(b.opts.VerifyInterval, b.verifyAgain)
		})
	}
	if b.opts.GCInterval > 0 {
		b.jobs.Go(func() { b.every(b.opts.GCInterval, b.collect) })
	}
}

func (b *bdb) every(interval time.Duration, job func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-ticker.C:
			job()
		}
	}
}

// everyTick watches the disk, notes the last commit and hands memory back.
func (b *bdb) everyTick() {
	memory := releaser{release: func() {
		if forget := b.forget.Load(); forget != nil {
			(*forget)()
		}
		debug.FreeOSMemory()
	}}
	failed := false
	b.every(b.opts.tick, func() {
		if b.presence.look() {
			return // whatever is there now is not ours
		}
		b.disk.check()
		last := b.committed.Load()
		err := b.side.write(last)
		if err != nil && !failed {
			b.log.Warn("last commit not noted", slog.Any("error", err))
		}
		failed = err != nil
		memory.tick(last)
	})
}

// releaser hands memory back to the system once a burst of writes is over:
// Badger's table builders keep their buffers for the next one, hundreds of
// megabytes after minutes of load.
type releaser struct {
	release  func()
	base     uint64 // commits at the last release
	previous uint64
	idle     int
}

func (r *releaser) tick(commits uint64) {
	if commits != r.previous {
		r.previous, r.idle = commits, 0
		return
	}
	r.idle++
	if r.idle == idleTicks && commits-r.base >= burstCommits {
		r.base = commits
		r.release()
	}
}
