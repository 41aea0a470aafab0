// Package integration holds tests that start the real thing: Caddy in process
// with the configuration of a Caddyfile, Badger on disk, an upstream of
// httptest, and a real browser.
package integration
