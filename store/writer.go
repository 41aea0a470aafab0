package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"
)

// maxTries is how often one Update that lost a race is run again before its
// caller is told to come back. The pauses between add up to about a second.
const maxTries = 12

// writer is the state of the Group's one writing goroutine.
type writer struct {
	todo    []*request // taken from the queue, not answered yet
	running *request   // whose fn runs
	batch   overlay    // writes of the requests that are ready to commit
	own     overlay    // writes of the one that runs

	cache    *cache // nil without one
	answered int    // requests at the last answer
}

// loop serves the queue until it is closed and empty. When a function ends its
// goroutine (runtime.Goexit, as a failed test assertion does), the loop goes on
// in another one.
func (g *Group) loop() {
	over := false
	defer func() {
		if over {
			close(g.stopped)
			return
		}
		if r := g.w.running; r != nil && r.goexit {
			g.w.running = nil
			for i := range g.w.todo {
				if g.w.todo[i] == r {
					g.w.todo = append(g.w.todo[:i], g.w.todo[i+1:]...)
					break
				}
			}
			r.answer()
			go g.loop()
		}
	}()
	for g.take() {
		g.serve()
	}
	over = true
}

// take waits for a request and takes those behind it without waiting.
func (g *Group) take() bool {
	if len(g.w.todo) > 0 {
		return true
	}
	for r := range g.queue {
		g.claim(r)
		if g.w.answered > 1 {
			// Those just answered often come again at once. Let them: else they
			// wait for the next commit, and batches stay half as large.
			runtime.Gosched()
		}
		g.takeWaiting()
		if len(g.w.todo) > 0 {
			return true
		}
	}
	return false
}

// takeWaiting takes what is in the queue, as far as it fits into a batch.
func (g *Group) takeWaiting() {
	for len(g.w.todo) < g.opts.Batch {
		select {
		case r, open := <-g.queue:
			if !open {
				return
			}
			g.claim(r)
		default:
			return
		}
	}
}

func (g *Group) claim(r *request) {
	if r.state.CompareAndSwap(stateWaiting, stateTaken) {
		g.w.todo = append(g.w.todo, r)
	}
}

// serve answers everything taken. A batch that lost a race or is too large for
// the engine is tried again by halves, so that one request cannot hold up or
// spoil the others for long.
func (g *Group) serve() {
	size := len(g.w.todo)
	for len(g.w.todo) > 0 {
		n, err := g.attempt(g.w.todo[:min(size, len(g.w.todo))])
		switch {
		case err == nil:
			g.finish(n, nil)
			size = len(g.w.todo)
		case n > 1 && divisible(err):
			g.stats.retries.Add(1)
			size = n / 2
		case errors.Is(err, ErrConflict) && g.w.todo[0].lost < maxTries:
			g.stats.retries.Add(1)
			size = g.postpone()
		case errors.Is(err, ErrConflict):
			g.finish(1, fmt.Errorf("%w: %d attempts lost their race", ErrUnavailable, maxTries+1))
			size = len(g.w.todo)
		default:
			g.stats.failed.Add(1)
			g.finish(n, err)
			size = len(g.w.todo)
		}
	}
}

// postpone puts the first request, which lost a race by itself, behind those
// that wait, and returns how many to try next. It pauses only when none waits.
func (g *Group) postpone() int {
	r := g.w.todo[0]
	r.lost++
	g.w.todo = append(g.w.todo[:0], g.w.todo[1:]...)
	g.takeWaiting()
	others := len(g.w.todo)
	g.w.todo = append(g.w.todo, r)
	if first := g.w.todo[0]; first.lost > 0 { // only losers are left
		pause(first.lost - 1)
		return 1
	}
	return others
}

// divisible says that fewer requests may succeed where all together failed.
func divisible(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrInvalid)
}

// pause waits before another attempt: the more were lost the longer, and by
// chance, so that two processes do not meet again in step.
func pause(tries int) {
	limit := time.Millisecond << min(tries, 8)
	time.Sleep(time.Duration(rand.Int64N(int64(limit))))
}

// finish answers the first n requests: with err, or with what their functions
// returned. That waits for the commit even where a function failed, because
// what it read may have been written by a request before it.
func (g *Group) finish(n int, err error) {
	g.stats.requests.Add(uint64(n)) // before anybody can look
	for i, r := range g.w.todo[:n] {
		if err != nil {
			r.err, r.panic = err, nil
		}
		g.w.todo[i] = nil
		r.answer()
	}
	g.w.answered = n
	g.w.todo = g.w.todo[n:]
	if len(g.w.todo) == 0 {
		g.w.todo = nil
	}
}

// attempt runs reqs on a fresh snapshot and commits what the first n of them
// wrote, n being as many as one commit of the engine takes.
func (g *Group) attempt(reqs []*request) (n int, err error) {
	batch, err := g.engine.Begin()
	if err != nil {
		return len(reqs), err
	}
	defer batch.Discard()
	g.w.batch.reset()
	if fetcher, ok := batch.(Fetcher); ok {
		n, err = g.runInRounds(newRounds(fetcher), reqs)
	} else {
		n, _ = g.run(g.cached(batch), reqs)
	}
	if err != nil {
		return len(reqs), err
	}
	if len(g.w.batch.writes) == 0 {
		return n, nil
	}
	start := g.opts.Now()
	err = batch.Commit(g.w.batch.writes)
	g.stats.commit(g.opts.Now().Sub(start), n, len(g.w.batch.writes), err)
	if g.w.cache != nil {
		if err == nil {
			g.w.cache.committed(&g.w.batch)
		} else if errors.Is(err, ErrUnknown) {
			g.w.cache.clear()
		}
	}
	return n, err
}

func (g *Group) cached(batch Batch) Reader {
	if g.w.cache == nil {
		return batch
	}
	return cachedReader{batch, g.w.cache}
}

// run runs reqs one after the other and keeps the writes of those that
// succeed. It ends before the first that no longer fits into the commit, which
// full tells. Once one missed a read, those behind it run only to learn what
// they are going to read: what it will write is not known yet.
func (g *Group) run(reader Reader, reqs []*request) (n int, full bool) {
	missed := false
	for _, r := range reqs {
		g.w.own.reset()
		if g.call(r, reader); errors.Is(r.err, errMissed) {
			missed = true
		}
		if missed {
			continue
		}
		if r.err == nil && r.panic == nil {
			if !g.fits() {
				return n, true
			}
			g.w.batch.absorb(&g.w.own)
		}
		n++
	}
	return n, false
}

// fits says whether the writes of the request that ran fit into the commit. The
// first always do: a commit takes what one request may write.
func (g *Group) fits() bool {
	batch, own := &g.w.batch, &g.w.own
	return len(batch.writes) == 0 || len(batch.writes)+len(own.writes) <= g.limits.Writes && batch.bytes+own.bytes <= g.limits.Bytes
}

// runInRounds runs reqs until none of them misses a read any more, and returns
// how many of them are ready to commit.
func (g *Group) runInRounds(reads *rounds, reqs []*request) (int, error) {
	ready := 0
	for {
		n, full := g.run(reads, reqs[ready:])
		ready += n
		if full || ready == len(reqs) {
			return ready, nil
		}
		if err := reads.fetch(); err != nil {
			return 0, err
		}
	}
}

// call runs the function of r and notes its outcome.
func (g *Group) call(r *request, reader Reader) {
	t := &tx{reader: reader, batch: &g.w.batch, own: &g.w.own}
	r.err, r.panic = nil, nil
	g.w.running = r
	returned := false
	defer func() { t.err = errTxOver }() // last
	defer func() {
		if !returned {
			value := recover()
			if value == nil {
				r.goexit = true // see loop
				return
			}
			r.panic = &Panic{Value: value, Stack: debug.Stack()}
		}
		g.w.running = nil
		switch {
		case errors.Is(t.err, errMissed):
			r.err, r.panic = errMissed, nil
		case r.err == nil:
			r.err = t.err
		}
	}()
	r.err = r.fn(t)
	returned = true
}
