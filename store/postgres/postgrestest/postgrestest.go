// Package postgrestest starts a PostgreSQL server for tests.
package postgrestest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Environment variables.
const (
	// EnvDSN names a server to use instead of starting one. Its user must be
	// allowed to make databases.
	EnvDSN = "PEOPLE_TEST_DSN"
	// EnvRequire lists, by commas, what must not be skipped; "postgres" is this.
	EnvRequire = "PEOPLE_REQUIRE"
)

// Server is a running server.
type Server struct {
	dsn   string
	start func() *exec.Cmd // nil for one that was not started here
	cmd   *exec.Cmd
	log   *strings.Builder
}

// Start starts a server in a directory of its own, listening on a socket there
// and stopped at the end of t. Where PostgreSQL is not installed, t is skipped.
// It does not sync, unless settings (such as "fsync=on") say so.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	if dsn := os.Getenv(EnvDSN); dsn != "" {
		return &Server{dsn: dsn}
	}
	bin, err := binaries()
	if err != nil {
		skip(t, err.Error())
	}
	account, err := unprivileged()
	if err != nil {
		skip(t, err.Error())
	}
	// Not t.TempDir: the path of a socket has 107 bytes at most.
	dir, err := os.MkdirTemp("", "people-pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if account != nil {
		if err := os.Chown(dir, account.uid, account.gid); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	init := command(account, dir, filepath.Join(bin, "initdb"), "-D", data, "-U", "people", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	args := []string{"-D", data, "-k", dir}
	for _, setting := range append([]string{"listen_addresses=", "fsync=off", "shared_buffers=32MB", "max_connections=60"}, settings...) {
		args = append(args, "-c", setting)
	}
	s := &Server{
		dsn:   fmt.Sprintf("host=%s user=people dbname=postgres", dir),
		start: func() *exec.Cmd { return command(account, dir, filepath.Join(bin, "postgres"), args...) },
		log:   &strings.Builder{},
	}
	t.Cleanup(s.stop)
	s.run(t)
	return s
}

// run starts the server and waits until it answers.
func (s *Server) run(t testing.TB) {
	t.Helper()
	s.cmd = s.start()
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		t.Fatal(err)
	}
	if err := s.wait(); err != nil {
		s.stop()
		t.Fatalf("postgres does not answer: %v\n%s", err, s.log)
	}
}

// stop is a fast shutdown, which does not wait for clients.
func (s *Server) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Restart stops the server, as an upgrade does, and starts it again after
// while. t is skipped where the server is not ours to restart.
func (s *Server) Restart(t testing.TB, while func()) {
	t.Helper()
	if s.start == nil {
		t.Skip("a server named in " + EnvDSN + " is not restarted")
	}
	s.stop()
	while()
	s.run(t)
}

// Database makes an empty database, dropped at the end of t, and returns its
// connection string.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "people_" + strings.ToLower(rand.Text())
	s.exec(t, "create database "+name)
	t.Cleanup(func() { s.exec(t, "drop database "+name) })
	config, err := pgx.ParseConfig(s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.dsn, "://") {
		return strings.Replace(s.dsn, "/"+config.Database, "/"+name, 1)
	}
	return s.dsn + " dbname=" + name
}

func (s *Server) exec(t testing.TB, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// wait tries to connect until the server has started.
func (s *Server) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func skip(t testing.TB, why string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv(EnvRequire), ","), "postgres") {
		t.Fatal(why)
	}
	t.Skip(why)
}

// binaries finds the newest installed server.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL is not installed: apt-get install postgresql, or name a server in %s", EnvDSN)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}
