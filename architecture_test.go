package repository_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/livechat-people/caddy-people-tracking"

// arrows are the packages of the product and the other ones that each may
// import. They all point downwards, and a package that is not here fails the
// test: whoever adds one says where it belongs.
var arrows = map[string][]string{
	"cmd/caddy": {"caddymodule"},
	"caddymodule": {
		"inject", "sdk", "sdk/instrument", "console", "tracker", "tracker/collector", "tracker/livechat", "tracker/schema",
		"store", "store/badger", "store/postgres",
	},
	"console":           {"tracker"},
	"tracker/collector": {"tracker", "tracker/livechat"},
	"tracker":           {"tracker/schema", "tracker/livechat", "store"},
	"tracker/schema":    {},
	"tracker/livechat":  {},
	"store":             {},
	"store/badger":      {"store"},
	"store/postgres":    {"store"},
	"store/memory":      {"store"},
	"store/storetest":   {"store"},
	"inject":            {},
	"sdk":               {},
	"sdk/generate":      {},
	"sdk/instrument":    {"tracker/schema"},
}

// testRooms hold what only tests use. They may import anything, and nothing of the
// product may import it.
var testRooms = []string{"integration", "bench", "demo", "store/postgres/postgrestest"}

// engines are known to a single package each, in tests as well: a domain
// package whose tests lean on an engine would soon lean on it itself. Benchmarks
// measure against Caddy and Badger as they are without us.
var engines = map[string][]string{
	"github.com/caddyserver/caddy": {"caddymodule", "cmd", "integration", "bench"},
	"github.com/dgraph-io/badger":  {"store/badger", "bench"},
	"github.com/jackc/pgx":         {"store/postgres"},
}

type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestArchitecture(t *testing.T) {
	for _, pkg := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(pkg.ImportPath, module), "/")
		if name == "" { // this test, and what stands beside it
			continue
		}
		t.Run(name, func(t *testing.T) {
			allowed, product := arrows[name]
			if !product && !within(testRooms, name) {
				require.Failf(t, "unknown package", "%s has no place in the architecture, known are %s", name, slices.Sorted(maps.Keys(arrows)))
			}
			for _, imported := range pkg.Imports {
				if local, ours := strings.CutPrefix(imported, module+"/"); ours && product {
					assert.Containsf(t, allowed, local, "%s may not import %s", name, local)
				}
			}
			for _, imported := range slices.Concat(pkg.Imports, pkg.TestImports, pkg.XTestImports) {
				for engine, knowing := range engines {
					if within([]string{engine}, imported) {
						assert.Truef(t, within(knowing, name), "%s may not import %s, only %s may", name, imported, knowing)
					}
				}
			}
		})
	}
}

// within says whether path is one of roots or below it.
func within(roots []string, path string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") })
}

// TestArchitectureHasNoCircles follows the arrows, since a table can be wrong
// as well: every package is reached after all it may import.
func TestArchitectureHasNoCircles(t *testing.T) {
	const inProgress, done = 1, 2
	state := map[string]int{}
	var visit func(name string, way []string)
	visit = func(name string, way []string) {
		require.NotEqualf(t, inProgress, state[name], "circle: %s", strings.Join(append(way, name), " → "))
		if state[name] == done {
			return
		}
		state[name] = inProgress
		for _, below := range arrows[name] {
			visit(below, append(way, name))
		}
		state[name] = done
	}
	for name := range arrows {
		visit(name, nil)
	}
}

// packages reads the import graph of the whole module.
func packages(t *testing.T) []listed {
	t.Helper()
	var stderr bytes.Buffer
	command := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, stderr.String())
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg listed
		err := decoder.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		all = append(all, pkg)
	}
	require.NotEmpty(t, all)
	return all
}
