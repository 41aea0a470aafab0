package caddymodule

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress tells on stderr how far a command is: in one line that is written
// over again on a terminal, else in a line now and then.
type progress struct {
	out      io.Writer
	terminal bool
	what     string
	every    time.Duration
	now      func() time.Time
	last     time.Time
	shown    bool
}

// The pauses between two lines.
const (
	everyOnTerminal = 200 * time.Millisecond
	everyInLog      = 10 * time.Second
)

func newProgress(out io.Writer, what string) *progress {
	p := &progress{out: out, what: what, every: everyInLog, now: time.Now}
	if file, ok := out.(*os.File); ok {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if p.terminal {
		p.every = everyOnTerminal
	}
	p.last = p.now()
	return p
}

// entries is a store.Progress.
func (p *progress) entries(entries, bytes uint64) {
	p.say(func() string { return fmt.Sprintf("%s: %d entries, %s", p.what, entries, size(bytes)) })
}

// bytes tells of something that is only known by its size.
func (p *progress) bytes(n uint64) {
	p.say(func() string { return p.what + ": " + size(n) })
}

func (p *progress) say(line func() string) {
	now := p.now()
	if now.Sub(p.last) < p.every {
		return
	}
	p.last = now
	if !p.terminal {
		fmt.Fprintln(p.out, line())
		return
	}
	p.shown = true
	fmt.Fprint(p.out, "\r\x1b[K"+line())
}

// done leaves the terminal's line to whoever writes next.
func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// size is a number of bytes for people.
func size(n uint64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n), ""
	for _, prefix = range []string{"k", "M", "G", "T"} {
		if value /= unit; value < unit {
			break
		}
	}
	return fmt.Sprintf("%.1f %sB", value, prefix)
}
