//go:build race

package inject

// The race detector makes pools forget what they hold, to find more races.
const poolsForget = true
