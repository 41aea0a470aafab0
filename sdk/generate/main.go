// Command generate bundles the TypeScript in src into dist/sdk.js, for sites
// with rules into dist/rules.js, and the first into the module of the npm
// package. The same sources give the same bytes on every machine.
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/evanw/esbuild/pkg/api"
)

// bundles are the scripts by their entry points.
var bundles = map[string]string{
	"src/main.ts":       "dist/sdk.js",
	"src/main-rules.ts": "dist/rules.js",
}

const packaged = "dist/sdk.js"

func main() {
	for entry, bundle := range bundles {
		code, err := Bundle(".", entry)
		if err == nil {
			err = os.WriteFile(bundle, code, 0o644)
		}
		if err == nil && bundle == packaged {
			err = pack(code)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "generate:", err)
			os.Exit(1)
		}
	}
}

// Bundle returns the script that an entry point below dir makes.
func Bundle(dir, entry string) ([]byte, error) {
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{entry},
		AbsWorkingDir:     absolute(dir),
		Bundle:            true,
		Format:            api.FormatIIFE,
		Target:            api.ES2021,
		Charset:           api.CharsetASCII, // a page of any encoding reads it alike
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		MangleProps:       "[a-z]_$", // our own members end in an underscore
		LegalComments:     api.LegalCommentsNone,
		LogLevel:          api.LogLevelSilent,
		// The default would add a "use strict" that is none, inside the banner's block.
		TsconfigRaw: "{}",
		Write:       false,
	})
	if messages := append(result.Errors, result.Warnings...); len(messages) > 0 {
		message := messages[0]
		if message.Location != nil {
			return nil, fmt.Errorf("%s:%d: %s", message.Location.File, message.Location.Line, message.Text)
		}
		return nil, fmt.Errorf("bundling: %s", message.Text)
	}
	// Whatever an unknown browser lacks, the page must not notice.
	return fmt.Appendf(nil, "try{%s}catch{}\n", bytes.TrimRight(result.OutputFiles[0].Contents, ";\n")), nil
}

func absolute(dir string) string {
	if dir != "." {
		return dir
	}
	wd, err := os.Getwd()
	if err != nil {
		return dir
	}
	return wd
}
