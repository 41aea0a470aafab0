// Package integration holds tests that start the real thing: Caddy in this
// process with the configuration of a Caddyfile (world_test.go, caddy_test.go)
// or the built binary in processes of its own (process_test.go), Badger on disk
// or PostgreSQL, an upstream of httptest, and a real browser.
package integration
