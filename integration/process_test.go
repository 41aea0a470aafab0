package integration

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is a process that a test runs, and that ends with it at the latest.
// When the test fails, what the process wrote to its standard error is shown.
type program struct {
	t     testing.TB
	cmd   *exec.Cmd
	said  bytes.Buffer
	ended chan struct{} // closed when it has; said and err may be read from then on
	err   error
}

// run starts a program.
func run(t testing.TB, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{t: t, cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &p.said
	require.NoError(t, cmd.Start())
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unless it has ended
		<-p.ended
		if t.Failed() {
			t.Logf("%s: %v\n%s", cmd, p.err, p.said.String())
		}
	})
	return p
}

// answers waits until the program serves url.
func (p *program) answers(url string) {
	p.t.Helper()
	const patience = 30 * time.Second
	for begun := time.Now(); ; {
		if res, err := http.Get(url); err == nil && res.Body.Close() == nil && res.StatusCode < http.StatusInternalServerError {
			return
		}
		require.Less(p.t, time.Since(begun), patience, "%s does not answer", url)
		select {
		case <-p.ended:
			require.Fail(p.t, "it ended before it answered", url)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// kill ends the program as a crash does: no handler runs, nothing is flushed.
func (p *program) kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill(), "it was still running")
	<-p.ended
}

// stop asks the program to end, and waits until it has, in order.
func (p *program) stop() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.ended:
		require.NoError(p.t, p.err)
	case <-time.After(30 * time.Second):
		require.Fail(p.t, "asked to stop, it goes on")
	}
}

// binary is the product's, built once for all tests that run it.
var binary = sync.OnceValues(func() (path string, err error) {
	if binaryDir, err = os.MkdirTemp("", "people-integration-"); err != nil {
		return "", err
	}
	path = filepath.Join(binaryDir, "caddy")
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/caddy").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the binary: %w\n%s", err, out)
	}
	return path, nil
})

// binaryDir is where the binary lies, once it was built.
var binaryDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if binaryDir != "" {
		_ = os.RemoveAll(binaryDir)
	}
	os.Exit(code)
}

// process is a world whose Caddy is the built binary in a process of its own,
// by the system's clock. It does not run before start.
type process struct {
	*world
	program *program // once it was started
	binary  string
	file    string // the Caddyfile
}

func newProcess(t testing.TB, opts options) *process {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	clock.Store(time.Now().UnixMilli())
	p := &process{world: newWorld(t, opts), binary: path}
	p.file = filepath.Join(p.dir, "Caddyfile")
	p.configure(opts.store)
	return p
}

// configure writes the configuration, with another store: engine and place.
func (p *process) configure(store string) {
	p.t.Helper()
	p.options.store = store
	require.NoError(p.t, os.WriteFile(p.file, []byte(p.caddyfile()), 0o600))
}

// begin starts Caddy and does not wait for it.
func (p *process) begin() {
	p.t.Helper()
	p.program = run(p.t, exec.Command(p.binary, "run", "--config", p.file))
}

// start starts Caddy and waits until it serves the site.
func (p *process) start() {
	p.t.Helper()
	p.begin()
	p.program.answers(p.site)
}

func (p *process) kill() { p.t.Helper(); p.program.kill() }
func (p *process) stop() { p.t.Helper(); p.program.stop() }

// running starts Caddy on a store, and ends it in order.
func (p *process) running(store string, while func()) {
	p.t.Helper()
	p.configure(store)
	p.start()
	while()
	p.stop()
}

// people runs 'caddy people' and returns its exit code and what it said.
func (p *process) people(args ...string) (code int, said string) {
	p.t.Helper()
	out, err := exec.Command(p.binary, append([]string{"people"}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(out)
	}
	require.NoError(p.t, err)
	return 0, string(out)
}

// done is people for what has to succeed.
func (p *process) done(args ...string) (said string) {
	p.t.Helper()
	code, said := p.people(args...)
	require.Zero(p.t, code, said)
	return said
}
