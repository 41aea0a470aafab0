package main

import (
	"bytes"
	"fmt"
	"os"
)

// The script reads its options from its own tag, which a module has not: it is
// given one.
const (
	tag    = "document.currentScript"
	module = `// Made by go generate from the script that the server injects; do not edit.
export function install({ base = '/_people', ...dataset } = {}) {
  if (typeof document === 'undefined') return;
  const tag = { src: location.origin + base.replace(/\/$/, '') + '/v1/sdk.js', dataset };
%s
  return window.PeopleTrackingSDK;
}
`
)

// pack writes what of the npm package is made of other files.
func pack(script []byte) error {
	if n := bytes.Count(script, []byte(tag)); n != 1 {
		return fmt.Errorf("the script names %s %d times instead of once", tag, n)
	}
	code := bytes.Replace(bytes.TrimRight(script, "\n"), []byte(tag), []byte("tag"), 1)
	if err := os.WriteFile("npm/index.js", fmt.Appendf(nil, module, code), 0o644); err != nil {
		return err
	}
	for to, from := range map[string]string{
		"npm/LICENSE":                  "../LICENSE",
		"npm/people-tracking-sdk.d.ts": "people-tracking-sdk.d.ts",
	} {
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
