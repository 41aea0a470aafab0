package repository_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRules holds docs/rules.md against the tests there are.
func TestRules(t *testing.T) {
	table, err := os.ReadFile(filepath.Join("docs", "rules.md"))
	require.NoError(t, err)
	for rule := 1; rule <= 40; rule++ {
		assert.Equal(t, 1, strings.Count(string(table), fmt.Sprintf("\n| B%d |", rule)), "rows of B%d", rule)
	}
	existing := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range declared.FindAllSubmatch(source, -1) {
			existing[string(match[1])] = true
		}
		return err
	}))
	for _, name := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(table), -1) {
		assert.True(t, existing[name[1]], "%s is named in docs/rules.md and does not exist", name[1])
	}
}
