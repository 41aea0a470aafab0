package sdk

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every example of the documentation runs as it stands.
func TestExamplesOfTheDocumentation(t *testing.T) {
	content, err := os.ReadFile("../docs/sdk.md")
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```js\n(.*?)```").FindAllStringSubmatch(string(content), -1)
	require.NotEmpty(t, examples)
	s := newSite(t)
	s.add("/", TagOptions{}, stub)
	for _, example := range examples {
		p := s.tab(t).open("/")
		p.eval(example[1])
		p.clean()
	}
	calls := strings.Join(s.calls(), "\n")
	for _, method := range []string{"init", "page", "track", "updatePerson", "appendToList", `chat {"state":"started"`, `chat {"state":"ended"`} {
		assert.Contains(t, calls, method)
	}
}
