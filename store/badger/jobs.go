package badger

import (
	"log/slog"
	"runtime/debug"
	"slices"
	"time"
)

const (
	purgeLook    = 5   // ticks between two looks whether a purge is due
	burstCommits = 200 // make a collection worth it; each may be of hundreds of updates
)

// releaseTicks are the ticks without a commit after which memory is handed back.
var releaseTicks = [...]int{10, 14, 30}

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
// Badger's table builders keep their buffers for the next one. Their pool lets
// go of one of its eight in two seconds, once nothing is built any more, so that
// it takes more than one attempt.
type releaser struct {
	release  func()
	base     uint64 // commits before the burst
	previous uint64
	idle     int // ticks without a commit
}

func (r *releaser) tick(commits uint64) {
	if commits != r.previous {
		r.previous, r.idle = commits, 0
		return
	}
	r.idle++
	if commits-r.base < burstCommits || !slices.Contains(releaseTicks[:], r.idle) {
		return
	}
	if r.idle == releaseTicks[len(releaseTicks)-1] {
		r.base = commits
	}
	r.release()
}
