// Package sdk holds the browser side of people tracking: the script with the
// global class PeopleTrackingSDK, the tag that loads it and the handler that
// serves it.
//
// The script is bundled from the TypeScript in src. The bundles are committed, so
// building needs no further tool; after changing src run go generate.
package sdk

//go:generate go run ./generate
