package inject

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// html5lib returns the whole documents of the html5lib tree-construction
// tests, which come with the module golang.org/x/net.
func html5lib(t testing.TB) []string {
	t.Helper()
	documents, err := readHTML5lib()
	require.NoError(t, err)
	require.Greater(t, len(documents), 1500, "the test data is not all there")
	return documents
}

var readHTML5lib = sync.OnceValues(func() ([]string, error) {
	dir, err := moduleDir()
	if err != nil {
		return nil, err
	}
	root := filepath.Join(dir, "html", "testdata", "html5lib-tests", "tree-construction")
	files, err := filepath.Glob(filepath.Join(root, "*.dat"))
	if err != nil {
		return nil, err
	}
	more, err := filepath.Glob(filepath.Join(root, "*", "*.dat"))
	if err != nil {
		return nil, err
	}
	var documents []string
	for _, file := range append(files, more...) {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		documents = append(documents, wholeDocuments(b)...)
	}
	return documents, nil
})

// moduleDir is where the module golang.org/x/net lies.
func moduleDir() (string, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/net").Output()
	return strings.TrimSpace(string(dir)), err
}

// seeds is a part of html5lib that fuzzing starts from; all of it would take
// longer to load than a short run lasts.
func seeds(t testing.TB) []string {
	t.Helper()
	var some []string
	for i, doc := range html5lib(t) {
		if i%25 == 0 {
			some = append(some, doc)
		}
	}
	return append(some, testPage, "<!--><!---><!-- --!><head x='>' y=\">\" z=>>", "</p></br><!doctype [>",
		"<head><meta http-equiv=content-type content=text/html;charset=gbk><base href=/><template><script><!--<script></script>-->",
		"\ufeff<html ⚡>", "<title></titlex></title ><textarea></textarea><xmp><plaintext></plaintext>")
}

// wholeDocuments takes the #data of each case that is not of a fragment.
func wholeDocuments(file []byte) []string {
	var documents []string
	for _, c := range bytes.Split(append([]byte("\n"), file...), []byte("\n#data\n")) {
		data, rest, ok := bytes.Cut(c, []byte("\n#errors"))
		if !ok {
			data, rest, ok = bytes.Cut(append([]byte("\n"), c...), []byte("\n#errors"))
			data = bytes.TrimPrefix(data, []byte("\n"))
		}
		if !ok || bytes.Contains(rest, []byte("\n#document-fragment")) {
			continue
		}
		documents = append(documents, string(data))
	}
	return documents
}
