//go:build !race

package inject

const poolsForget = false
