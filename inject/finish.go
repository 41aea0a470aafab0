package inject

import (
	"bufio"
	"errors"
	"log/slog"
	"net"
	"net/http"
)

// finish is called when next has returned and sends what is still held. It
// returns the error of next (rule 20).
func (w *writer) finish(err error) error {
	w.finished = true
	switch {
	case err != nil && !w.sent && w.received == 0:
		// Whoever handles the error owns the response.
		w.outcome, w.settled = SkippedError, true
		return err
	case !w.wroteHeader:
		w.outcome, w.settled = SkippedEmpty, true
		return err
	}
	writeErr := w.end()
	if w.outcome == Injected {
		dropTrailers(w.rw.Header())
	}
	if err == nil && errors.Is(writeErr, errCorrupt) {
		// The client has a part of a page whose rest cannot be decoded. Only a
		// broken connection tells it so.
		panic(http.ErrAbortHandler)
	}
	if writeErr != nil {
		w.in.logger.Debug("could not send the end of a page", slog.Any("error", writeErr))
	}
	return err
}

// end settles what the end of the body settles.
func (w *writer) end() error {
	if w.decoder != nil {
		if err := w.decoder.end(); err != nil {
			return err
		}
	}
	if w.mode == modeSniff && len(w.pend) > 0 {
		if err := w.endSniff(); err != nil {
			return err
		}
	}
	switch w.mode {
	case modeSniff:
		w.pass(SkippedEmpty)
	case modeScan:
		cut := w.scanner.end()
		return w.settle(nil, cut)
	}
	return nil
}

// close gives back what was borrowed and reports the outcome, also when next
// panicked.
func (w *writer) close() {
	if w.decoder != nil {
		w.decoder.close()
	}
	giveBack(w.pendBuf)
	w.pendBuf, w.pend = nil, nil
	if !w.settled && !w.finished {
		w.outcome = SkippedError
	}
	w.in.observe(w.outcome)
}

// Hijack hands the connection over; whatever was held is void.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.rw).Hijack()
	if err == nil {
		w.wroteHeader, w.sent = true, true
		w.mode = modePass
		w.pend = w.pend[:0]
		w.outcome, w.settled = SkippedHijacked, true
	}
	return conn, rw, err
}
