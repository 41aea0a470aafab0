package inject

import (
	"bufio"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// zstdWindow is the largest window of RFC 9659; it bounds memory, in bytes.
	zstdWindow = 8 << 20
	// budgetFree and budgetRatio bound what a compressed body may become: above
	// 64 MiB at most 1,000 bytes for one (rule 9). No page is like that, a bomb is.
	budgetFree  = 64 << 20
	budgetRatio = 1000
)

var (
	errCorrupt = errors.New("inject: compressed body is corrupt")
	errBudget  = fmt.Errorf("%w: it expands beyond all measure", errCorrupt)
	errStopped = errors.New("inject: decoding was given up")
)

// decoders opens readers for the codings that can be undone.
var decoders = map[string]func(*bufio.Reader) (io.ReadCloser, error){
	"gzip":    newGzip,
	"x-gzip":  newGzip,
	"deflate": newDeflate,
	"zstd":    newZstd,
	"br":      newBrotli,
}

// decoder turns a reader that pulls compressed bytes into something that bytes
// are pushed into: the reader runs as a coroutine that is left when it wants
// more. Until its first output is sent the bytes as they came are kept, so
// that a body that is not what it claims can still pass untouched.
type decoder struct {
	w    *writer
	open func(*bufio.Reader) (io.ReadCloser, error)

	resume  func() (struct{}, bool)
	stop    func()
	chunk   []byte // being decoded
	ended   bool   // no further chunk will come
	done    bool   // the coroutine is over
	err     error  // why
	skip    Outcome
	raw     []byte // everything that came, while nothing is sent
	in, out int64
}

func newDecoder(w *writer, open func(*bufio.Reader) (io.ReadCloser, error)) *decoder {
	return &decoder{w: w, open: open}
}

// write decodes p as far as possible.
func (d *decoder) write(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	d.w.received += int64(len(p))
	d.in += int64(len(p))
	if !d.w.sent {
		d.raw = append(d.raw, p...)
	}
	if !d.done { // what follows the end of the stream is ignored, as browsers do
		d.chunk = p
		d.proceed()
	}
	if err := d.review(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// end decodes what the last bytes have left to give.
func (d *decoder) end() error {
	d.ended = true
	if !d.done {
		d.proceed()
	}
	return d.review()
}

func (d *decoder) proceed() {
	if d.resume == nil {
		d.resume, d.stop = iter.Pull(d.run)
	}
	if _, more := d.resume(); !more {
		d.done = true
	}
}

// review lets the body pass untouched if it cannot be decoded and nothing was
// sent yet. Later it can only be broken off.
func (d *decoder) review() error {
	switch {
	case d.w.sent:
		d.raw = nil
		return d.err
	case d.skip != Injected:
	case d.in == 0:
		d.skip = SkippedEmpty
	case d.err != nil:
		d.skip = SkippedCorrupt
	case len(d.raw) > holdMax && d.out == 0:
		d.skip = SkippedEncoding
	default:
		return nil
	}
	return d.passRaw()
}

func (d *decoder) passRaw() error {
	w := d.w
	d.close()
	w.decoder = nil
	w.pend = w.pend[:0]
	w.pass(d.skip)
	return w.emit(d.raw)
}

// abandon is called while nothing is sent and the page turns out to be one that
// stays as it is.
func (d *decoder) abandon(reason Outcome) error {
	d.skip = reason
	if d.done {
		return d.passRaw()
	}
	return errStopped
}

// close ends the coroutine. It must not be called from inside it.
func (d *decoder) close() {
	d.ended = true
	if d.stop != nil {
		d.stop()
	}
}

// run is the coroutine: it reads decoded bytes and hands them on.
func (d *decoder) run(yield func(struct{}) bool) {
	source := &source{d: d, yield: yield}
	r, err := d.open(bufio.NewReader(source))
	if err == nil {
		err = d.pump(r)
		_ = r.Close()
	}
	if err != nil && !errors.Is(err, errStopped) {
		d.err = err
	}
}

func (d *decoder) pump(r io.Reader) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := read(r, buf)
		if n > 0 {
			d.out += int64(n)
			if d.out > budgetFree && d.out > budgetRatio*d.in {
				return errBudget
			}
			if err := d.w.body(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errStopped):
			return err
		case err != nil:
			return fmt.Errorf("%w: %w", errCorrupt, err)
		}
	}
}

// read turns a panic of a decoder that meets hostile input into an error: the
// page is lost, but by rule 21 no more than that.
func read(r io.Reader, buf []byte) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			n, err = 0, fmt.Errorf("decoder panicked: %v", p)
		}
	}()
	return r.Read(buf)
}

// source is what the decoding reader pulls from.
type source struct {
	d     *decoder
	yield func(struct{}) bool
}

func (s *source) Read(p []byte) (int, error) {
	for len(s.d.chunk) == 0 {
		if s.d.ended {
			return 0, io.EOF
		}
		if !s.yield(struct{}{}) {
			return 0, errStopped
		}
	}
	n := copy(p, s.d.chunk)
	s.d.chunk = s.d.chunk[n:]
	return n, nil
}

// members reads a gzip file member by member. Browsers ignore what follows the
// last one, where Go's reader alone would fail.
type members struct {
	*gzip.Reader
	source *bufio.Reader
}

func newGzip(r *bufio.Reader) (io.ReadCloser, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, corrupt(err)
	}
	z.Multistream(false)
	return &members{Reader: z, source: r}, nil
}

func (m *members) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if n > 0 {
		return n, nil // the end is told again
	}
	if head, _ := m.source.Peek(2); len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
		return 0, io.EOF
	}
	if err := m.Reset(m.source); err != nil {
		return 0, err
	}
	m.Multistream(false)
	return 0, nil
}

// newDeflate takes the coding as specified, which is zlib, and bare deflate,
// which some servers send under that name.
func newDeflate(r *bufio.Reader) (io.ReadCloser, error) {
	head, err := r.Peek(2)
	if err != nil {
		return nil, corrupt(err)
	}
	if head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		z, err := zlib.NewReader(r)
		if err != nil {
			return nil, corrupt(err)
		}
		return z, nil
	}
	return flate.NewReader(r), nil
}

func newZstd(r *bufio.Reader) (io.ReadCloser, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		return nil, corrupt(err)
	}
	return z.IOReadCloser(), nil
}

func newBrotli(r *bufio.Reader) (io.ReadCloser, error) {
	return io.NopCloser(brotli.NewReader(r)), nil
}

func corrupt(err error) error {
	if errors.Is(err, errStopped) {
		return err
	}
	return fmt.Errorf("%w: %w", errCorrupt, err)
}
