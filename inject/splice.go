package inject

import (
	"net/http"
	"sync"
)

// spliceMax is up to which length page, script and rest are copied into one
// write; above it, three writes cost less than the copy.
const spliceMax = 7 << 10

// buffers lends out scratch space. Writers themselves are not pooled: a
// handler that keeps one after it returned must not reach another response.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, spliceMax+1<<10)
	return &b
}}

func giveBack(b *[]byte) {
	if b != nil && cap(*b) <= 4*holdMax {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// emit writes the parts, in one write where that is cheaper.
func (w *writer) emit(parts ...[]byte) error {
	total, used := 0, 0
	for _, part := range parts {
		if total += len(part); len(part) > 0 {
			used++
		}
	}
	if used > 1 && total <= spliceMax {
		buf := buffers.Get().(*[]byte)
		defer giveBack(buf)
		for _, part := range parts {
			*buf = append(*buf, part...)
		}
		if _, err := w.rw.Write(*buf); err != nil {
			return err
		}
	} else {
		for _, part := range parts {
			if len(part) == 0 {
				continue
			}
			if _, err := w.rw.Write(part); err != nil {
				return err
			}
		}
	}
	if w.wantFlush && total > 0 {
		w.wantFlush = false
		return http.NewResponseController(w.rw).Flush()
	}
	return nil
}

// hold keeps bytes until more is known.
func (w *writer) hold(p []byte) {
	if len(p) == 0 {
		return
	}
	if w.pendBuf == nil {
		w.pendBuf = buffers.Get().(*[]byte)
		w.pend = (*w.pendBuf)[:0]
	}
	w.pend = append(w.pend, p...)
	*w.pendBuf = w.pend
}
