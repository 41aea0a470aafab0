//go:build !unix

package postgrestest

import (
	"errors"
	"os/exec"
)

type account struct{ uid, gid int }

func unprivileged() (*account, error) {
	return nil, errors.New("a server is not started on this system: name one in " + EnvDSN)
}

func command(_ *account, _, name string, args ...string) *exec.Cmd {
	return exec.Command(name, args...)
}
