//go:build linux

package measured

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Load is the machine's average load of the last minute.
func Load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return minute
}

// Memory is what the kernel says of the memory of a process under a name such
// as RssAnon, in MB.
func Memory(pid int, name string) (float64, error) {
	kilobytes, err := Counted(pid, "status", name)
	return kilobytes / 1024, err
}

// Counted is a number that the kernel keeps of a process in one of its files,
// such as syscr in io.
func Counted(pid int, file, name string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, fmt.Errorf("reading what the kernel counts: %w", err)
	}
	for line := range bytes.Lines(text) {
		if fields := strings.Fields(string(line)); len(fields) > 1 && fields[0] == name+":" {
			return strconv.ParseFloat(fields[1], 64)
		}
	}
	return 0, fmt.Errorf("the kernel counts no %s", name)
}

// Processor is the time this process has had processors for.
func Processor() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("reading the processor time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
