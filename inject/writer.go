package inject

import (
	"io"
	"net/http"
	"strconv"
)

const (
	// holdMax bounds how much of a page of known length is held so that its
	// Content-Length can be exact (rule 14), in bytes.
	holdMax = 16 << 10
	// sniffLen is how many bytes net/http looks at to guess a missing Content-Type.
	sniffLen = 512
)

type mode uint8

const (
	modePass  mode = iota // bytes go straight through
	modeSniff             // Content-Type is missing: hold what is needed to guess it
	modeScan              // the place is being sought
)

// writer is what the next handler writes to. It notes the status, decides at
// the first body byte, and turns into a pass-through as soon as the script is
// in or cannot be (rules 14 and 19).
type writer struct {
	rw         http.ResponseWriter
	in         *Injector
	req        *http.Request // as the client sent it
	validators validators

	status      int
	wroteHeader bool // by the handler
	sent        bool // on to rw
	mode        mode
	outcome     Outcome // valid once settled
	settled     bool
	finished    bool // next returned, it did not panic
	wantFlush   bool // flush with the first bytes

	scanner  scanner
	snippet  []byte
	length   int64 // declared Content-Length, -1 if none
	received int64 // body bytes seen
	pend     []byte
	pendBuf  *[]byte // owner of pend
	decoder  *decoder
	sniffed  bool     // the Content-Type was missing and is HTML
	policies []string // Content-Security-Policy to be sent with the script, nil: as it is
	byNonce  bool     // they were amended by a nonce

	values     [6]string // memory for header values, see value
	valuesUsed int
}

// Header returns the map of the writer underneath (rule 16).
func (w *writer) Header() http.Header { return w.rw.Header() }

// Unwrap serves http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.rw }

// WriteHeader passes interim answers on and notes the final status. The gate
// decides here; a page's header is sent with its first bytes.
func (w *writer) WriteHeader(status int) {
	switch {
	case 100 <= status && status < 200 && status != http.StatusSwitchingProtocols:
		w.rw.WriteHeader(status)
		return
	case w.wroteHeader:
		if w.sent {
			w.rw.WriteHeader(status) // the server logs this mistake
		}
		return
	}
	w.wroteHeader = true
	w.status = status
	w.length = -1
	if skip := w.gate(); skip != Injected {
		w.in.leftAlone.note(w.req, status, w.rw.Header()["Etag"])
		w.pass(skip)
		return
	}
	if w.req.Method == http.MethodHead {
		w.length = -1
		w.sendInjected()
		w.mode = modePass
		w.decoder = nil
	}
}

// Write takes body bytes. It reports len(p) also for bytes that are held.
func (w *writer) Write(p []byte) (int, error) {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
	if w.decoder != nil {
		return w.decoder.write(p)
	}
	if w.mode == modePass {
		return w.rw.Write(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := w.body(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// ReadFrom feeds the scanner until it is done, then leaves the rest to the
// writer underneath, which may have the kernel copy it.
func (w *writer) ReadFrom(r io.Reader) (n int64, err error) {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
	if w.mode != modePass || w.decoder != nil {
		buf := buffers.Get().(*[]byte)
		defer giveBack(buf)
		chunk := (*buf)[:min(cap(*buf), 4<<10)]
		for w.mode != modePass || w.decoder != nil {
			read, readErr := r.Read(chunk)
			if read > 0 {
				if _, err := w.Write(chunk[:read]); err != nil {
					return n, err
				}
				n += int64(read)
			}
			if readErr == io.EOF {
				return n, nil
			} else if readErr != nil {
				return n, readErr
			}
		}
	}
	rest, err := io.Copy(w.rw, r)
	return n + rest, err
}

// Flush serves handlers that still ask for http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError sends everything but the few bytes that are undecided. Only where
// the length is known and no byte has come yet does it wait for the first one,
// so that Content-Length stays exact.
func (w *writer) FlushError() error {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
	if w.mode == modeSniff {
		if err := w.endSniff(); err != nil {
			return err
		}
	}
	if w.mode == modeScan && w.decoder == nil {
		if w.length >= 0 && w.received == 0 {
			w.wantFlush = true
			return nil
		}
		if err := w.release(nil, w.scanner.releasable()-w.scanner.base); err != nil {
			return err
		}
	}
	if !w.sent {
		return nil // compressed, and nothing has come out yet
	}
	return http.NewResponseController(w.rw).Flush()
}

// body scans or sniffs plain bytes, which are not empty.
func (w *writer) body(p []byte) error {
	w.received += int64(len(p))
	switch w.mode {
	case modePass:
		_, err := w.rw.Write(p)
		return err
	case modeSniff:
		if len(w.pend)+len(p) < sniffLen {
			w.hold(p)
			return nil
		}
		if len(w.pend) > 0 {
			w.hold(p)
			return w.endSniff()
		}
		if skip := w.sniff(p); skip != Injected {
			w.pass(skip)
			return w.body(p)
		}
	}
	return w.scan(p)
}

// endSniff decides on what is held, for lack of more.
func (w *writer) endSniff() error {
	held := w.pend
	w.pend = w.pend[:0]
	if skip := w.sniff(held); skip != Injected {
		w.pass(skip)
		return w.emit(held)
	}
	if len(held) == 0 {
		return nil
	}
	return w.scan(held)
}

// scan seeks the place in p and sends what is decided.
func (w *writer) scan(p []byte) error {
	cut, done := w.scanner.next(p)
	switch {
	case done:
		return w.settle(p, cut)
	case !w.sent && w.length >= 0 && len(w.pend)+len(p) <= holdMax:
		w.hold(p)
		return nil
	}
	return w.release(p, cut)
}

// release sends held bytes and p up to offset cut of p, and holds the rest.
func (w *writer) release(p []byte, cut int) error {
	if !w.sent {
		w.length = -1
		w.sendInjected()
	}
	var err error
	if cut < 0 {
		cut += len(w.pend)
		err = w.emit(w.pend[:cut])
		w.pend = append(w.pend[:0], w.pend[cut:]...)
		w.hold(p)
		return err
	}
	err = w.emit(w.pend, p[:cut])
	w.pend = w.pend[:0]
	w.hold(p[cut:])
	return err
}

// settle carries the scanner's verdict out: held bytes and p are sent, with
// the script at offset cut of p, and everything later passes straight through.
func (w *writer) settle(p []byte, cut int) error {
	if w.scanner.verdict == verdictNever {
		if w.decoder != nil && !w.sent {
			return w.decoder.abandon(w.scanner.reason)
		}
		held := w.pend
		w.pend = w.pend[:0]
		w.pass(w.scanner.reason)
		return w.emit(held, p)
	}
	if !w.sent {
		w.sendInjected()
	}
	w.mode = modePass
	w.outcome, w.settled = Injected, true
	held := w.pend
	w.pend = w.pend[:0]
	if cut < 0 {
		cut += len(held)
		return w.emit(held[:cut], w.snippet, held[cut:], p)
	}
	return w.emit(held, p[:cut], w.snippet, p[cut:])
}

// pass sends the header as the handler made it; the body follows untouched.
func (w *writer) pass(skip Outcome) {
	w.outcome, w.settled = skip, true
	w.mode = modePass
	if w.sent {
		return
	}
	h := w.rw.Header()
	if w.status == http.StatusNotModified {
		w.confirm(h)
	}
	if w.in.debug {
		h[MarkerHeader] = w.value(skip.String())
	}
	w.sent = true
	w.rw.WriteHeader(w.status)
}

// sendInjected sends the header of a page with the script in it.
func (w *writer) sendInjected() {
	h := w.rw.Header()
	w.instrument(h)
	switch {
	case w.length >= 0:
		h["Content-Length"] = w.value(strconv.FormatInt(w.length+int64(len(w.snippet)), 10))
	default:
		delete(h, "Content-Length")
	}
	if w.decoder != nil {
		delete(h, "Content-Encoding")
	}
	w.outcome, w.settled = Injected, true
	w.sent = true
	w.rw.WriteHeader(w.status)
}
