package collector

import (
	"crypto/sha256"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits are the rate limits of B38, counted in calls. The zero value of each
// is its default.
type Limits struct {
	// Address limits the calls of one address prefix, /24 of IPv4 and /48 of
	// IPv6: 500 a second with bursts of 5,000, since an office or a mobile
	// network stands behind one prefix.
	Address Limit
	// Device limits the calls of one device: 20 a second with bursts of 1,000,
	// which is a full offline queue (500 calls) twice.
	Device Limit
	// Total limits the calls of all together: the one bound on how fast the
	// store grows, and with it on memory, whoever calls and however many they
	// are. By default there is none.
	Total Limit
}

// Limit is a token bucket. Both fields are set, or neither.
type Limit struct {
	PerSecond float64
	Burst     int // at least 100, or a full batch would never pass
}

var (
	defaultAddressLimit = Limit{PerSecond: 500, Burst: 5000}
	defaultDeviceLimit  = Limit{PerSecond: 20, Burst: 1000}
)

// limitEntries bounds the buckets kept of each kind to twice this number,
// about 250 bytes each. Whoever is pushed out starts with a full bucket again,
// so an attacker with that many addresses gains a burst and costs nobody else
// anything.
const limitEntries = 8192

// orDefault completes and checks a limit.
func (l Limit) orDefault(name string, def Limit) (Limit, error) {
	if l == (Limit{}) {
		return def, nil
	}
	if !(l.PerSecond > 0) || math.IsInf(l.PerSecond, 0) || l.Burst < maxCalls {
		return l, fmt.Errorf("%s rate limit: needs more than 0 calls a second and a burst of at least %d", name, maxCalls)
	}
	return l, nil
}

// buckets are the token buckets of one kind of key.
type buckets[K comparable] struct {
	limit Limit
	mu    sync.Mutex
	byKey *recent[K, *rate.Limiter]
}

func newBuckets[K comparable](limit Limit) *buckets[K] {
	return &buckets[K]{limit: limit, byKey: newRecent[K, *rate.Limiter](limitEntries)}
}

// take takes n tokens of key, or none and says how long to wait for them.
func (b *buckets[K]) take(key K, n int, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	limiter, ok := b.byKey.get(key)
	if !ok {
		limiter = rate.NewLimiter(rate.Limit(b.limit.PerSecond), b.limit.Burst)
		b.byKey.put(key, limiter)
	}
	if limiter.AllowN(now, n) {
		return 0
	}
	return untilAvailable(limiter, n, b.limit.PerSecond, now)
}

// untilAvailable is how long it takes until n tokens are there, more than 0.
func untilAvailable(limiter *rate.Limiter, n int, perSecond float64, now time.Time) time.Duration {
	missing := float64(n) - limiter.TokensAt(now)
	return max(time.Duration(missing/perSecond*float64(time.Second)), time.Nanosecond)
}

// Limiter applies the limits to requests. Several handlers may share one, so
// that what it remembers stays bounded however many sites there are, and a
// network has its share once. It is safe for concurrent use.
type Limiter struct {
	addresses *buckets[netip.Prefix]
	devices   *buckets[deviceKey]

	total     *rate.Limiter // nil: no bound
	perSecond float64       // of total
}

// deviceKey is a hash, so that no cookie value is kept in memory.
type deviceKey [16]byte

// subject is who the limits are counted for. An unset address or device is
// not limited.
type subject struct {
	address   netip.Prefix
	device    deviceKey
	hasDevice bool
}

// NewLimiter returns a Limiter of these limits, or says which is wrong.
func NewLimiter(limits Limits) (*Limiter, error) {
	address, err := limits.Address.orDefault("address", defaultAddressLimit)
	if err != nil {
		return nil, err
	}
	device, err := limits.Device.orDefault("device", defaultDeviceLimit)
	if err != nil {
		return nil, err
	}
	total, err := limits.Total.orDefault("total", Limit{})
	if err != nil {
		return nil, err
	}
	l := &Limiter{addresses: newBuckets[netip.Prefix](address), devices: newBuckets[deviceKey](device)}
	if total != (Limit{}) {
		l.total, l.perSecond = rate.NewLimiter(rate.Limit(total.PerSecond), total.Burst), total.PerSecond
	}
	return l, nil
}

// takeTotal counts n calls of all together, like take.
func (l *Limiter) takeTotal(n int, now time.Time) time.Duration {
	if l.total == nil || n <= 0 || l.total.AllowN(now, n) {
		return 0
	}
	return untilAvailable(l.total, n, l.perSecond, now)
}

// take counts n calls of s and returns 0, or how long s has to wait.
func (l *Limiter) take(s subject, n int, now time.Time) time.Duration {
	if n <= 0 {
		return 0
	}
	if s.address.IsValid() {
		if wait := l.addresses.take(s.address, n, now); wait > 0 {
			return wait
		}
	}
	if s.hasDevice {
		return l.devices.take(s.device, n, now)
	}
	return 0
}

// setDevice names the device by its cookie. Several values at once count as
// none, as they do for the tracker: then the address alone is limited.
func (s *subject) setDevice(tokens []string) {
	if len(tokens) != 1 {
		return
	}
	sum := sha256.Sum256([]byte(tokens[0]))
	s.device, s.hasDevice = deviceKey(sum[:16]), true
}

// addressPrefix is the prefix that remote ("address" or "address:port")
// belongs to: what one customer of a provider usually holds. It is invalid
// where there is no address, on a Unix socket say.
func addressPrefix(remote string) netip.Prefix {
	addr, err := parseAddr(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap()
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	prefix, err := addr.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

func parseAddr(remote string) (netip.Addr, error) {
	if strings.HasPrefix(remote, "[") || strings.Count(remote, ":") == 1 {
		withPort, err := netip.ParseAddrPort(remote)
		return withPort.Addr(), err
	}
	return netip.ParseAddr(remote)
}
