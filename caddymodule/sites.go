package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// site is a place where a handler of ours is mounted.
type site struct {
	handler  caddyhttp.MiddlewareHandler // *Handler or *Console
	listen   string                      // the server's first address
	host     string                      // "" is every host
	prefixes []string                    // path prefixes stripped on the way here, "" is none
	path     string                      // literal beginning of the paths that lead here
	url      string                      // where a person can open it
}

// sites are the places of one configuration.
type sites struct {
	all []site
	// prefixes that may be stripped on the way to a handler, longest first;
	// without those to which nothing is.
	prefixes map[caddyhttp.MiddlewareHandler][]string
}

func newSites(all []site) sites {
	s := sites{all: all, prefixes: make(map[caddyhttp.MiddlewareHandler][]string)}
	for _, at := range all {
		for _, prefix := range at.prefixes {
			if prefix != "" && !slices.Contains(s.prefixes[at.handler], prefix) {
				s.prefixes[at.handler] = append(s.prefixes[at.handler], prefix)
			}
		}
	}
	for _, prefixes := range s.prefixes {
		slices.SortFunc(prefixes, func(a, b string) int { return len(b) - len(a) })
	}
	return s
}

// findSites reads the routes of the HTTP app, which is provisioned completely
// once anything is started. What a route strips from a path is known nowhere
// else: at request time it looks like any other rewrite (B39).
func findSites(ctx caddy.Context) sites {
	configured, err := ctx.AppIfConfigured("http")
	if err != nil {
		return sites{}
	}
	app := configured.(*caddyhttp.App)
	names := make([]string, 0, len(app.Servers))
	for name := range app.Servers {
		names = append(names, name)
	}
	slices.Sort(names)
	var found []site
	for _, name := range names {
		w := siteWalk{app: app, server: app.Servers[name]}
		w.routes(w.server.Routes, way{prefixes: []string{""}}, 0)
		if w.server.Errors != nil {
			w.routes(w.server.Errors.Routes, way{prefixes: []string{""}}, 0)
		}
		found = append(found, w.found...)
	}
	return newSites(found)
}

// way is what the routes on the way to a handler tell of its requests.
type way struct {
	hosts    []string // nil is every host
	prefixes []string
	path     string // literal beginning of the path that is asked for, stripped parts included
}

type siteWalk struct {
	app    *caddyhttp.App
	server *caddyhttp.Server
	found  []site
}

// maxRouteDepth bounds the walk where named routes invoke each other.
const maxRouteDepth = 32

// routes follows the order of the handlers: a prefix that is stripped is gone
// for those behind.
func (w *siteWalk) routes(routes caddyhttp.RouteList, at way, depth int) {
	if depth > maxRouteDepth {
		return
	}
	for _, route := range routes {
		here := at
		hosts, path := matched(route)
		if hosts != nil {
			here.hosts = hosts
		}
		if path != "" {
			here.path = at.path + path
			if strings.HasPrefix(path, at.path) {
				here.path = path
			}
		}
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *Handler, *Console:
				w.add(h, here)
			case *caddyhttp.Subroute:
				w.routes(h.Routes, here, depth+1)
				if h.Errors != nil {
					w.routes(h.Errors.Routes, here, depth+1)
				}
			case *caddyhttp.Invoke:
				if named := w.server.NamedRoutes[h.Name]; named != nil {
					w.routes(caddyhttp.RouteList{*named}, here, depth+1)
				}
			case *rewrite.Rewrite:
				here.prefixes = stripped(here.prefixes, h.StripPathPrefix, true)
				at.prefixes = stripped(at.prefixes, h.StripPathPrefix, len(route.MatcherSets) == 0)
			}
		}
	}
}

// stripped adds one more stripped prefix behind each of prefixes. Where it is
// not certain that the rewrite happens, those without it remain.
func stripped(prefixes []string, prefix string, certain bool) []string {
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix == "" || strings.ContainsAny(prefix, "{}") {
		return prefixes
	}
	if !strings.HasPrefix(prefix, "/") {
		prefix = "/" + prefix
	}
	var result []string
	for _, before := range prefixes {
		result = append(result, before+prefix)
		if !certain {
			result = append(result, before)
		}
	}
	return result
}

// matched is what the matchers of a route ask of host and path: the hosts of
// all its sets, nil when one takes any; the literal beginning of its first path.
func matched(route caddyhttp.Route) (hosts []string, path string) {
	anyHost := len(route.MatcherSets) == 0
	for _, set := range route.MatcherSets {
		asks := false
		for _, matcher := range set {
			switch m := matcher.(type) {
			case *caddyhttp.MatchHost:
				asks = true
				hosts = append(hosts, *m...)
			case *caddyhttp.MatchPath:
				if path == "" && len(*m) > 0 {
					path, _, _ = strings.Cut((*m)[0], "*")
				}
			}
		}
		anyHost = anyHost || !asks
	}
	if anyHost {
		hosts = nil
	}
	return hosts, path
}

func (w *siteWalk) add(handler caddyhttp.MiddlewareHandler, at way) {
	listen := ""
	if len(w.server.Listen) > 0 {
		listen = w.server.Listen[0]
	}
	hosts := at.hosts
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	for _, host := range hosts {
		w.found = append(w.found, site{
			handler: handler, listen: listen, host: strings.ToLower(host),
			prefixes: at.prefixes, path: at.path, url: w.url(listen, host, at.path),
		})
	}
}

// url is an address to open. A listener on every interface is called localhost,
// a wildcard host is left as it is: it tells more than a guess.
func (w *siteWalk) url(listen, host, path string) string {
	address, err := caddy.ParseNetworkAddress(listen)
	port := 0
	if err == nil {
		port = int(address.StartPort)
	}
	if host == "" {
		host = address.Host
		if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
			host = "localhost"
		}
	}
	scheme, usual := "http", caddyhttp.DefaultHTTPPort
	if len(w.server.TLSConnPolicies) > 0 && port != w.httpPort() {
		scheme, usual = "https", caddyhttp.DefaultHTTPSPort
	}
	switch {
	case port != 0 && port != usual:
		host = net.JoinHostPort(host, strconv.Itoa(port))
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + path
}

func (w *siteWalk) httpPort() int {
	if w.app.HTTPPort == 0 {
		return caddyhttp.DefaultHTTPPort
	}
	return w.app.HTTPPort
}

// contradiction finds two tracking handlers with one host and base path and
// different options: calls could not tell whose they are (B40).
func (all sites) contradiction() error {
	type where struct{ listen, host, base string }
	seen := make(map[where][]byte)
	for _, s := range all.all {
		h, tracks := s.handler.(*Handler)
		if !tracks {
			continue
		}
		options, err := json.Marshal(h)
		if err != nil {
			return fmt.Errorf("comparing the options of handlers: %w", err)
		}
		for _, prefix := range s.prefixes {
			at := where{s.listen, s.host, prefix + h.BasePath}
			before, twice := seen[at]
			if twice && !bytes.Equal(before, options) {
				return fmt.Errorf("%s: two people_tracking handlers of %s have the base path %s and different options",
					directive, s.url, at.base)
			}
			seen[at] = options
		}
	}
	return nil
}
