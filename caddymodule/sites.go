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
	paths    []string                    // beginnings of the paths that lead here, nil is every path
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
	paths    []string // beginnings of the path that was asked for, stripped parts included; nil is every path
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
		hosts, paths := matched(route)
		if hosts != nil {
			here.hosts = hosts
		}
		if paths != nil {
			here.paths = nil
			for _, prefix := range at.prefixes {
				for _, path := range paths {
					here.paths = append(here.paths, prefix+path)
				}
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

// matched is what the matchers of a route ask of host and path: hosts, and
// literal beginnings of paths, of all its sets; nil where a set takes any.
func matched(route caddyhttp.Route) (hosts, paths []string) {
	anyHost, anyPath := len(route.MatcherSets) == 0, len(route.MatcherSets) == 0
	for _, set := range route.MatcherSets {
		asksHost, asksPath := false, false
		for _, matcher := range set {
			switch m := matcher.(type) {
			case *caddyhttp.MatchHost:
				asksHost = true
				hosts = append(hosts, *m...)
			case *caddyhttp.MatchPath:
				asksPath = true
				for _, pattern := range *m {
					literal, _, _ := strings.Cut(pattern, "*")
					paths = append(paths, literal)
					anyPath = anyPath || literal == ""
				}
			}
		}
		anyHost, anyPath = anyHost || !asksHost, anyPath || !asksPath
	}
	if anyHost {
		hosts = nil
	}
	if anyPath {
		paths = nil
	}
	return hosts, paths
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
			prefixes: at.prefixes, paths: at.paths, url: w.url(listen, host, first(at.paths)),
		})
	}
}

func first(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	return paths[0]
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
func (s sites) contradiction() error {
	type where struct{ listen, host, base string }
	seen := make(map[where][]byte)
	for _, at := range s.all {
		h, tracks := at.handler.(*Handler)
		if !tracks {
			continue
		}
		options, err := json.Marshal(h)
		if err != nil {
			return fmt.Errorf("comparing the options of handlers: %w", err)
		}
		for _, prefix := range at.prefixes {
			place := where{at.listen, at.host, prefix + h.BasePath}
			before, twice := seen[place]
			if twice && !bytes.Equal(before, options) {
				return fmt.Errorf("%s: two people_tracking handlers of %s have the base path %s and different options",
					directive, at.url, place.base)
			}
			seen[place] = options
		}
	}
	return nil
}

// deaf finds the tracking handlers whose calls no route leads to one of them:
// a matcher lets their pages through, and not the base path.
func (s sites) deaf() []site {
	return slices.DeleteFunc(slices.Clone(s.all), func(at site) bool {
		h, tracks := at.handler.(*Handler)
		return !tracks || slices.ContainsFunc(at.prefixes, func(prefix string) bool {
			return slices.ContainsFunc(s.all, func(other site) bool {
				return other.listen == at.listen && (other.host == at.host || other.host == "") && other.hears(prefix+h.BasePath)
			})
		})
	})
}

// hears says whether calls to base get here.
func (at site) hears(base string) bool {
	h, tracks := at.handler.(*Handler)
	if !tracks || !slices.ContainsFunc(at.prefixes, func(prefix string) bool { return prefix+h.BasePath == base }) {
		return false
	}
	base = strings.ToLower(base + "/") // Caddy matches paths in any case of letters
	return at.paths == nil || slices.ContainsFunc(at.paths, func(path string) bool { return strings.HasPrefix(base, strings.ToLower(path)) })
}
