// Command caddy is Caddy with its standard modules and people tracking.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/livechat-people/caddy-people-tracking/caddymodule"
)

func main() {
	caddycmd.Main()
}
