package tracker

import (
	"errors"
	"fmt"
	"sync"
)

// lot is things that are done, several at a time, of which some may fail.
type lot struct {
	slots chan struct{}
	under sync.WaitGroup

	mu   sync.Mutex
	errs []error
	more int  // errors that are not in errs
	away bool // one of them was the store's
}

// toldErrors is how many errors of a lot are told in full.
const toldErrors = 10

func newLot(atOnce int) *lot { return &lot{slots: make(chan struct{}, atOnce)} }

// do begins one of them as soon as there is room, unless the lot has stopped.
func (l *lot) do(one func() error) {
	if l.stopped() {
		return
	}
	l.slots <- struct{}{}
	l.under.Go(func() {
		defer func() { <-l.slots }()
		l.failed(one())
	})
}

// failed takes note of an error, if it is one.
func (l *lot) failed(err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = l.away || Unavailable(err)
	if len(l.errs) < toldErrors {
		l.errs = append(l.errs, err)
	} else {
		l.more++
	}
}

// stopped says that the store is away, and the others would fail as well.
func (l *lot) stopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.away
}

// wait returns once all are done, with what went wrong.
func (l *lot) wait() error {
	l.under.Wait()
	if l.more > 0 {
		return errors.Join(append(l.errs, fmt.Errorf("and %d more", l.more))...)
	}
	return errors.Join(l.errs...)
}
