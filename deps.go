// Package deps keeps go.mod whole while the packages are being written.
package deps

import (
	_ "github.com/caddyserver/caddy/v2/caddytest"
	_ "github.com/chromedp/chromedp"
	_ "github.com/dgraph-io/badger/v4"
	_ "github.com/evanw/esbuild/pkg/api"
	_ "github.com/go-json-experiment/json"
	_ "github.com/go-json-experiment/json/jsontext"
	_ "github.com/golang-jwt/jwt/v5"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/mileusna/useragent"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/prometheus/client_golang/prometheus/testutil"
	_ "github.com/stretchr/testify/require"
	_ "golang.org/x/net/html"
	_ "golang.org/x/net/html/charset"
	_ "golang.org/x/text/language"
	_ "golang.org/x/time/rate"
	_ "github.com/jackc/pgx/v5/pgxpool"
)
